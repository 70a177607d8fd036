use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{CallFailure, IntoValue, Never, Plain, Returned, RpcReturn, RpcValue};
use crate::codec::{CapTable, Encoded, SPLICE_FROM, ValueDecoder, ValueEncoder};
use crate::error::{CallError, Error, ErrorKind};
use crate::fault::Fault;

fn encode<T: RpcValue>(value: &T) -> Bytes {
    let mut encoded = Encoded::default();
    value.encode(&mut ValueEncoder::new(&mut encoded, false)).unwrap();
    encoded.to_bytes()
}

fn decode<T: RpcValue>(bytes: &Bytes) -> Result<T, Error> {
    let mut caps = CapTable::default();
    let mut decoder = ValueDecoder::new(bytes, &mut caps, Some(bytes), false);
    let value = T::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}

/// Comes back as it was, and is encoded as serde does it, which a value inside a struct is.
#[allow(clippy::needless_pass_by_value, reason = "a reference would be no better to read")]
fn travels<T: RpcValue + PartialEq + Debug>(value: T) {
    let bytes = encode(&value);
    assert_eq!(bytes, postcard::to_allocvec(&value).unwrap());
    assert_eq!(decode::<T>(&bytes).unwrap(), value);
}

#[test]
fn r27_std_types_travel() {
    travels(());
    travels((true, 'ß', "text".to_owned()));
    travels((u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX, usize::MAX));
    travels((i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN, isize::MIN));
    travels((f32::MIN_POSITIVE, f64::MAX));
    travels((Some(Box::new(1u8)), None::<u8>, Some(None::<String>), Some(Some(2i64))));
    travels(vec![vec![1u32], vec![]]);
    travels(VecDeque::from(["a".to_owned(), "b".to_owned()]));
    travels([[1u16; 32]; 2]);
    travels([0u8; 0]);
    travels(HashMap::from([("k".to_owned(), 1u8), ("l".to_owned(), 2)]));
    travels(BTreeMap::from([((1u8, 'a'), vec![1.5f64])]));
    travels((HashSet::from([1u64, 2]), BTreeSet::from([Some(3u64), None])));
    travels((Duration::new(1, 2), SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 5)));
    travels(["127.0.0.1:80".parse::<SocketAddr>().unwrap(), "[2001:db8::1]:443".parse().unwrap()]);
    travels((1u8, 2u8, 3u8, 4u8, 5u8, 6u8, 7u8, 8u8, 9u8, 10u8, 11u8, "twelve".to_owned()));
    travels((Bytes::from_static(b"abc"), Some(Bytes::new()), vec![Bytes::from_static(b"d")]));
    travels(Plain(vec![("x".to_owned(), 1.5f32)]));
    travels(Fault::from("text"));
}

#[cfg(feature = "uuid")]
#[test]
fn uuids_travel() {
    travels(vec![uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), uuid::Uuid::nil()]);
}

#[cfg(feature = "url")]
#[test]
fn urls_travel() {
    travels(url::Url::parse("https://a.example/b?c=d#e").unwrap());
    assert_eq!(
        decode::<url::Url>(&encode(&"no address".to_owned())).unwrap_err().kind(),
        ErrorKind::BadArguments
    );
}

#[cfg(feature = "chrono")]
#[test]
fn times_of_chrono_travel() {
    let time = chrono::DateTime::from_timestamp(1_700_000_000, 5).unwrap();
    let there = time.with_timezone(&chrono::FixedOffset::east_opt(3600).unwrap());
    travels((time, there, time.naive_utc(), time.date_naive(), time.time()));
}

#[cfg(feature = "json")]
#[test]
fn json_travels_in_values() {
    use super::Json;
    let json = Json(serde_json::json!({"a": [1, -2.5, null, true], "b": {"c": "d"}}));
    travels((json, vec![Some(Json::default())]));
    let deep = "[".repeat(1_000_000);
    assert_eq!(decode::<Json>(&encode(&deep)).unwrap_err().kind(), ErrorKind::BadArguments);
}

#[test]
fn large_payloads_are_moved_and_not_copied() {
    let payload = Bytes::from(vec![7; SPLICE_FROM]);
    let mut encoded = Encoded::default();
    let value = (1u8, Some(Box::new(payload.clone())), 2u8);
    value.encode(&mut ValueEncoder::new(&mut encoded, false)).unwrap();
    assert_eq!(encoded.splices[0].1.as_ptr(), payload.as_ptr());
    let bytes = encoded.to_bytes();
    let (_, back, _) = decode::<(u8, Option<Box<Bytes>>, u8)>(&bytes).unwrap();
    let back = back.unwrap();
    assert_eq!(*back, payload);
    assert!(bytes.as_ptr_range().contains(&back.as_ptr()), "it shares the memory of the message");
}

#[test]
fn what_is_passed_on_is_shared_and_not_copied() {
    let whole = Bytes::from(vec![7; SPLICE_FROM]);
    let mut encoded = Encoded::default();
    encoded.splices.push((0, whole.clone()));
    assert_eq!(encoded.to_bytes().as_ptr(), whole.as_ptr());
}

