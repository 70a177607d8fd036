//! Properties: read when they are named, called through, and paths that lead from them into values.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};

use farcall::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

use crate::kit::{Link, Transport, behaviours, open};

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcValue)]
#[error("the sensor is {0}")]
pub struct Broken(pub String);

/// Counts, under a name.
pub struct Counter {
    name: &'static str,
    value: i64,
}

impl Counter {
    fn stub(name: &'static str) -> CounterStub {
        Self { name, value: 0 }.into_stub()
    }
}

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }

    #[rpc(get)]
    pub fn name(&self) -> String {
        self.name.to_owned()
    }

    /// Says where it was reached.
    #[rpc(get)]
    pub fn shout(&self) -> RpcFn<fn(String) -> String> {
        let name = self.name;
        RpcFn::new(move |word: String| format!("{name}: {word}!"))
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Room {
    pub first: CounterStub,
    pub shelf: Shelf,
    pub pair: (CounterStub, Option<Box<Shelf>>),
    pub last: CounterStub,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Shelf {
    pub label: String,
    pub upper: Option<Box<Self>>,
    pub counter: Option<CounterStub>,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Node {
    pub depth: u32,
    pub next: Option<Box<Self>>,
    pub counter: Option<CounterStub>,
}

/// A target that is mostly properties.
pub struct Sensor {
    reads: Arc<AtomicU32>,
    value: Arc<AtomicI64>,
    gate: Arc<Semaphore>,
}

impl Default for Sensor {
    fn default() -> Self {
        Self { reads: Arc::default(), value: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
    }
}

#[rpc_target]
impl Sensor {
    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.reads.fetch_add(1, SeqCst);
        self.value.load(SeqCst)
    }

    #[rpc(get)]
    pub async fn settled(&self) -> i64 {
        tokio::task::yield_now().await;
        self.value.load(SeqCst)
    }

    #[rpc(get)]
    pub async fn gated(&self) -> i64 {
        let _permit = self.gate.acquire().await;
        5
    }

    #[rpc(get)]
    pub async fn failing(&self) -> Result<CounterStub, Broken> {
        Err(Broken("cold".to_owned()))
    }

    #[rpc(get)]
    pub fn counter(&self) -> Counter {
        Counter { name: "property", value: 0 }
    }

    #[rpc(get)]
    pub fn function(&self) -> RpcFn<fn(i64) -> i64> {
        RpcFn::new(|n: i64| n * 2)
    }

    #[rpc(get)]
    pub fn room(&self) -> Room {
        let shelf = |label: &str, name| Shelf {
            label: label.to_owned(),
            upper: None,
            counter: Some(Counter::stub(name)),
        };
        Room {
            first: Counter::stub("first"),
            shelf: Shelf { upper: Some(Box::new(shelf("upper", "upper"))), ..shelf("lower", "lower") },
            pair: (Counter::stub("left"), Some(Box::new(shelf("right", "right")))),
            last: Counter::stub("last"),
        }
    }

    /// So many nodes in a row, the last with a counter.
    pub fn chain(&self, nodes: u32) -> Option<Box<Node>> {
        (0..nodes).rev().fold(None, |next, depth| {
            let counter = next.is_none().then(|| Counter::stub("end"));
            Some(Box::new(Node { depth, next, counter }))
        })
    }

    pub fn ping(&self) {}

    pub fn set(&self, value: i64) {
        self.value.store(value, SeqCst);
    }
}

/// Does something that must take one round trip, where frames cross something. With several threads a driver may
/// send the first call of a chain before the second is made, so that nothing can be counted.
async fn in_one_round_trip<T>(link: &Link, work: impl Future<Output = T>) -> T {
    let before = link.counters.as_ref().map(|counters| (counters, counters.read()));
    let result = work.await;
    if let (Some((counters, before)), RuntimeFlavor::CurrentThread) =
        (before, Handle::current().runtime_flavor())
    {
        assert_eq!(counters.since(before).round_trips, 1);
    }
    result
}

behaviours! {
    async fn r89_property_is_read_only_when_named(transport: Transport) {
        let sensor = Sensor::default();
        let reads = Arc::clone(&sensor.reads);
        let (stub, _link) = open(transport, sensor).await;
        stub.ping().await.unwrap();
        stub.set(3).await.unwrap();
        assert_eq!(stub.settled().await.unwrap(), 3);
        assert_eq!(reads.load(SeqCst), 0, "it does not travel with the stub, or with another property");
        // It is read at its place in the order.
        let (before, set, after) = (stub.value(), stub.set(4), stub.value());
        assert_eq!((before.await.unwrap(), after.await.unwrap()), (3, 4));
        set.await.unwrap();
        assert_eq!(reads.load(SeqCst), 2);
    }

    async fn r90_every_read_asks_again(transport: Transport) {
        let sensor = Sensor::default();
        let (reads, value) = (Arc::clone(&sensor.reads), Arc::clone(&sensor.value));
        let (stub, _link) = open(transport, sensor).await;
        assert_eq!(stub.value().await.unwrap(), 0);
        value.store(8, SeqCst);
        assert_eq!(stub.value().await.unwrap(), 8);
        assert_eq!(reads.load(SeqCst), 2);
    }

    async fn r91_async_property_settles(transport: Transport) {
        let (stub, _link) = open(transport, Sensor::default()).await;
        stub.set(11).await.unwrap();
        assert_eq!(stub.settled().await.unwrap(), 11);
    }

    async fn r91_failing_property_fails_its_reader(transport: Transport) {
        let (stub, _link) = open(transport, Sensor::default()).await;
        let broken = Broken("cold".to_owned());
        assert_eq!(stub.failing().await.unwrap_err(), CallError::User(broken.clone()));
        let error = stub.failing().increment(1).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Upstream, false), "{error}");
        assert_eq!(error.user::<Broken>(), Some(broken));
    }

    async fn r92_property_is_called_through_in_one_round_trip(transport: Transport) {
        let (stub, link) = open(transport, Sensor::default()).await;
        stub.ping().await.unwrap();
        let result = in_one_round_trip(&link, async { stub.counter().increment(3).await }).await;
        assert_eq!(result.unwrap(), 3);
        let result = in_one_round_trip(&link, async { stub.function().call(21).await }).await;
        assert_eq!(result.unwrap(), 42);
    }

    async fn r93_deep_path_takes_one_round_trip(transport: Transport) {
        let (stub, link) = open(transport, Sensor::default()).await;
        stub.ping().await.unwrap();
        let deep = async { stub.room().shelf().upper().counter().shout().call("here").await };
        assert_eq!(in_one_round_trip(&link, deep).await.unwrap(), "upper: here!");
    }

    async fn r94_path_goes_through_fields_options_and_boxes(transport: Transport) {
        let (stub, _link) = open(transport, Sensor::default()).await;
        let room = stub.room();
        let names = [
            (room.first().name(), "first"),
            (room.shelf().counter().name(), "lower"),
            (room.shelf().upper().counter().name(), "upper"),
            (room.pair()._0().name(), "left"),
            (room.pair()._1().counter().name(), "right"),
            (room.last().name(), "last"),
        ];
        for (name, expected) in names {
            assert_eq!(name.await.unwrap(), expected);
        }
        assert_eq!(room.shelf().upper().label().await.unwrap(), "upper");
        let (left, shelf) = room.pair().await.unwrap();
        assert_eq!(left.name().await.unwrap(), "left");
        assert_eq!(shelf.unwrap().counter.unwrap().name().await.unwrap(), "right");
        assert_eq!(room.await.unwrap().last.name().await.unwrap(), "last");
    }

    async fn r94_path_through_none_is_a_bad_path(transport: Transport) {
        let (stub, _link) = open(transport, Sensor::default()).await;
        let room = stub.room();
        let error = room.shelf().upper().upper().counter().increment(1).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::BadPath, false), "{error}");
        assert!(error.message().contains("`upper` is `None`"), "{error}");
        let chain = stub.chain(2);
        let error = chain.counter().increment(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadPath, "{error}");
        assert!(error.message().contains("`counter` is `None`"), "{error}");
        assert_eq!(chain.next().counter().increment(1).await.unwrap(), 1);
        assert_eq!(room.shelf().upper().counter().increment(1).await.unwrap(), 1);
    }

    async fn r95_dropped_property_leaves_the_stub(transport: Transport) {
        let sensor = Sensor::default();
        let gate = Arc::clone(&sensor.gate);
        let (stub, _link) = open(transport, sensor).await;
        let (dropped, kept) = (stub.gated(), stub.gated());
        drop(dropped);
        drop(stub.counter());
        stub.set(2).await.unwrap();
        assert_eq!(stub.value().await.unwrap(), 2);
        gate.add_permits(1);
        assert_eq!(kept.await.unwrap(), 5);
    }

    async fn r96_property_clones_into_a_stub(transport: Transport) {
        let (stub, link) = open(transport, Sensor::default()).await;
        stub.ping().await.unwrap();
        let first = async {
            let promise = stub.counter();
            let counter: CounterStub = promise.clone();
            (counter.increment(2).await, counter, promise)
        };
        let (first, counter, promise) = in_one_round_trip(&link, first).await;
        assert_eq!(first.unwrap(), 2);
        drop(promise);
        assert_eq!(counter.increment(3).await.unwrap(), 5);
        // And one whose promise is gone before anything came back.
        let counter = stub.room().pair()._1().counter().clone();
        assert_eq!(counter.increment(1).await.unwrap(), 1);
        assert_eq!(counter.name().await.unwrap(), "right");
    }

    async fn r97_path_over_the_limit_fails_cleanly(transport: Transport) {
        let (stub, _link) = open(transport, Sensor::default()).await;
        let mut promise = stub.chain(64);
        for _ in 0..63 {
            promise = descend(&promise);
        }
        // 63 steps down, and one to the counter.
        assert_eq!(promise.counter().increment(1).await.unwrap(), 1);
        let error = promise.next().counter().increment(1).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, false), "{error}");
        assert!(error.message().contains("64") && error.message().contains("65"), "{error}");
        stub.ping().await.unwrap();
        // A stack this small has no room for a recursion.
        let chain = stub.chain(1);
        let deep = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            let mut promise = chain;
            for _ in 0..100_000 {
                promise = descend(&promise);
            }
            promise
        });
        let deep = deep.unwrap().join().unwrap();
        let error = deep.counter().increment(1).await.unwrap_err();
        assert_eq!(error.origin(), ErrorKind::Limit, "{error}");
        assert_eq!(deep.await.err().map(|error| error.origin()), Some(ErrorKind::Limit));
        stub.ping().await.unwrap();
    }
}

fn descend(promise: &Promise<Option<Box<Node>>>) -> Promise<Option<Box<Node>>> {
    promise.next()
}
