//! Peers of different versions: an older caller of a newer target, and the other way round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use farcall::Pipeline;
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open};

/// Takes a stub for one of another contract, as a peer does that was built from another version of it.
fn believed<S: Stub>(stub: &impl Stub) -> S {
    S::from_handle(Pipeline::handle(stub).clone())
}

/// What a method says that it was given.
type Given = (String, Option<u32>, Option<String>);

mod v1 {
    use farcall::prelude::*;

    #[rpc_target]
    pub trait Greeter {
        fn greet(&self, name: String) -> super::Given;
        fn add(&self, a: i64) -> i64;
        fn only_here(&self) -> i64;
        fn point(&self, at: (i32, i32)) -> i64;
        fn place(&self) -> super::OldPlace;
    }
}

mod v2 {
    use farcall::prelude::*;

    #[rpc_target]
    pub trait Greeter {
        fn greet(&self, name: String, age: Option<u32>) -> super::Given;
    }
}

mod v3 {
    use farcall::prelude::*;

    #[rpc_target]
    pub trait Greeter {
        fn greet(&self, name: String, age: Option<u32>, title: Option<String>) -> super::Given;
        fn add(&self, a: i64, b: i64) -> i64;
        fn only_there(&self) -> i64;
        fn point(&self, at: (i32, u32)) -> i64;
        fn place(&self) -> super::NewPlace;
    }
}

/// The same name and shape, but for a field.
#[derive(Debug, PartialEq, Serialize, Deserialize, RpcValue)]
#[serde(rename = "Place")]
pub struct OldPlace {
    pub street: String,
    pub number: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, RpcValue)]
#[serde(rename = "Place")]
pub struct NewPlace {
    pub number: u32,
    pub street: String,
}

#[derive(Default)]
pub struct Old {
    runs: Arc<AtomicU32>,
}

#[rpc_target]
impl v1::Greeter for Old {
    fn greet(&self, name: String) -> Given {
        self.runs.fetch_add(1, SeqCst);
        (name, None, None)
    }

    fn add(&self, a: i64) -> i64 {
        self.runs.fetch_add(1, SeqCst);
        a
    }

    fn only_here(&self) -> i64 {
        1
    }

    fn point(&self, at: (i32, i32)) -> i64 {
        self.runs.fetch_add(1, SeqCst);
        i64::from(at.0 + at.1)
    }

    fn place(&self) -> OldPlace {
        OldPlace { street: "old".to_owned(), number: 1 }
    }
}

#[derive(Default)]
pub struct New {
    runs: Arc<AtomicU32>,
}

#[rpc_target]
impl v3::Greeter for New {
    fn greet(&self, name: String, age: Option<u32>, title: Option<String>) -> Given {
        self.runs.fetch_add(1, SeqCst);
        (name, age, title)
    }

    fn add(&self, a: i64, b: i64) -> i64 {
        self.runs.fetch_add(1, SeqCst);
        a + b
    }

    fn only_there(&self) -> i64 {
        3
    }

    fn point(&self, at: (i32, u32)) -> i64 {
        self.runs.fetch_add(1, SeqCst);
        i64::from(at.0) + i64::from(at.1)
    }

    fn place(&self) -> NewPlace {
        NewPlace { number: 3, street: "new".to_owned() }
    }
}

fn given(name: &str, age: impl Into<Option<u32>>, title: Option<&str>) -> Given {
    (name.to_owned(), age.into(), title.map(str::to_owned))
}

