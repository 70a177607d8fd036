//! Large bodies travel in pieces: what overtakes them and what waits for them, wherever they stand.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use farcall::prelude::*;
use farcall::probe::Probe;
use farcall::{Endpoint, main_stub};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::kit::raw::pipe;
use crate::kit::{Transport, behaviours, until};

pub const MIB: usize = 1024 * 1024;
/// As long as the longest piece.
pub const PIECE: usize = 256 * 1024;
/// More than the buffers of any transport hold.
pub const LARGE: usize = 16 * MIB;

/// A payload of this length that shows where a part of it is missing or in the wrong place.
pub fn payload(length: usize, seed: u32) -> Bytes {
    let words = (0..1021).flat_map(|n: u32| n.wrapping_mul(2_654_435_761).wrapping_add(seed).to_le_bytes());
    let block: Vec<u8> = words.collect();
    let mut payload = block.repeat(length / block.len() + 1);
    payload.truncate(length);
    payload.into()
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Crate {
    pub label: String,
    pub content: Bytes,
    pub depot: DepotStub,
    pub rest: Vec<u32>,
}

/// What it was told, in order.
#[derive(Clone, Default)]
pub struct Depot {
    pub log: Arc<Mutex<Vec<String>>>,
    go: Arc<Notify>,
}

impl Depot {
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

/// Shares the log, and is another target all the same.
pub struct Office(Depot);

#[rpc_target]
impl Depot {
    pub fn put(&self, name: &str, content: Bytes) -> usize {
        self.log.lock().unwrap().push(format!("{name} {}", content.len()));
        content.len()
    }

    pub fn note(&self, name: &str) {
        self.log.lock().unwrap().push(name.to_owned());
    }

    pub fn make(&self, length: usize, seed: u32) -> Bytes {
        payload(length, seed)
    }

    pub async fn make_later(&self, length: usize, seed: u32) -> Bytes {
        self.go.notified().await;
        payload(length, seed)
    }

    pub fn echo(&self, content: Bytes) -> Bytes {
        content
    }

    pub fn numbers(&self, numbers: Vec<u32>) -> Vec<u32> {
        numbers
    }

    pub fn refuse(&self, content: Bytes) -> Result<(), Refused> {
        Err(Refused(content))
    }

    pub fn unpack(&self, large: Crate) -> Crate {
        Crate { label: large.label + "!", ..large }
    }

    pub fn office(&self) -> Office {
        Office(self.clone())
    }

    /// Calls what it was given, with a large argument and then with a small one.
    pub async fn call_back(&self, depot: DepotStub) -> usize {
        let office = depot.office().await.unwrap();
        let (put, note) = (depot.put("large", payload(LARGE, 3)), office.note("small"));
        note.await.unwrap();
        put.await.unwrap()
    }
}

#[rpc_target]
impl Office {
    pub fn note(&self, name: &str) {
        self.0.note(name);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("refused")]
pub struct Refused(Bytes);

/// A served depot, and what is called before anything has left for it: all of that leaves in one order.
async fn prepared(
    transport: Transport,
    depot: Depot,
) -> (DepotStub, farcall::probe::Counters, impl FnOnce()) {
    let (near, far) = pipe(transport).await;
    let (probe, counters) = Probe::new(near, std::time::Duration::ZERO);
    let (connection, near_driver) = Endpoint::new().connect_over(probe);
    let (_, far_driver) = Endpoint::new().offer::<DepotStub>(depot).accept_over(far);
    let run = || {
        tokio::spawn(far_driver);
        tokio::spawn(near_driver);
    };
    (main_stub(&connection), counters, run)
}

/// Opens a depot.
async fn depot(transport: Transport, depot: Depot) -> DepotStub {
    let (stub, _, run) = prepared(transport, depot).await;
    run();
    stub
}

/// Notes a name when it is woken.
struct Woken(Arc<Mutex<Vec<&'static str>>>, &'static str);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().push(self.1);
    }
}

/// A promise that is awaited by somebody who notes when it settled.
fn noted<P: IntoFuture<IntoFuture: 'static>>(
    log: &Arc<Mutex<Vec<&'static str>>>,
    name: &'static str,
    promise: P,
) -> Pin<Box<dyn Future<Output = P::Output> + Send>>
where
    P::IntoFuture: Send,
{
    let mut future = Box::pin(promise.into_future());
    let waker = Waker::from(Arc::new(Woken(Arc::clone(log), name)));
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    future
}

