//! [`Ctx`]: what stands beside a call of an entrypoint.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use farcall_core::context::CallContext;
use farcall_core::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::caller::{Caller, Gone, gone};
use crate::exports::Exports;
use crate::life::{End, Hold, Life};
use crate::props::Props;
use crate::tasks::Tasks;

/// How long waiting tasks go on after their call, unless the host says otherwise.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// The context of one call of an entrypoint. Clones are the same context.
///
/// It lives until the method has ended, the stubs and functions of its result are released, and the tasks that it was
/// given have ended; or until the caller is gone (rows 155 and 156).
#[derive(Clone)]
pub struct Ctx(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) life: Arc<Life>,
    pub(crate) hold: Weak<Hold>,
    /// A context made by hand keeps itself.
    pub(crate) own_hold: Option<Arc<Hold>>,
    pub(crate) caller: Caller,
    pub(crate) gone: Gone,
    pub(crate) props: Props,
    pub(crate) tasks: Tasks,
    pub(crate) grace: Duration,
    pub(crate) exports: Exports,
}

impl Ctx {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// A context for unit tests, without a host: it ends with its last clone and task. Row 9.
    pub fn for_test() -> Self {
        Self::test(Caller::Test, Props::default())
    }

    /// The same, with props.
    ///
    /// # Errors
    /// The props are no JSON object.
    pub fn for_test_with_props<P: Serialize>(props: &P) -> Result<Self, Error> {
        Ok(Self::test(Caller::Test, Props::of(props)?))
    }

    fn test(caller: Caller, props: Props) -> Self {
        let life = Life::new();
        let hold = Arc::new(Hold { life: Arc::clone(&life), connection: None });
        let (gone, tasks, exports) = (None, Tasks::new(), Exports::none());
        let weak = Arc::downgrade(&hold);
        let own_hold = Some(hold);
        Self::new(Inner { life, hold: weak, own_hold, caller, gone, props, tasks, grace: GRACE, exports })
    }

    /// Lets work go on after the method has returned, also when the caller is gone: for the grace period of the host,
    /// after which it is dropped, with a log. What fails or panics is logged and stops nothing else. Rows 194 to 199.
    ///
    /// It runs at once, as a task of the current tokio runtime. What travels beside the call, such as its trace, goes with
    /// the calls that it makes; the deadline of the call does not.
    pub fn wait_until<F>(&self, work: F)
    where
        F: Future<Output: Waited> + Send + 'static,
    {
        let (life, gone_of) = (Arc::clone(&self.0.life), self.0.gone.clone());
        let (hold, counted, grace) = (self.0.hold.upgrade(), self.0.tasks.begin(), self.0.grace);
        // It belongs to the trace of its call, and not to its deadline.
        let within = CallContext::current().without_deadline();
        tokio::spawn(within.scope(async move {
            let held = (hold, counted);
            let late = async {
                tokio::select! {
                    () = life.over() => {}
                    _ = gone(gone_of) => {}
                }
                tokio::time::sleep(grace).await;
            };
            let aborted = async {
                match life.ended().await {
                    End::Aborted(reason) => reason,
                    End::Done | End::Gone(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ended = Caught(Some(Box::pin(work))) => match ended {
                    Ok(output) => output.log(),
                    Err(()) => tracing::error!("a waiting task panicked"),
                },
                reason = aborted => tracing::warn!(reason, "a waiting task was dropped: its context was aborted"),
                () = late => tracing::warn!(?grace, "a waiting task was dropped: its grace period is over"),
            }
            drop(held);
        }));
    }

    /// Ends the context: the method fails with this reason at its next wait, waiting tasks are dropped, and
    /// [`cancelled`](Self::cancelled) says so. The first reason stays.
    pub fn abort(&self, reason: impl Into<String>) {
        self.0.life.abort(reason.into());
    }

    /// Waits until the context ends, and says how. The future keeps nothing alive and may be moved into a task.
    pub fn cancelled(&self) -> impl Future<Output = End> + Send + 'static {
        let (life, gone_of) = (Arc::clone(&self.0.life), self.0.gone.clone());
        async move {
            tokio::select! {
                biased;
                end = life.ended() => end,
                reason = gone(gone_of) => End::Gone(reason),
            }
        }
    }

    /// What whoever configured the caller's binding said of it. No caller can set it. Rows 247 and 248.
    ///
    /// # Errors
    /// They are of another shape; declared by `#[entrypoint(props = …)]`, that is found when the host starts.
    pub fn props<P: DeserializeOwned>(&self) -> Result<P, Error> {
        self.0.props.read()
    }

    /// Who made the call.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// Bindings to the worker's own entrypoints. Row 249.
    pub fn exports(&self) -> &Exports {
        &self.0.exports
    }

    /// Waits until none of the tasks that wait in the same host are left: for tests.
    pub async fn tasks_ended(&self) {
        self.0.tasks.none().await;
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made_by_hand = self.0.own_hold.is_some();
        f.debug_struct("Ctx")
            .field("caller", &self.0.caller)
            .field("aborted", &self.0.life.is_aborted())
            .field("made_by_hand", &made_by_hand)
            .finish_non_exhaustive()
    }
}

/// What a waiting task may give: nothing, or a result whose error is logged.
pub trait Waited: Send {
    /// Logs what went wrong.
    fn log(self);
}

impl Waited for () {
    fn log(self) {}
}

impl<T: Send, E: fmt::Display + Send> Waited for Result<T, E> {
    fn log(self) {
        if let Err(error) = self {
            tracing::error!(%error, "a waiting task failed");
        }
    }
}

/// A future, a panic in which is caught. It is dropped as soon as it has ended.
struct Caught<F>(Option<Pin<Box<F>>>);

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, ()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(future) = &mut this.0 else { return Poll::Pending };
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(_) => Err(()),
        };
        let left = this.0.take();
        if std::panic::catch_unwind(AssertUnwindSafe(|| drop(left))).is_err() {
            tracing::error!("a waiting task panicked while it was dropped");
        }
        Poll::Ready(ended)
    }
}