behaviours! {
    async fn r20_absent_trailing_options_arrive_as_none(transport: Transport) {
        let (new, link) = open(transport, New::default()).await;
        let (middle, old): (v2::GreeterStub, v1::GreeterStub) = (believed(&new), believed(&new));
        assert_eq!(old.greet("ann").await.unwrap(), given("ann", None, None));
        assert_eq!(middle.greet("ann", 7).await.unwrap(), given("ann", 7, None));
        assert_eq!(middle.greet("ann", None).await.unwrap(), given("ann", None, None));
        assert_eq!(new.greet("ann", None, None).await.unwrap(), given("ann", None, None));
        assert_eq!(new.greet("ann", 7, None).await.unwrap(), given("ann", 7, None));
        assert_eq!(new.greet("ann", None, "dr").await.unwrap(), given("ann", None, Some("dr")));
        assert_eq!(new.greet("ann", 7, "dr").await.unwrap(), given("ann", 7, Some("dr")));
        // A promise of the argument is there, whatever it turns out to be.
        let none = new.greet("x", None, None);
        assert_eq!(new.greet("ann", none._1(), none._2()).await.unwrap(), given("ann", None, None));
        let some = new.greet("x", 8, "mr");
        assert_eq!(new.greet("ann", some._1(), some._2()).await.unwrap(), given("ann", 8, Some("mr")));
        drop((none, some));
        drop(link);
    }

    async fn r20_other_missing_parameter_is_refused(transport: Transport) {
        let target = New::default();
        let runs = Arc::clone(&target.runs);
        let (new, _link) = open(transport, target).await;
        let old: v1::GreeterStub = believed(&new);
        let error = old.add(1).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::SignatureMismatch, false), "{error}");
        assert!(error.message().contains("Greeter::add"), "{error}");
        assert_eq!(runs.load(SeqCst), 0);
        assert_eq!(new.add(1, 2).await.unwrap(), 3);
    }

    async fn a_newer_caller_reaches_an_older_target(transport: Transport) {
        let target = Old::default();
        let runs = Arc::clone(&target.runs);
        let (old, _link) = open(transport, target).await;
        let new: v3::GreeterStub = believed(&old);
        assert_eq!(new.greet("ann", None, None).await.unwrap(), given("ann", None, None));
        assert_eq!(runs.swap(0, SeqCst), 1);
        for refused in [new.greet("ann", 7, None), new.greet("ann", None, "dr"), new.greet("ann", 7, "dr")] {
            let error = refused.await.unwrap_err();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::SignatureMismatch, false), "{error}");
        }
        assert_eq!(new.add(1, 2).await.unwrap_err().kind(), ErrorKind::SignatureMismatch);
        assert_eq!(runs.load(SeqCst), 0);
        assert_eq!(old.only_here().await.unwrap(), 1);
    }

    async fn values_are_never_misread_by_another_version(transport: Transport) {
        let target = New::default();
        let runs = Arc::clone(&target.runs);
        let (new, _link) = open(transport, target).await;
        let old: v1::GreeterStub = believed(&new);
        let error = old.point((1, -2)).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::SignatureMismatch, false), "{error}");
        assert_eq!(runs.load(SeqCst), 0);
        let error = old.place().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SignatureMismatch, "fields in another order: {error}");
        assert_eq!(new.point((1, 2)).await.unwrap(), 3);
        assert_eq!(new.place().await.unwrap(), NewPlace { number: 3, street: "new".to_owned() });
    }

    async fn values_of_equal_shape_and_other_name_are_one_on_the_wire(transport: Transport) {
        let (stub, _link) = open(transport, Surveyor).await;
        let twin: TwinStub = believed(&stub);
        let moved = twin.shift(TwinPoint { x: 1, y: 2 }).await.unwrap();
        assert_eq!(moved, TwinPoint { x: 2, y: 3 });
        assert_eq!(twin.shift(twin.shift(TwinPoint { x: 1, y: 2 })).await.unwrap(), TwinPoint { x: 3, y: 4 });
        assert_eq!(stub.shift(Point { x: 0, y: 0 }).await.unwrap(), Point { x: 1, y: 1 });
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Point {
    pub x: i64,
    pub y: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct TwinPoint {
    pub x: i64,
    pub y: i64,
}

pub struct Surveyor;

#[rpc_target]
impl Surveyor {
    pub fn shift(&self, point: Point) -> Point {
        Point { x: point.x + 1, y: point.y + 1 }
    }
}

#[rpc_target]
pub trait Twin {
    fn shift(&self, point: TwinPoint) -> TwinPoint;
}

#[tokio::test]
async fn r20_absent_options_cost_nothing() {
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let (new, link) = open(transport, New::default()).await;
        let old: v1::GreeterStub = believed(&new);
        new.greet("x", None, None).await.unwrap();
        let counters = link.counters.as_ref().unwrap();
        let before = counters.read();
        old.greet("ann").await.unwrap();
        let older = counters.since(before);
        let before = counters.read();
        new.greet("ann", None, None).await.unwrap();
        let newer = counters.since(before);
        assert_eq!((newer.frames_out, newer.bytes_out), (older.frames_out, older.bytes_out), "{transport:?}");
        let before = counters.read();
        new.greet("ann", 7, None).await.unwrap();
        assert!(counters.since(before).bytes_out > older.bytes_out, "{transport:?}");
    }
}
