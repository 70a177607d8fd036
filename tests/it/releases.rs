//! Where and when targets are dropped, and what a lost connection takes with it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use farcall::prelude::*;
use serde::{Serialize, Serializer};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;

use crate::kit::{Transport, behaviours, open, until};

/// What the `Drop` of a target does.
#[derive(Clone, Default)]
pub struct Dropped {
    lock: Arc<Mutex<()>>,
    panics: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
}

pub struct Target(Dropped);

#[rpc_target]
impl Target {
    pub fn ping(&self) -> bool {
        true
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _guard = self.0.lock.lock();
        self.0.count.fetch_add(1, Ordering::SeqCst);
        if self.0.panics.load(Ordering::SeqCst) {
            panic!("as the test wants it");
        }
    }
}

#[derive(Clone, Default)]
pub struct Maker {
    dropped: Dropped,
    started: Arc<Notify>,
    go: Arc<Notify>,
    alive: Arc<()>,
    held: Arc<Mutex<Option<TargetStub>>>,
}

#[rpc_target]
impl Maker {
    pub fn make(&self) -> Target {
        Target(self.dropped.clone())
    }

    pub fn make_held(&self) -> TargetStub {
        let stub: TargetStub = Target(self.dropped.clone()).into_stub();
        *self.held.lock().unwrap() = Some(stub.clone());
        stub
    }

    pub async fn wait(&self) -> i64 {
        let _alive = Arc::clone(&self.alive);
        self.started.notify_one();
        self.go.notified().await;
        7
    }

    pub fn take(&self, _one: TargetStub, _other: TargetStub, _last: Plain<Unwilling>) -> bool {
        true
    }

    pub async fn pings(&self, target: TargetStub) -> bool {
        target.ping().await.unwrap()
    }

    pub fn ping(&self) -> bool {
        true
    }
}

/// A value that cannot be encoded.
#[derive(Debug, serde::Deserialize)]
pub struct Unwilling;

impl Serialize for Unwilling {
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it does not want to"))
    }
}

behaviours! {
    async fn r151_target_drops_later_and_elsewhere(transport: Transport) {
        let main = Maker::default();
        let dropped = main.dropped.clone();
        let (maker, _link) = open(transport, main).await;
        let stub = maker.make().await.unwrap();
        assert!(stub.ping().await.unwrap());
        {
            // Its `Drop` takes this lock: were it to run inside this `drop`, it would never end.
            let _guard = dropped.lock.lock().unwrap();
            drop(stub);
            assert_eq!(dropped.count.load(Ordering::SeqCst), 0);
        }
        until(|| dropped.count.load(Ordering::SeqCst) == 1).await;
    }

    async fn r152_panic_in_drop_harms_nobody(transport: Transport) {
        let main = Maker::default();
        let (started, go, dropped) = (Arc::clone(&main.started), Arc::clone(&main.go), main.dropped.clone());
        dropped.panics.store(true, Ordering::SeqCst);
        let (maker, link) = open(transport, main).await;
        let waiting = tokio::spawn(maker.wait().into_future());
        started.notified().await;
        for n in 1..=3 {
            let stub = maker.make().await.unwrap();
            drop(stub);
            until(|| dropped.count.load(Ordering::SeqCst) == n).await;
            assert!(maker.ping().await.unwrap());
        }
        go.notify_one();
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
        link.server_holds(0).await;
    }

    async fn r161_stubs_and_promises_cross_tasks(transport: Transport) {
        let (maker, _link) = open(transport, Maker::default()).await;
        let making = tokio::spawn(async move { (maker.make().await.unwrap(), maker) });
        let (stub, maker) = making.await.unwrap();
        let calling = tokio::spawn(async move { (stub.ping(), maker.pings(&stub)) });
        let (ping, pings) = calling.await.unwrap();
        let awaiting = tokio::spawn(async move { (ping.await.unwrap(), pings.await.unwrap()) });
        assert_eq!(awaiting.await.unwrap(), (true, true));
    }

    async fn r16_failed_encoding_sends_nothing(transport: Transport) {
        let (maker, link) = open(transport, Maker::default()).await;
        assert!(maker.ping().await.unwrap());
        let (one, other) = (Dropped::default(), Dropped::default());
        let before = link.counters.as_ref().map(|counters| counters.read());
        let failed = maker.take(Target(one.clone()), Target(other.clone()), Plain(Unwilling));
        let error = failed.await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::BadArguments, false));
        until(|| one.count.load(Ordering::SeqCst) == 1 && other.count.load(Ordering::SeqCst) == 1).await;
        if let (Some(counters), Some(before)) = (&link.counters, before) {
            // With several threads the first call may have to be told that its promise is gone.
            let one_thread = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
            assert!(counters.since(before).frames_out <= u64::from(!one_thread));
        }
        assert!(maker.ping().await.unwrap());
        assert!(maker.make().ping().await.unwrap());
        link.server_holds(0).await;
    }

    async fn chain_of_targets_is_dropped_without_recursion(transport: Transport) {
        let (chain, _link) = open(transport, Chain::default()).await;
        let alive = Arc::new(());
        let mut head: ChainStub = Chain { alive: Arc::clone(&alive), next: None }.into_stub();
        for _ in 0..10_000 {
            head = Chain { alive: Arc::clone(&alive), next: Some(head) }.into_stub();
        }
        assert!(chain.is_there(&head).await.unwrap());
        assert_eq!(Arc::strong_count(&alive), 10_002);
        drop(head);
        until(|| Arc::strong_count(&alive) == 1).await;
    }
}

