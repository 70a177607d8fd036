//! Serial targets that are called from what their own methods wait for.

use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use tokio::sync::{Notify, Semaphore};

use crate::kit::capture::Capture;
use crate::kit::{Transport, behaviours, open, until};

type Callback = RpcFn<fn(i64) -> i64>;

/// Its methods run one after another.
pub struct Hub {
    value: i64,
    gate: Arc<Semaphore>,
    started: Arc<Notify>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { value: 0, gate: Arc::new(Semaphore::new(0)), started: Arc::default() }
    }
}

#[rpc_target]
impl Hub {
    pub fn add(&mut self, n: i64) -> i64 {
        self.value += n;
        self.value
    }

    /// Holds the hub until the callback has answered.
    pub async fn ask(&mut self, callback: Callback) -> Result<i64, Error> {
        self.value += callback.call(self.value).await?;
        Ok(self.value)
    }

    /// Asks two at once.
    pub async fn ask_both(&mut self, one: Callback, other: Callback) -> (bool, bool) {
        let (one, other) = tokio::join!(one.call(1), other.call(2));
        (one.is_ok(), other.is_ok())
    }

    /// Calls the hub that it is given, which may be itself, and waits for the answer.
    pub async fn add_to(&mut self, hub: HubStub, n: i64) -> Result<i64, Error> {
        hub.add(n).await
    }

    /// The same, without waiting.
    pub async fn add_later(&mut self, hub: HubStub, n: i64) -> i64 {
        Promise::detach(hub.add(n));
        tokio::task::yield_now().await;
        self.value
    }

    pub async fn hold(&mut self) {
        self.started.notify_one();
        let _permit = self.gate.acquire().await;
    }
}

/// Passes calls on, without holding anything.
pub struct Relay;

#[rpc_target]
impl Relay {
    pub async fn add(&self, hub: HubStub, n: i64) -> Result<i64, Error> {
        tokio::task::yield_now().await;
        hub.add(n).await
    }
}

fn assert_deadlock(error: &Error) {
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Deadlock, false), "{error}");
    assert!(error.message().contains("holds a `Hub`"), "{error}");
}

/// A callback that calls the hub, and waits.
fn calls_back(hub: &HubStub, outcome: Arc<Mutex<Option<Error>>>) -> Callback {
    let hub = hub.clone();
    RpcFn::new_async(move |n: i64| {
        let (hub, outcome) = (hub.clone(), Arc::clone(&outcome));
        async move {
            match hub.add(n + 1).await {
                Ok(value) => value,
                Err(error) => {
                    outcome.lock().unwrap().replace(error);
                    -1
                }
            }
        }
    })
}

/// In one process, whoever closes the circle is told.
mod in_one_process {
    use super::*;

    fn hub() -> HubStub {
        Hub::default().into_stub()
    }

    async fn calls_itself() {
        let hub = hub();
        let Err(CallError::User(error)) = hub.add_to(&hub, 1).await else { panic!("it waits for itself") };
        assert_deadlock(&error);
        // The call that was refused did not run, and the hub goes on.
        assert_eq!(hub.add(5).await.unwrap(), 5);
    }

    async fn calls_itself_by_way_of_others() {
        let (hub, outcome) = (hub(), Arc::default());
        let asked = hub.ask(calls_back(&hub, Arc::clone(&outcome))).await;
        match asked {
            Ok(value) => {
                assert_eq!(value, -1);
                assert_deadlock(outcome.lock().unwrap().as_ref().unwrap());
            }
            Err(CallError::User(error)) => assert_deadlock(&error),
            Err(other) => panic!("{other}"),
        }
        let (relay, other): (RelayStub, HubStub) = (Relay.into_stub(), Hub::default().into_stub());
        let through = hub.clone();
        let callback = RpcFn::new_async(move |n: i64| {
            let (relay, hub) = (relay.clone(), through.clone());
            async move { relay.add(hub, n).await.unwrap_or(-7) }
        });
        // Three methods on the way.
        let value = hub.ask(callback).await;
        let told = match &value {
            Ok(_) => true,
            Err(CallError::User(error)) => error.kind() == ErrorKind::Deadlock,
            Err(_) => false,
        };
        assert!(told, "{value:?}");
        assert_eq!(other.add_to(&hub, 0).await.unwrap(), hub.add(0).await.unwrap());
    }

    async fn two_hold_each_other() {
        let (a, b) = (hub(), hub());
        let (outcome_a, outcome_b) = (Arc::default(), Arc::default());
        let both =
            (a.ask(calls_back(&b, Arc::clone(&outcome_a))), b.ask(calls_back(&a, Arc::clone(&outcome_b))));
        let both = tokio::join!(both.0, both.1);
        let told = |outcome: &Arc<Mutex<Option<Error>>>, asked: &Result<i64, CallError<Error>>| {
            let by_outcome =
                outcome.lock().unwrap().as_ref().is_some_and(|error| error.kind() == ErrorKind::Deadlock);
            by_outcome || matches!(asked, Err(CallError::User(error)) if error.kind() == ErrorKind::Deadlock)
        };
        // One of the two makes way. With luck neither had to wait for the other.
        let made_way = told(&outcome_a, &both.0) || told(&outcome_b, &both.1);
        assert!(made_way || (both.0.is_ok() && both.1.is_ok()), "{both:?}");
        a.add(1).await.unwrap();
        b.add(1).await.unwrap();
    }

