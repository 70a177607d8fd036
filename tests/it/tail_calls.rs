//! Methods that return the promise of another call: what comes of that is passed on as it came.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use farcall::Revocable;
use farcall::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::Notify;

use crate::kit::raw::{Call, FORGET, Got, SEND, Stage, body, method};
use crate::kit::{Transport, behaviours, open, until};

/// How often each value was taken out of its bytes, and put into them.
static WALKS: LazyLock<Mutex<HashMap<u64, (usize, usize)>>> = LazyLock::new(Mutex::default);

fn walks(key: u64) -> (usize, usize) {
    WALKS.lock().unwrap().get(&key).copied().unwrap_or_default()
}

fn new_key() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// Counts its encodings and decodings.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted(u64);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WALKS.lock().unwrap().entry(self.0).or_default().0 += 1;
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = u64::deserialize(deserializer)?;
        WALKS.lock().unwrap().entry(key).or_default().1 += 1;
        Ok(Self(key))
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Parcel {
    pub counted: Plain<Counted>,
    pub first: LeafStub,
    pub second: LeafStub,
    pub payload: Bytes,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("refused: {0}")]
pub struct Refused(i64);

pub struct Leaf(u64, #[expect(dead_code, reason = "it is there to be dropped")] Arc<()>);

#[rpc_target]
impl Leaf {
    pub fn number(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, Default)]
pub struct Origin {
    go: Arc<Notify>,
    started: Arc<Notify>,
    alive: Arc<()>,
}

impl Origin {
    fn parcel(&self, key: u64, bytes: u64) -> Parcel {
        let leaf = |number| Leaf(number, Arc::clone(&self.alive)).into_stub();
        Parcel {
            counted: Plain(Counted(key)),
            first: leaf(1),
            second: leaf(2),
            payload: Bytes::from(vec![7; bytes as usize]),
        }
    }
}

#[rpc_target]
impl Origin {
    pub fn get(&self, key: u64, bytes: u64) -> Parcel {
        self.parcel(key, bytes)
    }

    pub async fn get_later(&self, key: u64, bytes: u64) -> Parcel {
        let _alive = Arc::clone(&self.alive);
        self.started.notify_one();
        self.go.notified().await;
        self.parcel(key, bytes)
    }

    pub fn fails(&self, n: i64) -> Result<i64, Refused> {
        Err(Refused(n))
    }

    pub fn panics(&self) -> i64 {
        panic!("as the test wants it")
    }
}

/// Gives what another gives.
pub struct Gateway {
    origin: OriginStub,
}

#[rpc_target]
impl Gateway {
    pub fn get(&self, key: u64, bytes: u64) -> Promise<Parcel> {
        self.origin.get(key, bytes)
    }

    pub async fn get_later(&self, key: u64, bytes: u64) -> Promise<Parcel> {
        tokio::task::yield_now().await;
        self.origin.get_later(key, bytes)
    }

    pub fn second(&self, key: u64) -> Promise<LeafStub> {
        self.origin.get(key, 100).second()
    }

    pub fn payload(&self, key: u64, bytes: u64) -> Promise<Bytes> {
        self.origin.get(key, bytes).payload()
    }

    pub fn fails(&self, n: i64) -> Promise<i64, CallError<Refused>> {
        self.origin.fails(n)
    }

    pub fn panics(&self) -> Promise<i64> {
        self.origin.panics()
    }
}

/// The same, one call at a time.
pub struct Turnstile {
    origin: OriginStub,
    passed: u64,
}

#[rpc_target]
impl Turnstile {
    pub fn get(&mut self, key: u64) -> Promise<Parcel> {
        self.passed += 1;
        self.origin.get(key, self.passed)
    }

    pub async fn get_later(&mut self, key: u64) -> Promise<Parcel> {
        tokio::task::yield_now().await;
        self.passed += 1;
        self.origin.get(key, self.passed)
    }
}

async fn stand(transport: Transport) -> (GatewayStub, Origin, [crate::kit::Link; 2]) {
    let origin = Origin::default();
    let (stub, a) = open(transport, origin.clone()).await;
    let (gateway, b) = open(transport, Gateway { origin: stub }).await;
    (gateway, origin, [a, b])
}

behaviours! {
    async fn r121_promise_that_is_returned_is_passed_on_undecoded(transport: Transport) {
        let (gateway, origin, links) = stand(transport).await;
        for bytes in [10, 100_000] {
            let key = new_key();
            let parcel = gateway.get(key, bytes).await.unwrap();
            assert_eq!((parcel.counted.0, parcel.payload.len() as u64), (Counted(key), bytes));
            assert_eq!(walks(key), (1, 1), "once at either end");
            assert_eq!(parcel.first.number().await.unwrap() + parcel.second.number().await.unwrap(), 3);
            let key = new_key();
            let parcel = gateway.get_later(key, bytes);
            origin.started.notified().await;
            origin.go.notify_one();
            let parcel = parcel.await.unwrap();
            assert_eq!((parcel.counted.0, parcel.payload.len() as u64), (Counted(key), bytes));
            assert_eq!(walks(key), (1, 1), "once at either end");
        }
        until(|| Arc::strong_count(&origin.alive) == 2).await;
        for link in &links {
            link.server_holds(0).await;
        }
    }

    async fn r121_promise_through_a_gate_that_is_returned_is_passed_on_undecoded(transport: Transport) {
        for wrap in [Revocable::wrap::<OriginStub>, Revocable::membrane] {
            let origin = Origin::default();
            let (stub, a) = open(transport, origin.clone()).await;
            let (lent, revoker) = wrap(stub);
            let (gateway, b) = open(transport, Gateway { origin: lent }).await;
            let key = new_key();
            let parcel = gateway.get(key, 100_000).await.unwrap();
            assert_eq!((&parcel.counted.0, parcel.payload.len()), (&Counted(key), 100_000));
            assert_eq!(walks(key), (1, 1), "once at either end");
            let key = new_key();
            let promise = gateway.get_later(key, 1);
            let first = promise.first().number();
            origin.started.notified().await;
            origin.go.notify_one();
            assert_eq!((first.await.unwrap(), walks(key).1), (1, 0));
            assert_eq!(gateway.fails(4).await.unwrap_err(), CallError::User(Refused(4)));
            assert_eq!(gateway.second(new_key()).number().await.unwrap(), 2);
            // The call that its method passed on is cancelled, whoever gives it up.
            let given_up = gateway.get_later(new_key(), 1);
            origin.started.notified().await;
            drop(given_up);
            drop((promise, parcel));
            until(|| Arc::strong_count(&origin.alive) == 2).await;
            let struck = gateway.get_later(new_key(), 1);
            origin.started.notified().await;
            revoker.revoke();
            let error = struck.await.map(drop).unwrap_err();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disposed, true), "{error}");
            let error = gateway.get(new_key(), 1).await.map(drop).unwrap_err();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disposed, false), "{error}");
            until(|| Arc::strong_count(&origin.alive) <= 2).await;
            for link in [a, b] {
                link.server_holds(0).await;
            }
        }
    }

    async fn r121_calls_go_through_a_promise_that_is_returned(transport: Transport) {
        let (gateway, origin, links) = stand(transport).await;
        let key = new_key();
        let promise = gateway.get_later(key, 1);
        let (first, second) = (promise.first().number(), promise.second().number());
        origin.started.notified().await;
        origin.go.notify_one();
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 2));
        drop(promise);
        assert_eq!(walks(key), (1, 0), "nobody asked for the value");
        until(|| Arc::strong_count(&origin.alive) == 2).await;
        for link in &links {
            link.server_holds(0).await;
        }
    }

    async fn part_of_a_promise_that_is_returned_is_all_that_is_passed_on(transport: Transport) {
        let (gateway, origin, links) = stand(transport).await;
        let key = new_key();
        let second = gateway.second(key).await.unwrap();
        assert_eq!((second.number().await.unwrap(), walks(key)), (2, (1, 0)));
        // What lies beside it is given up.
        until(|| Arc::strong_count(&origin.alive) == 3).await;
        drop(second);
        assert_eq!(gateway.second(key).number().await.unwrap(), 2);
        assert_eq!(gateway.payload(key, 50_000).await.unwrap(), vec![7; 50_000]);
        assert_eq!(gateway.payload(key, 5).await.unwrap(), vec![7; 5]);
        assert_eq!(walks(key).1, 0);
        until(|| Arc::strong_count(&origin.alive) == 2).await;
        for link in &links {
            link.server_holds(0).await;
        }
    }

    async fn failure_of_a_promise_that_is_returned_is_passed_on(transport: Transport) {
        let (gateway, ..) = stand(transport).await;
        assert_eq!(gateway.fails(4).await.unwrap_err(), CallError::User(Refused(4)));
        let error = gateway.panics().await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Panicked, true));
    }

    async fn cancelling_reaches_the_promise_that_was_returned(transport: Transport) {
        let (gateway, origin, links) = stand(transport).await;
        let promise = gateway.get_later(new_key(), 1);
        origin.started.notified().await;
        assert_eq!(Arc::strong_count(&origin.alive), 3);
        drop(promise);
        until(|| Arc::strong_count(&origin.alive) == 2).await;
        for link in &links {
            link.server_holds(0).await;
        }
    }

    async fn serial_target_is_free_while_the_promise_that_it_returned_is_under_way(transport: Transport) {
        let (stub, _a) = open(transport, Origin::default()).await;
        let (turnstile, _b) = open(transport, Turnstile { origin: stub, passed: 0 }).await;
        let calls: Vec<_> = (0..10)
            .map(|n| if n % 2 == 0 { turnstile.get(new_key()) } else { turnstile.get_later(new_key()) })
            .collect();
        let mut lengths = Vec::new();
        for call in calls {
            lengths.push(call.await.unwrap().payload.len());
        }
        assert_eq!(lengths, (1..=10).collect::<Vec<_>>());
    }
}

behaviours! { wire
    async fn what_lies_beside_a_part_that_is_passed_on_cannot_be_reached(transport: Transport) {
        let gateway = Gateway { origin: Origin::default().into_stub() };
        let mut raw = Stage::new(transport, gateway).raw().await;
        let second = Call::of(method::<GatewayStub>("second"), &[5]);
        let got = raw.call(&Call { flags: SEND | FORGET, ..second }).await;
        let caps = vec![(0, -1), (0, -2)];
        assert_eq!(got, Got::Answer { id: 1, user: false, caps, body: vec![1] });
        let number = Call { flags: SEND | FORGET, ..Call::of(method::<LeafStub>("number"), &[]) };
        assert_eq!(body(raw.call(&number.clone().on(-2, &[])).await), [2]);
        match raw.call(&number.on(-1, &[])).await {
            Got::Reject { origin: 14, may_have_run: false, .. } => {}
            other => panic!("there is nothing there: {other:?}"),
        }
    }
}
