//! Deadlines and what else travels with a call: rows 242, 261, 262 and 283.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use farcall::context::{CALL_DEPTH, CallContext, TraceContext};
use farcall::prelude::*;
use tokio::sync::Notify;

use crate::kit::{Transport, behaviours, open, until};

/// Shorter than a test takes that waits for it.
const SOON: Duration = Duration::from_millis(30);
/// Longer than a test may take.
const LONG: Duration = Duration::from_secs(600);

#[derive(Clone, Default)]
pub struct Main {
    started: Arc<Notify>,
    /// Methods that wait.
    waiting: Arc<AtomicUsize>,
    /// Methods that ran to their end.
    ended: Arc<AtomicUsize>,
}

/// Counts a method that waits, as long as its future is there.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

tokio::task_local! {
    static LOCAL: u64;
}

/// What a method sees of its context.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, RpcValue)]
pub struct Seen {
    depth: u64,
    remaining_ms: Option<u64>,
    trace: Option<String>,
    baggage: Vec<(String, String)>,
}

fn look() -> Seen {
    let context = CallContext::current();
    Seen {
        depth: context.depth() as u64,
        remaining_ms: context.remaining().map(|left| left.as_millis() as u64),
        trace: context.trace().map(ToString::to_string),
        baggage: context.baggage_entries().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

#[rpc_target]
impl Main {
    pub fn look(&self) -> Seen {
        look()
    }

    pub async fn look_later(&self) -> Seen {
        tokio::task::yield_now().await;
        look()
    }

    /// What a task-local of the caller is here.
    pub async fn local(&self) -> Option<u64> {
        tokio::task::yield_now().await;
        LOCAL.try_with(|local| *local).ok()
    }

    /// Looks from a call inside this one.
    pub async fn look_through(&self, other: MainStub) -> Seen {
        other.look().await.unwrap()
    }

    /// Has the function look.
    pub async fn look_back(&self, look: RpcFn<fn() -> Seen>) -> Seen {
        look.call().await.unwrap()
    }

    pub fn child(&self) -> Self {
        self.clone()
    }

    pub async fn child_never(&self) -> Self {
        std::future::pending().await
    }

    /// Waits for ever.
    pub async fn wait(&self) -> i64 {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(Arc::clone(&self.waiting));
        self.started.notify_one();
        std::future::pending::<()>().await;
        self.ended.fetch_add(1, Ordering::SeqCst);
        7
    }

    /// Waits until it is told to end.
    pub async fn held(&self) {
        self.started.notified().await;
    }

    /// Waits for another that waits for ever, and says what came of it.
    pub async fn wait_through(&self, other: MainStub) -> String {
        let _waiting = Waiting(Arc::clone(&self.waiting));
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let error = other.wait().await.unwrap_err();
        self.ended.fetch_add(1, Ordering::SeqCst);
        error.to_string()
    }

    /// Calls the other with this one, and so on.
    pub async fn circle(&self, own: MainStub, other: MainStub) -> u64 {
        match other.circle(&other, &own).await {
            Ok(depth) => depth,
            Err(error) => {
                assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Limit, false), "{error}");
                assert!(error.message().contains("`call_depth` is 64"), "{error}");
                CallContext::current().depth() as u64
            }
        }
    }
}

/// Caller or callee: which of the two is first to notice is open, and both say the same.
fn assert_exceeded(result: Result<String, Error>) {
    match result {
        Ok(text) => assert!(text.contains("did not end within its deadline"), "{text}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::DeadlineExceeded),
    }
}

/// A target that does one thing after another.
#[derive(Default)]
pub struct Serial(Arc<AtomicUsize>);

#[rpc_target]
impl Serial {
    pub async fn hold(&mut self, main: MainStub) {
        main.held().await.unwrap();
    }

    pub fn count(&mut self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) as u64
    }
}