behaviours! { wire
    async fn r278_small_calls_overtake_a_large_one_to_another_target(transport: Transport) {
        let target = Depot::default();
        let (stub, counters, run) = prepared(transport, target.clone()).await;
        let office = stub.office();
        let put = stub.put("large", payload(LARGE, 1));
        let note = office.note("small");
        let behind = stub.note("behind");
        run();
        note.await.unwrap();
        assert_eq!(put.await.unwrap(), LARGE);
        behind.await.unwrap();
        assert_eq!(target.log(), ["small".to_owned(), format!("large {LARGE}"), "behind".to_owned()]);
        let counts = counters.read();
        // Each of the pieces is a frame, beside those of the four calls and the greeting.
        let frames = counts.frames_out as usize - LARGE / PIECE;
        assert!((5..20).contains(&frames), "{} frames went out", counts.frames_out);
        assert!(counts.bytes_out as usize > LARGE);
    }

    async fn small_answers_overtake_a_large_one(transport: Transport) {
        let (stub, counters, run) = prepared(transport, Depot::default()).await;
        let log = Arc::default();
        let large = noted(&log, "large", stub.make(LARGE, 2));
        let small = noted(&log, "small", stub.note("small"));
        run();
        until(|| log.lock().unwrap().len() == 2).await;
        assert_eq!(*log.lock().unwrap(), ["small", "large"]);
        small.await.unwrap();
        assert!(large.await.unwrap() == payload(LARGE, 2));
        let pieces = counters.read().frames_in as usize;
        assert!((LARGE / PIECE + 3..LARGE / PIECE + 10).contains(&pieces), "{pieces} frames came in");
    }

    async fn r278_calls_back_are_cut_as_well(transport: Transport) {
        let stub = depot(transport, Depot::default()).await;
        let own = Depot::default();
        assert_eq!(stub.call_back(own.clone().into_stub()).await.unwrap(), LARGE);
        assert_eq!(own.log(), ["small".to_owned(), format!("large {LARGE}")]);
    }

    async fn r278_calls_through_one_stub_keep_their_order_whatever_their_size(transport: Transport) {
        let target = Depot::default();
        let (stub, _, run) = prepared(transport, target.clone()).await;
        let sizes = [4 * MIB, 1, MIB, 200_000, 0, 3 * MIB, 130_000, 7];
        let calls: Vec<_> = sizes.iter().map(|size| stub.put("", payload(*size, 0))).collect();
        run();
        for (call, size) in calls.into_iter().zip(sizes) {
            assert_eq!(call.await.unwrap(), size);
        }
        assert_eq!(target.log(), sizes.map(|size| format!(" {size}")));
    }

    async fn several_large_bodies_travel_at_once_in_both_directions(transport: Transport) {
        let stub = depot(transport, Depot::default()).await;
        let sizes = [5 * MIB, 131_073, 3 * MIB, 262_144, 262_145, MIB, 8 * MIB, 524_288];
        let calls = (0..).zip(sizes).map(|(seed, size)| {
            let (echo, make) = (stub.echo(payload(size, seed)), stub.make(size, seed + 100));
            async move {
                assert!(echo.await.unwrap() == payload(size, seed), "{size}");
                assert!(make.await.unwrap() == payload(size, seed + 100), "{size}");
            }
        });
        for call in calls.collect::<Vec<_>>() {
            call.await;
        }
    }

    async fn large_payloads_stand_in_the_middle_of_values(transport: Transport) {
        let stub = depot(transport, Depot::default()).await;
        let own = Depot::default();
        let rest: Vec<u32> = (0..100_000).collect();
        let large = Crate {
            label: "x".to_owned(),
            content: payload(2 * MIB, 9),
            depot: own.clone().into_stub(),
            rest: rest.clone(),
        };
        let back = stub.unpack(large).await.unwrap();
        assert!(back.label == "x!" && back.content == payload(2 * MIB, 9) && back.rest == rest);
        back.depot.note("home").await.unwrap();
        assert_eq!(own.log(), ["home"]);
        // Numbers have no payload among them that could be moved.
        let numbers: Vec<u32> = (0..500_000).map(|n| n * 7919).collect();
        assert!(stub.numbers(numbers.clone()).await.unwrap() == numbers);
        let refused = stub.refuse(payload(MIB, 4)).await.unwrap_err();
        assert!(matches!(refused, CallError::User(Refused(content)) if content == payload(MIB, 4)));
    }

    async fn large_results_are_passed_on_as_arguments(transport: Transport) {
        let target = Depot::default();
        let stub = depot(transport, target.clone()).await;
        assert!(stub.echo(stub.make(3 * MIB, 5)).await.unwrap() == payload(3 * MIB, 5));
        // A promise of another connection settles on its way: its value stands beside the other arguments.
        let elsewhere = depot(transport, Depot::default()).await;
        let put = stub.put("from elsewhere", elsewhere.make(2 * MIB, 6));
        let note = stub.note("small");
        assert_eq!(put.await.unwrap(), 2 * MIB);
        note.await.unwrap();
        assert!(stub.echo(elsewhere.make(2 * MIB, 7)).await.unwrap() == payload(2 * MIB, 7));
        // A promise that was awaited through a clone is still one, and its answer is asked for late.
        let made = stub.make(MIB, 8);
        let echoed = stub.echo(&made);
        assert!(echoed.await.unwrap() == payload(MIB, 8));
        assert!(made.await.unwrap() == payload(MIB, 8));
    }

    async fn large_calls_go_through_a_third_party(transport: Transport) {
        let origin = Depot::default();
        let inner = depot(transport, origin.clone()).await;
        let proxy = proxy(transport, inner).await;
        let stub = proxy.call().await.unwrap();
        let put = stub.put("large", payload(4 * MIB, 1));
        let note = stub.note("behind");
        let echo = stub.echo(payload(5 * MIB, 2));
        let make = stub.make(3 * MIB, 3);
        assert_eq!(put.await.unwrap(), 4 * MIB);
        note.await.unwrap();
        assert!(echo.await.unwrap() == payload(5 * MIB, 2));
        assert!(make.await.unwrap() == payload(3 * MIB, 3));
        assert_eq!(origin.log(), [format!("large {}", 4 * MIB), "behind".to_owned()]);
    }
}

/// Serves a function that gives out a stub of somebody else's object.
async fn proxy(transport: Transport, inner: DepotStub) -> RpcFn<fn() -> DepotStub> {
    let (near, far) = pipe(transport).await;
    let (connection, near_driver) = Endpoint::new().connect_over(near);
    let give = RpcFn::<fn() -> DepotStub>::new(move || inner.clone());
    let (_, far_driver) = Endpoint::new().offer::<RpcFn<fn() -> DepotStub>>(give).accept_over(far);
    let stub = main_stub(&connection);
    tokio::spawn(far_driver);
    tokio::spawn(near_driver);
    stub
}
