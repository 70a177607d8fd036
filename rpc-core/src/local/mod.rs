//! Calls that stay in this process: typed arguments move, nothing is encoded unless it has to be (R9, R20).

mod chain;
mod gather;
mod mailbox;
mod slot;

use std::sync::{Arc, OnceLock};

pub(crate) use gather::Gather;
pub(crate) use mailbox::{Entry, Mailbox, is_running, push};
pub(crate) use slot::{LocalHandle, LocalPolled, LocalSlot, Parked, Runner, knot, leads_to};

use crate::bell::Ringer;
use crate::dispatch::Target;
use crate::invocation::Invocation;
use crate::weak::Look;

/// The stubs of this process on a target, and the exports of it. The target is dropped after the last is gone,
/// never inside the releasing call (row 151).
pub(crate) struct LocalRef {
    target: Option<Arc<dyn Target>>,
    /// Those who wait, without holding a stub, for the last to go.
    watched: OnceLock<Ringer>,
    /// What the stub came out of, which lasts as long as there is one. Boxed, because hardly any stub has it.
    within: Option<Box<Within>>,
}

/// The invocations that a stub came out of, one through the other.
struct Within(Vec<Arc<dyn Invocation>>);

/// Invocations that one stub keeps. A stub that was handed on more often keeps the first of them.
const MOST_WITHIN: usize = 16;

impl LocalRef {
    pub(crate) fn new(target: Arc<dyn Target>) -> Arc<Self> {
        Arc::new(Self { target: Some(target), watched: OnceLock::new(), within: None })
    }

    /// Has an invocation last as long as the reference: this one, if it is the only one, else another to the same target.
    pub(crate) fn hold(this: &mut Arc<Self>, invocation: &Arc<dyn Invocation>) {
        if Arc::get_mut(this).is_none() {
            let within = this.within.as_ref().map(|within| Box::new(Within(within.0.clone())));
            let target = Some(Arc::clone(this.target()));
            *this = Arc::new(Self { target, watched: OnceLock::new(), within });
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

    /// How to wait for the last stub on the target to go: they never break.
    pub(crate) fn look(&self) -> Look {
        Look::Waits(vec![self.watched.get_or_init(Ringer::default).hearing()])
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
            target.retire();
        }
    }
}
