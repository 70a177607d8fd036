//! [`CallContext`]: what a call carries beside its arguments: how deep it is, until when its result is wanted, what it
//! is traced as, and a few texts that travel along.
//!
//! A call takes over the context of where it is made: of the method that runs there, or of the scope that was opened.
//! It needs no argument for that, and a call without any pays nothing.

mod alarm;
mod baggage;
mod current;
mod metadata;
mod spans;
mod trace;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use alarm::{Alarm, Ticket};
#[doc(hidden)]
pub use alarm::{Timer, set_timer};
use baggage::Baggage;
pub use baggage::METADATA_BYTES;
pub(crate) use current::{enter, is_outside, is_within, outgoing, within};
pub(crate) use spans::{CallSpan, handed_over, is_traced};
pub use trace::TraceContext;

use crate::error::{Error, ErrorKind};

/// Over how many connections calls may lead, one made for the other: a circle of services that call each other ends
/// here. Calls within a process do not count. Row 242.
pub const CALL_DEPTH: u8 = 64;

/// What a call carries beside its arguments. A method reads that of its own call with [`current`](Self::current); each
/// call that it makes takes it over.
///
/// ```
/// # use farcall_core as farcall;
/// use std::time::Duration;
/// use farcall::context::CallContext;
///
/// # async fn example() -> Result<(), farcall::error::Error> {
/// let context = CallContext::current().with_deadline(Duration::from_millis(200)).with_baggage("tenant", "blue")?;
/// context.scope(async { /* each call made here, and below, has 200 ms in all */ }).await;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    /// How many calls over connections are above what runs.
    depth: u8,
    inner: Option<Arc<Inner>>,
}

#[derive(Clone, Debug, Default)]
struct Inner {
    alarm: Option<Arc<Alarm>>,
    trace: Option<TraceContext>,
    baggage: Baggage,
    /// Of the method that runs in it: entered with the context, and not sent with calls.
    span: Option<tracing::Span>,
}

impl CallContext {
    /// The context of what runs here: of the method, or of the innermost scope in it. Outside of both it is empty.
    ///
    /// A task that is spawned is outside, until it is given a context by [`scope`](Self::scope).
    #[must_use]
    pub fn current() -> Self {
        current::current()
    }

    /// How many calls over connections are above what runs: 1 in a method that a client called.
    #[must_use]
    pub fn depth(&self) -> usize {
        usize::from(self.depth)
    }

    /// When the results of calls made here stop being wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.alarm().map(|alarm| alarm.at())
    }

    /// How long it is until then; zero if it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.alarm().map(|alarm| alarm.remaining())
    }

    /// The trace that calls made here belong to.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.inner.as_ref()?.trace.as_ref()
    }

    /// A text that travels along, by its key.
    #[must_use]
    pub fn baggage(&self, key: &str) -> Option<&str> {
        self.inner.as_ref()?.baggage.get(key)
    }

    /// All texts that travel along, with their keys, in the order in which they were added.
    pub fn baggage_entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner.iter().flat_map(|inner| inner.baggage.entries())
    }

    /// The same with a deadline so far from now, or the earlier one that there is. Calls fail with
    /// [`ErrorKind::DeadlineExceeded`] when it passes, and what runs for them is dropped.
    #[must_use]
    pub fn with_deadline(self, budget: Duration) -> Self {
        let Some(alarm) = Alarm::after(budget) else { return self };
        if self.alarm().is_some_and(|earlier| earlier.at() <= alarm.at()) {
            return self;
        }
        self.change(|inner| inner.alarm = Some(Arc::new(alarm)))
    }

    /// The same for work that goes on when the call is over: without its deadline, and without the span of its method.
    /// Trace and texts stay.
    #[must_use]
    pub fn without_deadline(self) -> Self {
        if self.inner.is_none() {
            return self;
        }
        self.change(|inner| {
            inner.alarm = None;
            inner.span = None;
        })
    }

    /// The same as a part of a trace.
    #[must_use]
    pub fn with_trace(self, trace: TraceContext) -> Self {
        self.change(|inner| inner.trace = Some(trace))
    }

    /// The same with a text that travels along, instead of the one with this key if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] if all that travels along would be longer than [`METADATA_BYTES`].
    pub fn with_baggage(self, key: &str, value: &str) -> Result<Self, Error> {
        let mut baggage = self.inner.as_ref().map(|inner| inner.baggage.clone()).unwrap_or_default();
        baggage.put(key, value)?;
        Ok(self.change(|inner| inner.baggage = baggage))
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(self.inner.get_or_insert_default()));
        self
    }

    /// Runs a future in this context: each call that it makes takes it over.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(move |cx| {
            let _within = enter(&self);
            work.as_mut().poll(cx)
        })
        .await
    }

    pub(crate) fn alarm(&self) -> Option<&Arc<Alarm>> {
        self.inner.as_ref()?.alarm.as_ref()
    }

    /// The empty one.
    pub(crate) const NONE: Self = Self { depth: 0, inner: None };
    /// Of a method that a peer called with nothing beside its arguments.
    pub(crate) const CALLED: Self = Self { depth: 1, inner: None };

    /// Whether a call that is made in this context needs nothing beside its arguments.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.depth == 0 && self.inner.is_none()
    }

    /// Whether a call that is made in this context may go over a connection.
    pub(crate) fn check_depth(&self) -> Result<(), Error> {
        if self.depth < CALL_DEPTH { Ok(()) } else { Err(too_deep(self.depth)) }
    }

    /// Why a method is not to be started in this context any more: its caller waits no longer.
    pub(crate) fn over(&self, method: &str) -> Option<Error> {
        let alarm = self.alarm()?;
        alarm.has_passed().then(|| alarm.exceeded(method).did_not_run())
    }
}

/// Runs a future whose calls, and those made for them, have so long together: the results of those that take longer are
/// [`ErrorKind::DeadlineExceeded`], and what runs for them is dropped. A scope in another keeps the earlier deadline.
///
/// It is the calls that fail, as soon as it passes; what else the future does goes on.
///
/// ```
/// # use farcall_core as farcall;
/// use std::time::Duration;
/// use farcall::function::RpcFn;
///
/// # async fn example(lookup: RpcFn<fn(String) -> u64>) {
/// let found = farcall::context::deadline(Duration::from_millis(200), async { lookup.call("ada".to_owned()).await }).await;
/// # }
/// ```
pub async fn deadline<F: Future>(budget: Duration, work: F) -> F::Output {
    CallContext::current().with_deadline(budget).scope(work).await
}

/// The error for a call that would be too deep.
#[cold]
fn too_deep(depth: u8) -> Error {
    let text = format!(
        "the call is the end of {depth} over as many connections; the limit `call_depth` is {CALL_DEPTH}. Do services call each other in a circle?"
    );
    Error::new(ErrorKind::Limit, text).did_not_run()
}

#[cfg(test)]
mod tests;
