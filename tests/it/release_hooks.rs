//! `#[rpc(on_release)]`: what a target does when its last stub is gone, before it is dropped.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use farcall::Pipeline;
use farcall::prelude::*;
use tokio::sync::{Notify, Semaphore};

use crate::kit::{Transport, behaviours, open, until};

/// What has happened to the targets of a test, in order.
#[derive(Clone, Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<&'static str>>>,
    panics: Arc<AtomicBool>,
}

impl Log {
    fn note(&self, line: &'static str) {
        self.lines.lock().unwrap().push(line);
    }

    async fn becomes(&self, lines: &[&'static str]) {
        until(|| self.lines.lock().unwrap().len() >= lines.len()).await;
        assert_eq!(*self.lines.lock().unwrap(), lines);
    }
}

/// Notes its drop, and may panic in it.
pub struct Tail(Log);

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.note("dropped");
        if self.0.panics.load(Ordering::SeqCst) {
            panic!("as the test wants it");
        }
    }
}

pub struct SharedOne(Tail);

#[rpc_target]
impl SharedOne {
    pub fn ping(&self) -> bool {
        true
    }

    pub async fn wait(&self, go: RpcFn<fn() -> bool>) -> bool {
        go.call().await.unwrap_or(false)
    }

    #[rpc(spawn)]
    pub fn slow(&self) -> i64 {
        3
    }

    #[rpc(on_release)]
    async fn bye(&self) {
        self.0.0.note("hook begins");
        tokio::task::yield_now().await;
        self.0.0.note("hook ends");
        if self.0.0.panics.load(Ordering::SeqCst) {
            panic!("as the test wants it");
        }
    }
}

pub struct SerialOne {
    tail: Tail,
    value: i64,
}

#[rpc_target]
impl SerialOne {
    pub fn add(&mut self, n: i64) -> i64 {
        self.value += n;
        self.value
    }

    pub async fn wait(&mut self, go: RpcFn<fn() -> bool>) -> bool {
        go.call().await.unwrap_or(false)
    }

    /// Not on the stub, although it is `pub`.
    #[rpc(on_release)]
    pub fn bye(&mut self) {
        assert!(self.value < 1000);
        self.tail.0.note("hook");
    }
}

pub struct Maker(Log);

#[rpc_target]
impl Maker {
    pub fn shared(&self) -> SharedOne {
        SharedOne(Tail(self.0.clone()))
    }

    pub fn serial(&self) -> SerialOne {
        SerialOne { tail: Tail(self.0.clone()), value: 0 }
    }

    pub fn closure(&self) -> RpcFn<fn() -> i64> {
        let tail = Tail(self.0.clone());
        RpcFn::new(move || {
            tail.0.note("called");
            4
        })
    }

    pub fn ping(&self) -> bool {
        true
    }
}

behaviours! {
    async fn r153_hook_runs_once_after_the_last_stub_and_before_drop(transport: Transport) {
        let log = Log::default();
        let (maker, link) = open(transport, Maker(log.clone())).await;
        let shared = maker.shared().await.unwrap();
        let other = shared.clone();
        assert!(shared.ping().await.unwrap());
        drop(shared);
        assert!(other.ping().await.unwrap() && log.lines.lock().unwrap().is_empty());
        drop(other);
        log.becomes(&["hook begins", "hook ends", "dropped"]).await;
        let serial = maker.serial().await.unwrap();
        assert_eq!(serial.add(2).await.unwrap(), 2);
        drop(serial);
        log.becomes(&["hook begins", "hook ends", "dropped", "hook", "dropped"]).await;
        link.server_holds(0).await;
    }

    async fn r151_hook_never_runs_inside_the_releasing_call(transport: Transport) {
        let log = Log::default();
        let (maker, _link) = open(transport, Maker(log.clone())).await;
        let remote = maker.shared().await.unwrap();
        let local: SerialOneStub = SerialOne { tail: Tail(log.clone()), value: 0 }.into_stub();
        {
            let lines = log.lines.lock().unwrap();
            // Were one of the hooks to run in here, it would wait for this lock for ever.
            drop(remote);
            drop(local);
            assert!(lines.is_empty());
        }
        until(|| log.lines.lock().unwrap().iter().filter(|line| **line == "dropped").count() == 2).await;
    }

    async fn r153_hook_waits_for_the_method_that_still_runs(transport: Transport) {
        let log = Log::default();
        let (maker, _link) = open(transport, Maker(log.clone())).await;
        let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (has_started, may_go) = (Arc::clone(&started), Arc::clone(&go));
        let held: RpcFn<fn() -> bool> = RpcFn::new_async(move || {
            let (started, go) = (Arc::clone(&started), Arc::clone(&go));
            async move {
                started.notify_one();
                go.notified().await;
                true
            }
        });
        let (shared, serial) = (maker.shared().await.unwrap(), maker.serial().await.unwrap());
        let calls = (shared.wait(&held), serial.wait(&held));
        drop((shared, serial));
        for _ in 0..2 {
            has_started.notified().await;
        }
        assert!(maker.ping().await.unwrap() && log.lines.lock().unwrap().is_empty());
        for _ in 0..2 {
            may_go.notify_one();
        }
        assert_eq!((calls.0.await.unwrap(), calls.1.await.unwrap()), (true, true));
        until(|| log.lines.lock().unwrap().len() == 5).await;
    }

    async fn r152_panics_in_hook_and_drop_harm_nobody(transport: Transport) {
        let log = Log::default();
        log.panics.store(true, Ordering::SeqCst);
        let (maker, link) = open(transport, Maker(log.clone())).await;
        // A call that outlives its stub, and one on a task of its own, give their results all the same.
        let yes: RpcFn<fn() -> bool> = RpcFn::new(|| true);
        assert!(maker.shared().wait(&yes).await.unwrap());
        assert_eq!(maker.shared().slow().await.unwrap(), 3);
        let serial = maker.serial().await.unwrap();
        assert_eq!(serial.add(5000).await.unwrap(), 5000);
        drop(serial);
        let shared = ["hook begins", "hook ends", "dropped"];
        // The serial one's hook panics before it notes anything; each is dropped although its hook panicked.
        until(|| log.lines.lock().unwrap().len() == 7).await;
        for line in shared {
            let times = log.lines.lock().unwrap().iter().filter(|other| **other == line).count();
            assert_eq!(times, if line == "dropped" { 3 } else { 2 });
        }
        assert!(maker.ping().await.unwrap());
        link.server_holds(0).await;
    }

    async fn r151_what_a_closure_captured_is_dropped_later(transport: Transport) {
        let log = Log::default();
        let (maker, link) = open(transport, Maker(log.clone())).await;
        let remote = maker.closure().await.unwrap();
        assert_eq!(remote.call().await.unwrap(), 4);
        {
            let lines = log.lines.lock().unwrap();
            drop(remote);
            assert_eq!(*lines, ["called"]);
        }
        log.becomes(&["called", "dropped"]).await;
        link.server_holds(0).await;
    }

    async fn r153_hook_of_a_contract_is_the_implementors(transport: Transport) {
        let log = Log::default();
        let (maker, _link) = open(transport, Vault(log.clone())).await;
        let (plain, loud) = (maker.plain().await.unwrap(), maker.loud().await.unwrap());
        assert_eq!((plain.name().await.unwrap(), loud.name().await.unwrap()), (1, 2));
        drop(plain);
        log.becomes(&["dropped"]).await;
        drop(loud);
        log.becomes(&["dropped", "child", "parent", "dropped"]).await;
    }
}

