//! [`Address`]: what a stub refers to when that is looked up anew for each call.

use std::fmt;
use std::sync::Arc;

use crate::codec::Capability;
use crate::connection::promised;
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::local::LocalSlot;

/// A place that can be connected again: what a service's stub refers to. Rows 4 and 253.
pub trait Address: fmt::Debug + Send + Sync + 'static {
    /// Where a call made now goes. It is asked once for each call, and again by nobody: a call that failed is not made
    /// a second time. It must not block.
    fn current(self: Arc<Self>) -> Handle;
}

/// A handle whose calls go where the address says, each when it is made.
pub fn handle(address: Arc<dyn Address>) -> Handle {
    Handle(Repr::Address(address))
}

/// A reference to something that is not known yet, and the right to say what it is. Calls on it wait, in order.
pub fn pending() -> (Handle, Settle) {
    let (slot, handle) = LocalSlot::new(None, None);
    // Whoever made a call on it waits for the address, whether the handle is there or not.
    handle.detach();
    (Handle(Repr::LocalCall(handle)), Settle { slot: Some(slot) })
}

/// See [`pending`]. When it is dropped without a word, the calls fail.
pub struct Settle {
    slot: Option<Arc<LocalSlot>>,
}

impl fmt::Debug for Settle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settle")
    }
}

impl Settle {
    /// It is this. The calls that wait are made, in order, before this returns.
    pub fn found(mut self, target: Handle) {
        self.settle(Ok(Capability { handle: target.into_shared(), interface: None }));
    }

    /// It could not be found: the calls that wait fail, and did not run.
    pub fn failed(mut self, error: Error) {
        self.settle(Err(error.did_not_run()));
    }

    fn settle(&mut self, target: Result<Capability, Error>) {
        if let Some(slot) = self.slot.take() {
            slot.settle_outcome(promised(target));
        }
    }
}

impl Drop for Settle {
    fn drop(&mut self) {
        let text = "nobody looks for the address any more";
        self.settle(Err(Error::new(ErrorKind::Disconnected, text).did_not_run()));
    }
}
