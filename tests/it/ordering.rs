//! The order in which calls are delivered, and what may overlap.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farcall::prelude::*;
use tokio::sync::{Notify, Semaphore};

use crate::kit::{Transport, behaviours, open, open_with};

/// What happened, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<i64>>>);

impl Log {
    fn add(&self, entry: i64) {
        self.0.lock().unwrap().push(entry);
    }

    fn read(&self) -> Vec<i64> {
        self.0.lock().unwrap().clone()
    }
}

/// A target whose methods may run side by side.
#[derive(Clone)]
pub struct Shared {
    log: Log,
    gates: Arc<Vec<Semaphore>>,
    go: Arc<Notify>,
}

impl Default for Shared {
    fn default() -> Self {
        let gates = (0..20).map(|_| Semaphore::new(0)).collect();
        Self { log: Log::default(), gates: Arc::new(gates), go: Arc::default() }
    }
}

#[rpc_target]
impl Shared {
    pub fn note(&self, n: i64) -> i64 {
        self.log.add(n);
        n
    }

    pub fn note_large(&self, n: i64, payload: Bytes) -> u64 {
        self.log.add(n);
        payload.len() as u64
    }

    /// Notes its start, waits, notes its end.
    pub async fn held(&self, n: i64) -> i64 {
        self.log.add(n);
        self.gates[n as usize].acquire().await.unwrap().forget();
        self.log.add(100 + n);
        n
    }

    pub fn open(&self, n: i64) {
        self.gates[n as usize].add_permits(1);
    }

    #[rpc(spawn)]
    pub async fn spawned(&self, n: i64) -> i64 {
        self.log.add(n);
        n
    }

    pub async fn wait_for_go(&self) -> i64 {
        self.go.notified().await;
        7
    }

    pub fn go(&self) {
        self.log.add(1);
        self.go.notify_one();
    }

    /// Hands a copy of itself over, when it was told to.
    pub async fn later(&self) -> Self {
        self.go.notified().await;
        self.clone()
    }

    pub fn other(&self) -> Self {
        Self { log: Log::default(), ..self.clone() }
    }

    /// Gives back what it was given.
    pub fn echo(&self, stub: SharedStub) -> SharedStub {
        stub
    }

    /// The same, a good while later.
    pub async fn echo_later(&self, stub: SharedStub) -> SharedStub {
        self.go.notified().await;
        stub
    }
}

/// A target that runs one call at a time.
#[derive(Default)]
pub struct Serial {
    log: Log,
    inside: Arc<AtomicBool>,
    go: Arc<Notify>,
    entered: Arc<Notify>,
}

/// Sets a flag for as long as it lives.
struct Inside(Arc<AtomicBool>);