/// A target that holds another.
#[derive(Default)]
pub struct Chain {
    alive: Arc<()>,
    next: Option<ChainStub>,
}

#[rpc_target]
impl Chain {
    pub fn is_last(&self) -> bool {
        self.next.is_none() && Arc::strong_count(&self.alive) > 0
    }

    pub async fn is_there(&self, chain: ChainStub) -> bool {
        !chain.is_last().await.unwrap()
    }
}

behaviours! { wire
    async fn r156_lost_connection_drops_running_methods(transport: Transport) {
        let main = Maker::default();
        let (started, alive) = (Arc::clone(&main.started), Arc::clone(&main.alive));
        let (maker, link) = open(transport, main).await;
        let stub = maker.make().await.unwrap();
        let waiting = maker.wait();
        started.notified().await;
        // The test, the target, the method.
        assert_eq!(Arc::strong_count(&alive), 3);
        link.cut();
        until(|| Arc::strong_count(&alive) == 1).await;
        let error = waiting.await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, true));
        assert_eq!(stub.ping().await.unwrap_err().kind(), ErrorKind::Disconnected);
    }

    async fn r157_lost_connection_drops_its_targets(transport: Transport) {
        let main = Maker::default();
        let (dropped, held) = (main.dropped.clone(), Arc::clone(&main.held));
        let (maker, link) = open(transport, main).await;
        let mut stubs = Vec::new();
        for _ in 0..5 {
            stubs.push(maker.make().await.unwrap());
        }
        stubs.push(maker.make_held().await.unwrap());
        let unsettled = maker.make();
        assert!(maker.ping().await.unwrap());
        assert_eq!(dropped.count.load(Ordering::SeqCst), 0);
        link.cut();
        until(|| dropped.count.load(Ordering::SeqCst) == 6).await;
        let kept = held.lock().unwrap().take().unwrap();
        assert!(kept.ping().await.unwrap());
        for stub in &stubs {
            let error = stub.ping().await.unwrap_err();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false));
        }
        // Its answer had not been asked for when the connection was lost, or it had come.
        drop(unsettled);
        drop(kept);
        until(|| dropped.count.load(Ordering::SeqCst) == 7).await;
    }

    async fn r158_forgotten_stub_ends_with_its_connection(transport: Transport) {
        let main = Maker::default();
        let dropped = main.dropped.clone();
        let (maker, link) = open(transport, main).await;
        std::mem::forget(maker.make().await.unwrap());
        for _ in 0..10 {
            assert!(maker.make().ping().await.unwrap());
        }
        until(|| dropped.count.load(Ordering::SeqCst) == 10).await;
        link.server_holds(1).await;
        link.cut();
        until(|| dropped.count.load(Ordering::SeqCst) == 11).await;
    }
}

#[tokio::test]
async fn r65_local_stub_behaves_like_a_remote_one() {
    let main = Maker::default();
    let (dropped, go, alive) = (main.dropped.clone(), Arc::clone(&main.go), Arc::downgrade(&main.alive));
    let maker: MakerStub = main.into_stub();
    assert!(maker.ping().await.unwrap());
    assert!(maker.make().ping().await.unwrap());
    assert!(maker.pings(maker.make()).await.unwrap());
    until(|| dropped.count.load(Ordering::SeqCst) == 2).await;
    let waiting = maker.wait();
    let other = maker.clone();
    drop(maker);
    assert!(other.ping().await.unwrap());
    drop(other);
    go.notify_one();
    // A call keeps its target.
    assert_eq!(waiting.await.unwrap(), 7);
    let alive: Weak<()> = alive;
    until(|| alive.strong_count() == 0).await;
}