    async fn waits_for_several_at_once() {
        let (hub, outcome) = (hub(), Arc::default());
        let good = RpcFn::new(|n: i64| n);
        let answers = hub.ask_both(good, calls_back(&hub, outcome)).await.unwrap();
        assert!(answers.0, "the other is not touched");
    }

    async fn does_not_wait() {
        let hub = hub();
        assert_eq!(hub.add_later(&hub, 5).await.unwrap(), 0);
        assert_eq!(hub.add(1).await.unwrap(), 6);
    }

    async fn waits_for_its_turn_only() {
        let target = Hub::default();
        let (gate, started) = (Arc::clone(&target.gate), Arc::clone(&target.started));
        let (hub, other): (HubStub, HubStub) = (target.into_stub(), hub());
        let held = hub.hold();
        started.notified().await;
        // A method of another waits for the hub, which waits for nobody: that is no circle.
        let added = other.add_to(&hub, 3);
        let relayed = other.ask(calls_back(&hub, Arc::default()));
        tokio::task::yield_now().await;
        gate.add_permits(1);
        held.await.unwrap();
        assert_eq!(added.await.unwrap(), 3);
        assert_eq!(relayed.await.unwrap(), 4);
    }

    macro_rules! both_runtimes {
        ($($name:ident: $behaviour:ident;)*) => {$(
            mod $name {
                #[tokio::test]
                async fn one_thread() {
                    crate::kit::in_time(super::$behaviour()).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn threads() {
                    for _ in 0..50 {
                        crate::kit::in_time(super::$behaviour()).await;
                    }
                }
            }
        )*};
    }

    both_runtimes! {
        r88_serial_method_that_awaits_itself_is_told: calls_itself;
        r88_serial_method_that_awaits_itself_through_others_is_told: calls_itself_by_way_of_others;
        r88_serial_methods_that_await_each_other_are_told: two_hold_each_other;
        r88_serial_method_that_awaits_several_is_told: waits_for_several_at_once;
        r88_serial_method_may_call_itself_without_awaiting: does_not_wait;
        r88_serial_method_may_await_one_that_is_busy: waits_for_its_turn_only;
    }
}

/// Over a connection nobody knows what the peer waits for: it is logged.
#[tokio::test]
async fn r88_serial_method_that_awaits_its_caller_is_logged() {
    let capture = Capture::default();
    // With a single subscriber, a thread that has none may decide for all that nobody listens to an event.
    let _other = tracing::Dispatch::new(Capture::default());
    let _guard = tracing::subscriber::set_default(capture.clone());
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        capture.clear();
        let (hub, link) = open(transport, Hub::default()).await;
        let asked = hub.ask(calls_back(&hub, Arc::default()));
        let asked = tokio::spawn(asked.into_future());
        until(|| capture.warnings().iter().any(|line| line.contains("wait for itself"))).await;
        let lines = capture.warnings();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(line.starts_with("WARN") && line.contains("Hub") && line.contains("\"ask\""), "{line}");
        assert!(line.contains("waits=\"add\""), "{line}");
        // Giving up frees the hub.
        asked.abort();
        assert_eq!(hub.add(0).await.unwrap(), 1, "the callback's call went through");
        link.server_holds(0).await;
    }
}

/// What only looks like it is not logged.
#[tokio::test]
async fn r88_serial_method_that_others_wait_for_is_not_logged() {
    let capture = Capture::default();
    let _other = tracing::Dispatch::new(Capture::default());
    let _guard = tracing::subscriber::set_default(capture.clone());
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let target = Hub::default();
        let (gate, started) = (Arc::clone(&target.gate), Arc::clone(&target.started));
        let (hub, _link) = open(transport, target).await;
        let held = hub.hold();
        started.notified().await;
        let waiting: Vec<_> = (0..10).map(|_| hub.add(1)).collect();
        tokio::task::yield_now().await;
        gate.add_permits(1);
        held.await.unwrap();
        for call in waiting {
            call.await.unwrap();
        }
    }
    assert!(
        !capture.warnings().iter().any(|line| line.contains("wait for itself")),
        "{:?}",
        capture.warnings()
    );
}

/// Waits for an answer without being a future.
pub struct Impatient;

fn block_on<T>(future: impl IntoFuture<Output = T>) -> T {
    let mut future = std::pin::pin!(future.into_future());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..1000 {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("it has not come within a second")
}

#[rpc_target]
impl Impatient {
    pub fn ask(&self, callback: Callback) -> Result<i64, Error> {
        block_on(callback.call(1))
    }

    #[rpc(spawn)]
    pub fn ask_elsewhere(&self, callback: Callback) -> Result<i64, Error> {
        tokio::task::block_in_place(|| block_on(callback.call(1)))
    }

    pub async fn ask_politely(&self, callback: Callback) -> Result<i64, Error> {
        callback.call(1).await
    }
}

#[cfg(debug_assertions)]
behaviours! { wire
    async fn synchronous_method_that_blocks_on_its_own_connection_is_told(transport: Transport) {
        let (stub, _link) = open(transport, Impatient).await;
        let Err(CallError::User(error)) = stub.ask(|n: i64| n).await else { panic!("it cannot be answered") };
        assert_eq!(error.kind(), ErrorKind::Deadlock, "{error}");
        assert!(error.message().contains("`#[rpc(spawn)]`"), "{error}");
        assert_eq!(stub.ask_politely(|n: i64| n + 1).await.unwrap(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn spawned_method_may_block() {
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let (stub, _link) = open(transport, Impatient).await;
        assert_eq!(stub.ask_elsewhere(|n: i64| n + 1).await.unwrap(), 2);
    }
}
