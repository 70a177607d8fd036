//! Values: what they hold arrives as it was, with stubs and functions anywhere in it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use farcall::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kit::{Link, Transport, behaviours, open};

/// Gives back what it gets.
pub struct Echo<T>(PhantomData<T>);

#[rpc_target]
impl<T: RpcValue + Sync> Echo<T> {
    pub fn echo(&self, value: T) -> T {
        value
    }
}

async fn echo<T: RpcValue + Sync + Clone + PartialEq + Debug>(transport: Transport, values: Vec<T>) {
    let (stub, _link): (EchoStub<T>, Link) = open(transport, Echo(PhantomData)).await;
    for value in values {
        assert_eq!(stub.echo(value.clone()).await.unwrap(), value);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, RpcValue)]
pub enum Colour {
    Red,
    Mixed(u8, u8),
    Named { code: u16 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Tree<T> {
    pub value: T,
    pub children: Vec<Self>,
    pub colours: (Colour, Option<Box<Colour>>),
    pub shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub enum Shape {
    Empty,
    Points(Vec<(i32, Option<f32>)>),
    Nested { inner: Box<Self>, unit: Unit, wrapped: Wrapped },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Wrapped(pub String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct List {
    pub head: u32,
    pub tail: Option<Box<Self>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Account {
    pub name: String,
    balance: i64,
    #[serde(skip)]
    pub cache: Vec<u8>,
    pub last: bool,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcValue)]
pub enum Trouble {
    #[error("none left")]
    Empty,
    #[error("only {0} left of {1}")]
    Few(u32, String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Report {
    pub first: Trouble,
    pub others: Vec<Trouble>,
    pub call: Error,
    pub fault: Option<Fault>,
}

behaviours! {
    async fn r32_basic_values_round_trip(transport: Transport) {
        echo(transport, vec![true, false]).await;
        echo(transport, vec![u8::MIN, 127, 128, u8::MAX]).await;
        echo(transport, vec![u16::MIN, 255, 256, u16::MAX]).await;
        echo(transport, vec![u32::MIN, u32::MAX]).await;
        echo(transport, vec![u64::MIN, u64::MAX]).await;
        echo(transport, vec![u128::MIN, u128::from(u64::MAX) + 1, u128::MAX]).await;
        echo(transport, vec![usize::MIN, usize::MAX]).await;
        echo(transport, vec![i8::MIN, -1, 0, i8::MAX]).await;
        echo(transport, vec![i16::MIN, -1, i16::MAX]).await;
        echo(transport, vec![i32::MIN, -1, i32::MAX]).await;
        echo(transport, vec![i64::MIN, -1, i64::MAX]).await;
        echo(transport, vec![i128::MIN, -1, i128::MAX]).await;
        echo(transport, vec![isize::MIN, isize::MAX]).await;
        echo(transport, vec!['\0', 'a', 'ß', '\u{10ffff}']).await;
        echo(transport, vec![String::new(), "größe 🦀\0".to_owned(), "x".repeat(100_000)]).await;
        echo(transport, vec![()]).await;
        echo(transport, vec![None, Some(None), Some(Some(0)), Some(Some(u8::MAX))]).await;
        echo(transport, vec![[1, 2, 3], [i64::MIN, 0, i64::MAX]]).await;
        // Equality says nothing about these.
        let (stub, _link): (EchoStub<(f32, f64)>, Link) = open(transport, Echo(PhantomData)).await;
        let quiet = f64::from_bits(0x7ff8_0000_0000_beef);
        for (a, b) in [(0.0, -0.0), (-0.0, 1.5e300), (f32::NAN, quiet), (f32::MIN_POSITIVE, f64::INFINITY)] {
            let (x, y) = stub.echo((a, b)).await.unwrap();
            assert_eq!((x.to_bits(), y.to_bits()), (a.to_bits(), b.to_bits()));
        }
    }

    async fn r33_bytes_and_times_round_trip(transport: Transport) {
        let pattern = |length: usize| (0..251).collect::<Vec<u8>>().repeat(length / 251 + 1)[..length].to_vec();
        let sizes = [0, 1, 15 * 1024, 17 * 1024, 4 * 1024 * 1024];
        echo::<Bytes>(transport, sizes.map(|size| pattern(size).into()).to_vec()).await;
        echo::<Vec<u8>>(transport, sizes[..4].iter().map(|size| pattern(*size)).collect()).await;
        echo(transport, vec![Duration::ZERO, Duration::new(u64::MAX, 999_999_999), Duration::from_nanos(1)]).await;
        let time = SystemTime::UNIX_EPOCH;
        echo(transport, vec![time, time + Duration::new(1_700_000_000, 123_456_789)]).await;
        // Neither form grows with the values of its elements.
        let (stub, link): (EchoStub<(Bytes, Vec<u8>)>, Link) = open(transport, Echo(PhantomData)).await;
        stub.echo((Bytes::new(), Vec::new())).await.unwrap();
        let before = link.counters.as_ref().map(|counters| counters.read());
        stub.echo((Bytes::from(vec![255; 10_000]), vec![255; 10_000])).await.unwrap();
        if let (Some(counters), Some(before)) = (&link.counters, before) {
            let cost = counters.since(before);
            assert!(cost.bytes_out < 20_100 && cost.bytes_in < 20_100, "{cost:?}");
        }
    }

    async fn r34_maps_and_sets_keep_their_kind(transport: Transport) {
        let tuples = [((1, "a".to_owned()), 10), ((1, "b".to_owned()), 20), ((-1, String::new()), 30)];
        echo(transport, vec![HashMap::from(tuples.clone()), HashMap::new()]).await;
        echo(transport, vec![BTreeMap::from(tuples)]).await;
        let colours = [Colour::Red, Colour::Mixed(1, 2), Colour::Mixed(2, 1), Colour::Named { code: 300 }];
        echo(transport, vec![HashSet::from(colours), HashSet::new()]).await;
        echo(transport, vec![BTreeSet::from(colours)]).await;
        echo(transport, vec![BTreeMap::from([(Colour::Red, HashMap::from([(u64::MAX, vec![1])]))])]).await;
        echo(transport, vec![VecDeque::from([3, 1, 2])]).await;
    }

    async fn r35_nested_values_round_trip(transport: Transport) {
        let leaf = |value: &str| Tree {
            value: vec![Some(value.to_owned()), None],
            children: vec![],
            colours: (Colour::Red, Some(Box::new(Colour::Mixed(1, 255)))),
            shape: Shape::Points(vec![(-1, Some(0.5)), (i32::MAX, None)]),
        };
        let nested = Shape::Nested {
            inner: Box::new(Shape::Nested {
                inner: Box::new(Shape::Empty),
                unit: Unit,
                wrapped: Wrapped(String::new()),
            }),
            unit: Unit,
            wrapped: Wrapped("w".to_owned()),
        };
        let children = vec![leaf("a"), Tree { children: vec![leaf("c")], ..leaf("b") }];
        echo(transport, vec![Tree { children, shape: nested, ..leaf("root") }]).await;
        let list = (0..60).fold(None, |tail, head| Some(Box::new(List { head, tail })));
        echo(transport, vec![*list.unwrap()]).await;
    }

    async fn r37_all_fields_travel_unless_skipped(transport: Transport) {
        let (stub, _link): (EchoStub<Account>, Link) = open(transport, Echo(PhantomData)).await;
        let account = Account { name: "ann".to_owned(), balance: -5, cache: vec![1, 2], last: true };
        let expected = Account { cache: vec![], ..account.clone() };
        assert_eq!(stub.echo(account.clone()).await.unwrap(), expected);
        assert_eq!(stub.echo(stub.echo(&account)).await.unwrap(), expected);
        let (many, _link): (EchoStub<Vec<Account>>, Link) = open(transport, Echo(PhantomData)).await;
        assert_eq!(many.echo([account.clone(), account]).await.unwrap(), [expected.clone(), expected]);
    }

    async fn r42_error_travels_as_data(transport: Transport) {
        let troubles = vec![Trouble::Empty, Trouble::Few(3, "cups".to_owned())];
        let call = Error::new(ErrorKind::Overloaded, "too much");
        let fault = Fault::new(std::io::Error::other("disk"));
        echo(transport, troubles.clone()).await;
        echo(transport, vec![call.clone(), Error::new(ErrorKind::Cancelled, "no")]).await;
        echo(transport, vec![fault.clone()]).await;
        echo(transport, vec![Report { first: Trouble::Empty, others: troubles, call, fault: Some(fault) }]).await;
    }
}

static WRITTEN: AtomicU32 = AtomicU32::new(0);

/// Counts how often it is encoded.
#[derive(Default, RpcValue)]
pub struct Tick;

impl Serialize for Tick {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WRITTEN.fetch_add(1, SeqCst);
        serializer.serialize_unit_struct("Tick")
    }
}

impl<'de> Deserialize<'de> for Tick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Moving {
    tick: Tick,
    data: Vec<u8>,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Copied {
    tick: Tick,
    data: Vec<u8>,
    #[serde(skip)]
    cache: u32,
}

#[tokio::test]
async fn r25_in_process_values_move_unencoded() {
    let stub: EchoStub<Vec<Moving>> = Echo(PhantomData).into_stub();
    let data = vec![1, 2, 3];
    let place = data.as_ptr();
    let mut back = stub.echo(vec![Moving { tick: Tick, data }]).await.unwrap();
    assert_eq!(back[0].data.as_ptr(), place);
    let back = stub.echo(vec![back.remove(0)]).await.unwrap();
    assert_eq!((WRITTEN.load(SeqCst), &back[0].data, back[0].data.as_ptr()), (0, &vec![1, 2, 3], place));
    // What does not travel whole is written, there and back, so that nothing more arrives than over a wire.
    let stub: EchoStub<Copied> = Echo(PhantomData).into_stub();
    let back = stub.echo(Copied { tick: Tick, data: vec![4], cache: 9 }).await.unwrap();
    assert_eq!((back.data, back.cache, WRITTEN.load(SeqCst)), (vec![4], 0, 2));
    let _: Tick = back.tick;
}

#[derive(Debug, Serialize, Deserialize)]
pub struct WithStub {
    pub before: u8,
    pub stub: InPlainStub,
}

type Number = RpcFn<fn(i64) -> i64>;

#[derive(Debug, Serialize, Deserialize)]
pub struct WithFunction(Vec<Option<Number>>);

/// Takes and gives what hides a stub from the schema.
pub struct InPlain;

#[rpc_target]
impl InPlain {
    /// Beside another stub, so that stubs are expected in the message.
    pub fn take(&self, value: Plain<WithStub>, _other: Option<InPlainStub>) -> u8 {
        value.before
    }

    pub fn give(&self) -> Plain<WithFunction> {
        Plain(WithFunction(vec![None, Some(RpcFn::new(|n: i64| n))]))
    }

    pub fn none(&self) -> Plain<WithFunction> {
        Plain(WithFunction(vec![None]))
    }

    pub fn nested(&self, depth: u32) -> Plain<Onion> {
        Plain(Onion((0..depth).fold(None, |inner, _| Some(Box::new(Onion(inner))))))
    }

    pub fn peel(&self, onion: Plain<Onion>) -> u32 {
        std::iter::successors(Some(&onion.0), |onion| onion.0.as_deref()).count() as u32
    }
}

/// Nothing but options and newtypes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Onion(Option<Box<Self>>);

impl Drop for Onion {
    fn drop(&mut self) {
        let mut inner = self.0.take();
        while let Some(mut onion) = inner {
            inner = onion.0.take();
        }
    }
}

behaviours! {
    async fn r80_stub_in_opaque_data_is_refused_with_advice(transport: Transport) {
        let (stub, _link) = open(transport, InPlain).await;
        let with_stub = || Plain(WithStub { before: 1, stub: stub.clone() });
        for error in [
            stub.take(with_stub(), None).await.unwrap_err(),
            stub.take(with_stub(), stub.clone()).await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::BadArguments, false), "{error}");
            assert!(error.message().starts_with("calling `take`: "), "{error}");
            assert!(error.message().contains("inside `Plain`: derive `RpcValue`"), "{error}");
        }
        let error = stub.give().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadResult);
        assert!(error.message().contains("inside `Plain`: derive `RpcValue`"), "{error}");
        assert_eq!(stub.none().await.unwrap().0.0.len(), 1);
    }

    async fn r35_opaque_data_over_the_depth_limit_fails_at_its_sender(transport: Transport) {
        let (stub, _link) = open(transport, InPlain).await;
        let onion = |depth: u32| Plain(Onion((0..depth).fold(None, |inner, _| Some(Box::new(Onion(inner))))));
        // As deep as can be read is as deep as can be sent.
        let mut deepest = 0;
        while stub.peel(onion(deepest + 1)).await.is_ok() {
            deepest += 1;
        }
        assert!((40..128).contains(&deepest), "{deepest}");
        assert_eq!(stub.peel(stub.nested(deepest)).await.unwrap(), deepest + 1);
        for depth in [deepest + 1, 1_000_000] {
            let error = stub.peel(onion(depth)).await.unwrap_err();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, false), "{error}");
            assert!(error.message().contains("calling `peel`") && error.message().contains("128 levels"), "{error}");
            let error = stub.nested(depth).await.unwrap_err();
            assert!(error.message().contains("128 levels") && error.message().contains("could not be encoded"), "{error}");
        }
    }
}