impl Inside {
    fn new(flag: &Arc<AtomicBool>) -> Self {
        assert!(!flag.swap(true, Ordering::SeqCst), "two calls at a time");
        Self(Arc::clone(flag))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[rpc_target]
impl Serial {
    pub async fn slow(&mut self, n: i64) -> i64 {
        let _inside = Inside::new(&self.inside);
        for _ in 0..n % 4 {
            tokio::task::yield_now().await;
        }
        self.log.add(n);
        n
    }

    pub fn quick(&mut self, n: i64) -> i64 {
        let _inside = Inside::new(&self.inside);
        self.log.add(n);
        n
    }

    pub async fn block(&mut self) {
        let _inside = Inside::new(&self.inside);
        self.entered.notify_one();
        self.go.notified().await;
    }
}

behaviours! {
    async fn r122_calls_on_one_promise_run_in_order(transport: Transport) {
        let main = Shared::default();
        let (log, go) = (main.log.clone(), Arc::clone(&main.go));
        let (stub, _link) = open(transport, main).await;
        let promise = stub.later();
        let mut calls = Vec::new();
        for n in 0..100 {
            calls.push(promise.note(n));
            if n == 50 {
                // It settles while calls are being made.
                go.notify_one();
                assert_eq!(calls.swap_remove(0).await.unwrap(), 0);
            }
        }
        let settled = promise.await.unwrap();
        calls.push(settled.note(100));
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(log.read(), (0..=100).collect::<Vec<_>>());
    }

    async fn stub_of_a_promise_keeps_its_order_when_it_settles(transport: Transport) {
        let main = Shared::default();
        let (log, go) = (main.log.clone(), Arc::clone(&main.go));
        let (stub, _link) = open(transport, main).await;
        for round in 0..20 {
            let promise = stub.later();
            let kept: SharedStub = promise.clone();
            let calls: Vec<_> = (0..5).map(|n| kept.note(round * 10 + n)).collect();
            go.notify_one();
            let settled = promise.await.unwrap();
            let after = (settled.note(round * 10 + 5), kept.note(round * 10 + 6));
            for call in calls {
                call.await.unwrap();
            }
            after.0.await.unwrap();
            after.1.await.unwrap();
        }
        let expected: Vec<i64> = (0..20).flat_map(|round| (0..7).map(move |n| round * 10 + n)).collect();
        assert_eq!(log.read(), expected);
    }

    async fn r279_calls_start_in_order_and_answer_in_any(transport: Transport) {
        let main = Shared::default();
        let log = main.log.clone();
        let (stub, _link) = open(transport, main).await;
        let mut calls: Vec<_> = (0..20).map(|n| tokio::spawn(stub.held(n).into_future())).collect();
        for n in (0..20).rev() {
            stub.open(n).await.unwrap();
            assert_eq!(calls.pop().unwrap().await.unwrap().unwrap(), n);
        }
        assert_eq!(log.read(), (0..20).chain((100..120).rev()).collect::<Vec<_>>());
    }

    async fn r280_method_never_runs_inside_the_call(transport: Transport) {
        let main = Shared::default();
        let log = main.log.clone();
        let (stub, _link) = open(transport, main).await;
        // The method takes the lock that is held while it is called.
        let call = {
            let guard = log.0.lock().unwrap();
            let call = stub.note(1);
            assert_eq!(*guard, Vec::<i64>::new());
            call
        };
        assert_eq!(call.await.unwrap(), 1);
        // Calls of one task that does not await run when it does.
        if tokio::runtime::Handle::current().runtime_flavor() == tokio::runtime::RuntimeFlavor::CurrentThread {
            let calls: Vec<_> = (2..50).map(|n| stub.note(n)).collect();
            assert_eq!(log.read(), [1]);
            for call in calls {
                call.await.unwrap();
            }
        }
    }

    async fn cancelled_turn_of_a_serial_target_is_passed_on(transport: Transport) {
        let main = Serial::default();
        let (log, go, entered) = (main.log.clone(), Arc::clone(&main.go), Arc::clone(&main.entered));
        let (stub, _link) = open(transport, main).await;
        let blocking = stub.block();
        let calls: Vec<_> = (0..5).map(|n| stub.slow(n)).collect();
        entered.notified().await;
        // What waits for its turn, and what has it.
        let mut kept = Vec::new();
        for (n, call) in calls.into_iter().enumerate() {
            if n % 2 == 0 {
                drop(call);
            } else {
                kept.push(call);
            }
        }
        drop(blocking);
        for call in kept {
            call.await.unwrap();
        }
        assert_eq!(stub.quick(9).await.unwrap(), 9);
        assert_eq!(log.read(), [1, 3, 9]);
        go.notify_one();
    }

    async fn call_with_an_unsettled_argument_holds_up_nothing(transport: Transport) {
        let main = Shared::default();
        let log = main.log.clone();
        let (stub, _link) = open(transport, main).await;
        let seven = stub.wait_for_go();
        let uses = stub.note(&seven);
        let go = stub.go();
        assert_eq!(uses.await.unwrap(), 7);
        go.await.unwrap();
        assert_eq!(log.read(), [1, 7]);
        assert_eq!(seven.await.unwrap(), 7);
    }

    async fn spawned_method_is_delivered_in_its_turn(transport: Transport) {
        let main = Shared::default();
        let log = main.log.clone();
        let (stub, _link) = open(transport, main).await;
        let (a, b) = (stub.spawned(1), stub.note(2));
        assert_eq!((a.await.unwrap(), b.await.unwrap()), (1, 2));
        let mut ran = log.read();
        ran.sort_unstable();
        assert_eq!(ran, [1, 2]);
    }

    async fn r131_stub_that_came_home_does_not_overtake(transport: Transport) {
        let main = Shared::default();
        let go = Arc::clone(&main.go);
        let (stub, _link) = open(transport, main).await;
        for round in 0..20 {
            let own = Shared::default();
            let log = own.log.clone();
            let mine: SharedStub = own.into_stub();
            let promise = if round % 2 == 0 { stub.echo(&mine) } else { stub.echo_later(&mine) };
            let early: Vec<_> = (0..10).map(|n| promise.note(n)).collect();
            let kept = promise.clone();
            if round % 2 == 1 {
                go.notify_one();
            }
            let home = promise.await.unwrap();
            let late = (home.note(10), kept.note(11), home.note(12));
            for call in early {
                call.await.unwrap();
            }
            assert_eq!((late.0.await.unwrap(), late.1.await.unwrap(), late.2.await.unwrap()), (10, 11, 12));
            assert_eq!(log.read(), (0..13).collect::<Vec<_>>());
        }
    }
}

behaviours! { wire
    async fn r278_small_call_waits_for_the_large_one_before_it(transport: Transport) {
        let main = Shared::default();
        let log = main.log.clone();
        let delay = Duration::from_millis(1);
        let (stub, _link) = open_with(transport, delay, farcall::Limits::default(), main).await;
        let payload = vec![1; 4 * 1024 * 1024];
        let put = stub.note_large(1, payload);
        let commit = stub.note(2);
        assert_eq!(commit.await.unwrap(), 2);
        assert_eq!(put.await.unwrap(), 4 * 1024 * 1024);
        assert_eq!(log.read(), [1, 2]);
    }
}