#[rpc_target]
pub trait Named {
    fn name(&self) -> i64;

    #[rpc(on_release)]
    async fn gone(&mut self) {}
}

#[rpc_target]
pub trait Loud: Named {
    fn shout(&self) -> i64;

    #[rpc(on_release)]
    fn silenced(&self);
}

pub struct PlainNamed(Tail);

#[rpc_target]
impl Named for PlainNamed {
    fn name(&self) -> i64 {
        i64::from(!self.0.0.panics.load(Ordering::SeqCst))
    }
}

pub struct LoudNamed(Tail);

#[rpc_target(secondary)]
impl Named for LoudNamed {
    fn name(&self) -> i64 {
        2
    }

    async fn gone(&mut self) {
        tokio::task::yield_now().await;
        self.0.0.note("parent");
    }
}

#[rpc_target]
impl Loud for LoudNamed {
    fn shout(&self) -> i64 {
        3
    }

    fn silenced(&self) {
        self.0.0.note("child");
    }
}

pub struct Vault(Log);

#[rpc_target]
impl Vault {
    pub fn plain(&self) -> NamedStub {
        PlainNamed(Tail(self.0.clone())).into_stub()
    }

    pub fn loud(&self) -> LoudStub {
        LoudNamed(Tail(self.0.clone())).into_stub()
    }
}

behaviours! { wire
    async fn r157_hook_runs_when_the_connection_is_lost(transport: Transport) {
        let log = Log::default();
        let (maker, link) = open(transport, Maker(log.clone())).await;
        let held = (maker.shared().await.unwrap(), maker.serial().await.unwrap());
        assert!(held.0.ping().await.unwrap());
        link.cut();
        until(|| log.lines.lock().unwrap().len() == 5).await;
        drop(held);
    }
}

/// Counts how many of its kind are in their hooks at once.
pub struct Slow(Arc<Counts>);

#[derive(Default)]
pub struct Counts {
    under_way: AtomicUsize,
    most: AtomicUsize,
    dropped: AtomicUsize,
}

#[rpc_target]
impl Slow {
    pub fn ping(&self) {}

    #[rpc(on_release)]
    async fn bye(&mut self) {
        static GO: Semaphore = Semaphore::const_new(0);
        let now = self.0.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        if now == 64 {
            GO.add_permits(500);
        }
        GO.acquire().await.unwrap().forget();
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

pub struct SlowMaker(Arc<Counts>);

#[rpc_target]
impl SlowMaker {
    pub fn make(&self, count: u32) -> Vec<SlowStub> {
        (0..count).map(|_| Slow(Arc::clone(&self.0)).into_stub()).collect()
    }
}

#[tokio::test]
async fn r153_a_lost_connection_starts_64_hooks_at_once() {
    crate::kit::in_time(async {
        let counts = Arc::new(Counts::default());
        let (maker, link) = open(Transport::Tcp, SlowMaker(Arc::clone(&counts))).await;
        let held = maker.make(500).await.unwrap();
        assert_eq!(held.len(), 500);
        link.cut();
        until(|| counts.dropped.load(Ordering::SeqCst) == 500).await;
        // None goes on before 64 have begun, and no more have begun then.
        assert_eq!(counts.most.load(Ordering::SeqCst), 64);
    })
    .await;
}

#[tokio::test]
async fn r153_hook_is_not_remote() {
    // A contract with a method of the hook's name finds none of it.
    #[rpc_target]
    trait Guess {
        fn bye(&self);
        fn ping(&self) -> bool;
    }
    for transport in [Transport::InProcess, Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let log = Log::default();
        let (shared, _link) = open(transport, SharedOne(Tail(log.clone()))).await;
        let guess = GuessStub::from_handle(Pipeline::handle(&shared).clone());
        assert_eq!(guess.bye().await.unwrap_err().kind(), ErrorKind::UnknownMethod);
        assert!(guess.ping().await.unwrap() && log.lines.lock().unwrap().is_empty());
    }
}
