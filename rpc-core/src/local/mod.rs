//! Calls that stay in this process: typed arguments move, nothing is encoded unless it has to be (R9, R20).

mod chain;
mod gather;
mod mailbox;
mod slot;

use std::sync::{Arc, OnceLock};

pub(crate) use gather::Gather;
pub(crate) use mailbox::{Entry, Mailbox, is_running, push};
pub(crate) use slot::{LocalHandle, LocalPolled, LocalSlot, Parked, Runner, knot};

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

    #[expect(clippy::expect_used, reason = "only `drop` takes the target")]
    pub(crate) fn target(&self) -> &Arc<dyn Target> {
        self.target.as_ref().expect("the target is there until the reference goes")
    }

    /// Whether the stubs on the target are broken, and how to wait for that, or for the last of them to go.
    pub(crate) fn look(&self) -> Look {
        let gone = self.watched.get_or_init(Ringer::default).hearing();
        match self.target().fuse().map(Fuse::look) {
            None => Look::Waits(vec![gone]),
            Some(Ok(blown)) => Look::Waits(vec![gone, blown]),
            Some(Err(reason)) => Look::Broken(reason),
        }
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