behaviours! {
    async fn r283_deadline_ends_the_call_at_both_sides(transport: Transport) {
        let main = Main::default();
        let (stub, _link) = open(transport, main.clone()).await;
        let error = farcall::deadline(SOON, async { stub.wait().await }).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::DeadlineExceeded, true));
        assert!(error.message().contains("`wait` did not end within its deadline of 30ms"), "{error}");
        // What ran for it is dropped.
        until(|| main.waiting.load(Ordering::SeqCst) == 0).await;
        assert_eq!(main.ended.load(Ordering::SeqCst), 0);
        // Other calls are as they were.
        assert_eq!(stub.look().await.unwrap().remaining_ms, None);
    }

    async fn deadline_that_is_not_reached_changes_nothing(transport: Transport) {
        let (stub, _link) = open(transport, Main::default()).await;
        let seen = farcall::deadline(LONG, async { stub.look_later().await.unwrap() }).await;
        let left = seen.remaining_ms.unwrap();
        assert!((500_000..=600_000).contains(&left), "{left}");
    }

    async fn deadline_of_a_promise_is_only_for_who_waits(transport: Transport) {
        let main = Main::default();
        let (stub, _link) = open(transport, main.clone()).await;
        let error = Promise::with_deadline(stub.wait(), SOON).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
        until(|| main.waiting.load(Ordering::SeqCst) == 0).await;
        let seen = Promise::with_deadline(stub.look(), LONG).await.unwrap();
        assert_eq!(seen.remaining_ms, None);
    }

    async fn call_after_the_deadline_is_not_made(transport: Transport) {
        let main = Main::default();
        let (stub, _link) = open(transport, main.clone()).await;
        let (first, second) = farcall::deadline(SOON, async {
            let first = stub.wait().await.unwrap_err();
            (first, stub.look().await.unwrap_err())
        })
        .await;
        assert_eq!(first.kind(), ErrorKind::DeadlineExceeded);
        assert_eq!((second.kind(), second.may_have_run()), (ErrorKind::DeadlineExceeded, false));
        let none = farcall::deadline(Duration::ZERO, async { stub.look().await.unwrap_err() }).await;
        assert_eq!((none.kind(), none.may_have_run()), (ErrorKind::DeadlineExceeded, false));
    }

    async fn calls_below_have_what_is_left(transport: Transport) {
        let main = Main::default();
        let (stub, _link) = open(transport, main.clone()).await;
        let own: MainStub = Main::default().into_stub();
        // A stub that came home needs no connection.
        let wire = u64::from(transport.has_wire());
        for (other, depth) in [(stub.clone(), wire), (own, 2 * wire)] {
            let seen = farcall::deadline(LONG, async { stub.look_through(&other).await.unwrap() }).await;
            assert_eq!(seen.depth, depth);
            assert!(seen.remaining_ms.unwrap() > 500_000, "{seen:?}");
            // Without one there is nothing but the depth.
            let seen = stub.look_through(&other).await.unwrap();
            assert_eq!((seen.depth, seen.remaining_ms), (depth, None));
        }
        let back = farcall::deadline(LONG, async { stub.look_back(look).await.unwrap() }).await;
        assert_eq!(back.depth, 2 * wire);
        assert!(back.remaining_ms.is_some());
    }

    async fn deadline_ends_the_whole_tree(transport: Transport) {
        let main = Main::default();
        let own = Main::default();
        let (stub, _link) = open(transport, main.clone()).await;
        let own_stub: MainStub = own.clone().into_stub();
        let calls = async { tokio::join!(stub.wait_through(&own_stub), stub.wait_through(stub.clone())) };
        let (one, two) = farcall::deadline(SOON, calls).await;
        for result in [one, two] {
            assert_exceeded(result);
        }
        until(|| main.waiting.load(Ordering::SeqCst) == 0 && own.waiting.load(Ordering::SeqCst) == 0).await;
    }

    async fn deadline_is_for_chains_and_arguments(transport: Transport) {
        let (stub, _link) = open(transport, Main::default()).await;
        let error = farcall::deadline(SOON, async { stub.child_never().look().await.unwrap_err() }).await;
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
        let result = farcall::deadline(SOON, async {
            let never = stub.child_never();
            stub.wait_through(&never).await
        });
        assert_exceeded(result.await);
    }

    async fn call_whose_turn_comes_too_late_does_not_run(transport: Transport) {
        let ran = Arc::new(AtomicUsize::new(0));
        let (stub, _link) = open(transport, Serial(Arc::clone(&ran))).await;
        let own = Main::default();
        let holding = stub.hold(own.clone());
        let late = farcall::deadline(SOON, async { stub.count().await.unwrap_err() }).await;
        assert_eq!(late.kind(), ErrorKind::DeadlineExceeded);
        own.started.notify_one();
        holding.await.unwrap();
        assert_eq!(stub.count().await.unwrap(), 0);
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    }

    async fn r263_task_locals_stay_on_their_side(transport: Transport) {
        let (stub, _link) = open(transport, Main::default()).await;
        LOCAL.scope(7, async { assert_eq!(stub.local().await.unwrap(), None) }).await;
        // A task that is spawned is outside of the scope, until it is given its context.
        let seen = farcall::deadline(LONG, async {
            let context = CallContext::current();
            let (bare, given) = (stub.clone(), stub.clone());
            let bare = tokio::spawn(async move { bare.look().await.unwrap() });
            let given = tokio::spawn(context.scope(async move { given.look().await.unwrap() }));
            (bare.await.unwrap(), given.await.unwrap())
        })
        .await;
        assert_eq!((seen.0.remaining_ms.is_some(), seen.1.remaining_ms.is_some()), (false, true));
    }

    async fn r262_baggage_and_trace_travel_along(transport: Transport) {
        let (stub, _link) = open(transport, Main::default()).await;
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = CallContext::current()
            .with_trace(TraceContext::parse(parent).unwrap().with_state("a=1"))
            .with_baggage("tenant", "blue")
            .unwrap();
        let seen = context.clone().scope(async { stub.look_through(stub.clone()).await.unwrap() }).await;
        assert_eq!(seen.baggage, [("tenant".to_owned(), "blue".to_owned())]);
        assert_eq!(seen.trace.as_deref(), Some(parent));
        // A promise that is awaited outside was called inside.
        let promise = {
            let stub = stub.clone();
            context.scope(async move { stub.look() }).await
        };
        assert_eq!(promise.await.unwrap().baggage.len(), 1);
        assert_eq!(stub.look().await.unwrap().baggage, []);
    }

}

behaviours! { wire
    async fn r242_circle_of_calls_ends(transport: Transport) {
        let (stub, _link) = open(transport, Main::default()).await;
        let own: MainStub = Main::default().into_stub();
        assert_eq!(stub.circle(stub.clone(), &own).await.unwrap(), u64::from(CALL_DEPTH));
    }
}
