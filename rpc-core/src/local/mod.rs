//! Calls that stay in this process: typed arguments move, nothing is encoded unless it has to be (R9, R20).

mod gather;
mod mailbox;
mod slot;

use std::sync::Arc;

pub(crate) use gather::Gather;
pub(crate) use mailbox::{Entry, Mailbox, push};
pub(crate) use slot::{LocalHandle, LocalPolled, LocalSlot, Parked};

use crate::dispatch::Target;
use crate::invocation::Invocation;
use crate::spawn::drop_later;

/// The stubs of this process on a target, and the exports of it. The target is dropped after the last is gone,
/// never inside the releasing call (row 151).
pub(crate) struct LocalRef {
    target: Option<Arc<dyn Target>>,
    /// What the stub came out of, which lasts as long as there is one. Boxed, because hardly any stub has it.
    within: Option<Box<Within>>,
}

/// The invocations that a stub came out of, one through the other.
struct Within(Vec<Arc<dyn Invocation>>);

/// Invocations that one stub keeps. A stub that was handed on more often keeps the first of them.
const MOST_WITHIN: usize = 16;

impl LocalRef {
    pub(crate) fn new(target: Arc<dyn Target>) -> Arc<Self> {
        Arc::new(Self { target: Some(target), within: None })
    }

    /// Has an invocation last as long as the reference: this one, if it is the only one, else another to the same target.
    pub(crate) fn hold(this: &mut Arc<Self>, invocation: &Arc<dyn Invocation>) {
        if Arc::get_mut(this).is_none() {
            let within = this.within.as_ref().map(|within| Box::new(Within(within.0.clone())));
            *this = Arc::new(Self { target: Some(Arc::clone(this.target())), within });
        }
        let Some(own) = Arc::get_mut(this) else { return };
        let Within(invocations) =
            &mut **own.within.get_or_insert_with(|| Box::new(Within(Vec::with_capacity(1))));
        if invocations.len() < MOST_WITHIN {
            invocations.push(Arc::clone(invocation));
        }
    }

    /// The target, if this is the only reference: its end is then its holder's business.
    pub(crate) fn into_target(this: Arc<Self>) -> Option<Arc<dyn Target>> {
        Arc::into_inner(this)?.target.take()
    }

    #[expect(clippy::expect_used, reason = "only `drop` takes the target")]
    pub(crate) fn target(&self) -> &Arc<dyn Target> {
        self.target.as_ref().expect("the target is there until the reference goes")
    }
}

impl std::fmt::Debug for LocalRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "local {}", self.target().interface().name)
    }
}

impl Drop for LocalRef {
    fn drop(&mut self) {
        if let Some(target) = self.target.take() {
            drop_later(target.interface().name, target);
        }
    }
}
