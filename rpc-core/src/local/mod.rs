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
use crate::fuse::Fuse;
use crate::weak::Look;

/// The stubs of this process on a target, and the exports of it. The target is dropped after the last is gone,
/// never inside the releasing call (row 151).
pub(crate) struct LocalRef {
    target: Option<Arc<dyn Target>>,
    /// Those who wait, without holding a stub, for the last to go.
    watched: OnceLock<Ringer>,
}

impl LocalRef {
    pub(crate) fn new(target: Arc<dyn Target>) -> Arc<Self> {
        Arc::new(Self { target: Some(target), watched: OnceLock::new() })
    }

    /// The target, if this is the only reference: its end is then its holder's business.
    pub(crate) fn into_target(this: Arc<Self>) -> Option<Arc<dyn Target>> {
        Arc::into_inner(this)?.target.take()
    }

    #[expect(clippy::expect_used, reason = "only `drop` takes the target")]
    pub(crate) fn target(&self) -> &Arc<dyn Target> {
        self.target.as_ref().expect("the target is there until the reference goes")
    }

    /// How to wait for the last stub on the target to go, or for what stands before the target to break.
    pub(crate) fn look(&self) -> Look {
        let mut hearings = vec![self.watched.get_or_init(Ringer::default).hearing()];
        let mut next = Some(self.target());
        while let Some(target) = next {
            match target.fuse().map(Fuse::look) {
                None => {}
                Some(Ok(blown)) => hearings.push(blown),
                Some(Err(reason)) => return Look::Broken(reason),
            }
            next = target.guard().map(|guard| guard.inner().target());
        }
        Look::Waits(hearings)
    }

    /// Whether both are the same target, whatever stands before it.
    pub(crate) fn same_target(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.original(), other.original())
    }

    fn original(&self) -> &Arc<dyn Target> {
        let mut target = self.target();
        while let Some(guard) = target.guard() {
            target = guard.inner().target();
        }
        target
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
