//! Which context is current: kept for the thread while a method or a scope is polled on it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use tracing::Span;
use tracing::span::EnteredSpan;

use super::{CallContext, Inner};
use crate::error::Error;

/// Set in [`DEPTH`] if there is more than the depth.
const MORE: u8 = 0x80;

thread_local! {
    /// The depth of what runs on this thread. Most calls look at nothing else.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
    static CURRENT: RefCell<Option<Arc<Inner>>> = const { RefCell::new(None) };
}

/// Gives the context back that was current before, also if something panics.
pub(crate) struct Guard {
    depth: u8,
    /// Whether [`CURRENT`] was replaced, and what it was.
    before: Option<Option<Arc<Inner>>>,
    span: Option<EnteredSpan>,
}

/// Makes a context the current one.
#[inline]
pub(crate) fn enter(context: &CallContext) -> Guard {
    let more = if context.inner.is_some() { MORE } else { 0 };
    let depth = DEPTH.replace(context.depth | more);
    let before = if (depth | more) & MORE == 0 { None } else { Some(replace(context.inner.clone())) };
    let span = if more == 0 { None } else { context.span().cloned().map(Span::entered) };
    Guard { depth, before, span }
}

/// Does something in a context, which mostly is the current one.
#[inline]
pub(crate) fn within<R>(context: &CallContext, work: impl FnOnce() -> R) -> R {
    if context.inner.is_none() && DEPTH.get() == context.depth {
        return work();
    }
    let _within = enter(context);
    work()
}

#[cold]
fn replace(inner: Option<Arc<Inner>>) -> Option<Arc<Inner>> {
    // A thread that is ending has no context.
    CURRENT.try_with(|current| current.replace(inner)).ok().flatten()
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        drop(self.span.take());
        DEPTH.set(self.depth);
        if let Some(before) = self.before.take() {
            drop(replace(before));
        }
    }
}

/// Whether the current context is the empty one: calls take nothing over.
#[inline]
pub(crate) fn is_outside() -> bool {
    DEPTH.get() == 0
}

/// Whether there is more to the current context than its depth.
#[inline]
pub(crate) fn is_within() -> bool {
    DEPTH.get() & MORE != 0
}

pub(super) fn current() -> CallContext {
    let depth = DEPTH.get();
    let inner = if depth & MORE == 0 {
        None
    } else {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    };
    CallContext { depth: depth & !MORE, inner }
}

/// The context that a call which is made now takes over.
///
/// # Errors
/// It is not to be made: its deadline has passed.
pub(crate) fn outgoing(method: &str) -> Result<CallContext, Error> {
    let context = current();
    if let Some(error) = context.over(method) {
        return Err(error);
    }
    Ok(context)
}
