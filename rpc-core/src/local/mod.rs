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
    /// The invocation that the stub came out of, which lasts as long as there is one.
    _invocation: Option<Arc<dyn Invocation>>,
}

impl LocalRef {
    pub(crate) fn new(target: Arc<dyn Target>) -> Arc<Self> {
        Arc::new(Self { target: Some(target), _invocation: None })
    }

    /// Another reference to the same target, which an invocation lasts as long as.
    pub(crate) fn within(&self, invocation: &Arc<dyn Invocation>) -> Arc<Self> {
        let target = Some(Arc::clone(self.target()));
        Arc::new(Self { target, _invocation: Some(Arc::clone(invocation)) })
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
