//! How long the context of a call lives: [`Life`], and [`Hold`], which everything has that keeps it alive.
//!
//! ```text
//! Running ──the method ended──► Returned ──the last stub and task is gone──► Ended(Done)
//!    └──────────────┬───────────────┴──────────────────────────────────────► Ended(Gone or Aborted)
//!                   the caller gave the call up, or its connection is over; `abort`
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use farcall_core::connection::Connection;
use farcall_core::error::{Error, ErrorKind};
use farcall_core::invocation::{Breaker, Invocation};
use tokio::sync::watch;

/// How the context of a call came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The method returned, and nothing that came of it is held or running any more.
    Done,
    /// The caller is gone: it gave the call up, or its connection is over.
    Gone(Error),
    /// The worker ended it.
    Aborted(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("the call is done"),
            Self::Gone(error) => write!(f, "the caller is gone: {error}"),
            Self::Aborted(reason) => write!(f, "the worker aborted: {reason}"),
        }
    }
}

/// Where a context stands.
#[derive(Clone, Debug)]
enum Phase {
    Running,
    Returned,
    Ended(End),
}

/// The life of a context.
pub(crate) struct Life {
    phase: watch::Sender<Phase>,
    pub(crate) breaker: Breaker,
    /// The method, while it waits.
    method: Mutex<Option<Waker>>,
}

impl Life {
    pub(crate) fn new() -> Arc<Self> {
        let phase = watch::Sender::new(Phase::Running);
        Arc::new(Self { phase, breaker: Breaker::new(), method: Mutex::new(None) })
    }

    fn end(&self, end: End) {
        self.phase.send_if_modified(|phase| {
            let live = !matches!(phase, Phase::Ended(_));
            if live {
                *phase = Phase::Ended(end);
            }
            live
        });
    }

    fn returned(&self) {
        self.phase.send_if_modified(|phase| {
            let running = matches!(phase, Phase::Running);
            if running {
                *phase = Phase::Returned;
            }
            running
        });
    }

    /// Ends the context and the method that runs in it.
    pub(crate) fn abort(&self, reason: String) {
        let text = format!("the worker aborted the call: {reason}");
        if !self.breaker.break_all(Error::new(ErrorKind::Cancelled, text)) {
            return;
        }
        self.end(End::Aborted(reason));
        let method = self.method.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = method {
            waker.wake();
        }
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.breaker.reason().is_some()
    }

    /// Waits until the method has ended, or the context has.
    pub(crate) async fn over(&self) {
        // The sender is here, so that there is a value to wait for.
        let _ = self.phase.subscribe().wait_for(|phase| !matches!(phase, Phase::Running)).await;
    }

    /// Waits until the context has ended.
    pub(crate) async fn ended(&self) -> End {
        let mut phase = self.phase.subscribe();
        match phase.wait_for(|phase| matches!(phase, Phase::Ended(_))).await {
            Ok(phase) => match &*phase {
                Phase::Ended(end) => end.clone(),
                Phase::Running | Phase::Returned => End::Done,
            },
            Err(_) => End::Done,
        }
    }
}

/// Keeps a context alive: the method that runs, the stubs of its result and its waiting tasks have it.
pub(crate) struct Hold {
    pub(crate) life: Arc<Life>,
    /// The caller's; its end is what lets go of what it held.
    pub(crate) connection: Option<Connection>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let lost = self.connection.as_ref().and_then(Connection::ended);
        self.life.end(lost.map_or(End::Done, End::Gone));
    }
}

impl Invocation for Hold {
    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Error> {
        let waker = cx.waker().clone();
        let old = self.life.method.lock().unwrap_or_else(PoisonError::into_inner).replace(waker);
        drop(old);
        match self.life.breaker.reason() {
            Some(error) => Poll::Ready(error.clone()),
            None => Poll::Pending,
        }
    }

    fn breaker(&self) -> &Breaker {
        &self.life.breaker
    }

    fn came_over(&self, connection: &Connection) -> bool {
        self.connection.as_ref().is_some_and(|own| own.is(connection))
    }

    fn returned(&self, by_itself: bool) {
        if by_itself {
            return self.life.returned();
        }
        let error = Error::new(ErrorKind::Cancelled, "the call was given up");
        self.life.end(End::Gone(error));
    }
}