#[test]
fn tags_of_options_are_one_byte() {
    for wrong in [&[2u8][..], &[0x80, 0], &[]] {
        let error = decode::<Option<()>>(&Bytes::copy_from_slice(wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadArguments);
    }
}

/// Stands for a target, and [`Stub`] for its stub.
#[derive(Debug, PartialEq, Eq)]
struct Target(u8);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stub(u8);

impl IntoValue for Target {
    type Value = Stub;

    fn into_value(self) -> Stub {
        Stub(self.0)
    }
}

impl IntoValue for Stub {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl RpcValue for Stub {
    type Pipeline = crate::promise::NoPipeline;

    fn describe(schema: &mut crate::schema::SchemaBuilder) {
        schema.cap();
    }
}

#[test]
fn t3_targets_in_containers_become_stubs() {
    assert_eq!(vec![Target(1), Target(2)].into_value(), [Stub(1), Stub(2)]);
    assert_eq!(VecDeque::from([Target(1)]).into_value(), [Stub(1)]);
    assert_eq!([Some(Target(1)), None].into_value(), [Some(Stub(1)), None]);
    assert_eq!((Box::new(Target(1)), 5u8, Target(2)).into_value(), (Box::new(Stub(1)), 5, Stub(2)));
    assert_eq!(HashMap::from([('k', Target(1))]).into_value(), HashMap::from([('k', Stub(1))]));
    assert_eq!(BTreeMap::from([('k', Target(1))]).into_value(), BTreeMap::from([('k', Stub(1))]));
}

#[test]
fn t2_results_are_told_by_trait() {
    type Alias<T> = Result<T, Fault>;

    fn value<R: RpcReturn<Value = V>, V>(returned: R) -> Result<V, R::User> {
        match returned.into_returned() {
            Returned::Result(result) => result,
            Returned::Promise(_) => panic!("it is no promise"),
        }
    }

    assert_eq!(value(5u8), Ok(5));
    assert_eq!(value(Some(Target(5))), Ok(Some(Stub(5))));
    let ok: Alias<Option<Target>> = Ok(Some(Target(5)));
    assert_eq!(value(ok), Ok(Some(Stub(5))));
    let failed: Alias<Target> = Err("no".into());
    assert_eq!(value(failed), Err(Fault::from("no")));
    assert_eq!(<Alias<u8> as RpcReturn>::user_message(&Fault::from("no")), "no");
}

#[test]
fn t2_failures_keep_the_users_error_typed() {
    let rpc = Error::new(ErrorKind::Disconnected, "gone");
    let user = CallError::from_user(Fault::from("no"));
    assert_eq!(user, CallError::User(Fault::from("no")));
    assert_eq!(user.inshare_parts(), Ok(Fault::from("no")));
    assert_eq!(CallError::<Fault>::from(rpc.clone()).inshare_parts(), Err(rpc.clone()));
    assert_eq!(rpc.clone().inshare_parts(), Err::<Never, _>(rpc));
    decode::<Never>(&Bytes::new()).unwrap_err();
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Node {
    children: Vec<Self>,
    next: Option<Box<Self>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Foreign {
    Unit,
    New(u128),
    Tuple(i8, char),
    Struct { map: BTreeMap<String, f64>, bytes: Bytes },
}

#[derive(Debug, Serialize, Deserialize)]
struct OnlyMe(Box<Self>);

#[test]
fn r7_plain_carries_any_serde_type() {
    travels(Plain(vec![
        Foreign::Unit,
        Foreign::New(1 << 100),
        Foreign::Tuple(-1, 'x'),
        Foreign::Struct { map: BTreeMap::from([("k".to_owned(), 0.5)]), bytes: Bytes::from_static(b"raw") },
    ]));
    travels(Plain(Node { children: vec![Node::default()], next: Some(Box::default()) }));
    travels(Plain((LinkedList::from([(), ()]), [1u8; 4], Some(Duration::from_secs(1)))));
    let mut long = encode(&Plain(1u8)).to_vec();
    long[0] += 1;
    long.push(0);
    decode::<Plain<u8>>(&long.into()).unwrap_err();
}

#[test]
fn r11_plain_is_bounded_without_a_schema() {
    let hostile = |inside: &[u8]| encode(&Bytes::copy_from_slice(inside));
    let deep = hostile(&[1; 1 << 20]);
    decode::<Plain<Node>>(&deep).unwrap_err();
    decode::<Plain<OnlyMe>>(&deep).unwrap_err();
    decode::<Plain<Node>>(&hostile(&[0, 1].repeat(1 << 20))).unwrap_err();
    let four_billion = hostile(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    decode::<Plain<Vec<()>>>(&four_billion).unwrap_err();
    decode::<Plain<BTreeMap<(), ()>>>(&four_billion).unwrap_err();
    decode::<Plain<Vec<String>>>(&four_billion).unwrap_err();
    let mut chain = Node::default();
    for _ in 1..60 {
        chain = Node { children: Vec::new(), next: Some(Box::new(chain)) };
    }
    travels(Plain(chain));
    travels(Plain(vec![(); 65_536]));
    travels(Plain(vec![vec![vec![1u8; 300]; 300]; 4]));
}
