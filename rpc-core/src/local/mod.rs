//! Calls that stay in this process: typed arguments move, nothing is encoded unless it has to be (R9, R20).

mod gather;
mod mailbox;
mod slot;

use std::sync::Arc;

pub(crate) use gather::Gather;
pub(crate) use mailbox::{Entry, Mailbox, push};
pub(crate) use slot::{LocalHandle, LocalPolled, LocalSlot, Parked};

use crate::dispatch::Target;
use crate::spawn::drop_later;

/// The stubs of this process on a target, and the exports of it. The target is dropped after the last is gone,
/// never inside the releasing call (row 151).
pub(crate) struct LocalRef {
    target: Option<Arc<dyn Target>>,
}

impl LocalRef {
    pub(crate) fn new(target: Arc<dyn Target>) -> Arc<Self> {
        Arc::new(Self { target: Some(target) })
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
