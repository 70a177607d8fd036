//! [`Address`]: what a stub refers to when that is looked up anew for each call.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::bell::Ringer;
use crate::codec::Capability;
use crate::connection::{Connection, promised};
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::local::LocalSlot;
use crate::weak::Look;

/// A place that can be connected again: what a service's stub refers to. Rows 4 and 253.
pub trait Address: fmt::Debug + Send + Sync + 'static {
    /// Where a call made now goes. It is asked once for each call, and again by nobody: a call that failed is not made
    /// a second time. It must not block.
    fn current(self: Arc<Self>) -> Handle;

    /// The connection that calls would go over at this moment, if there is one. None is made for this.
    fn connection(&self) -> Option<Connection> {
        None
    }
}

/// The stubs of this process on an address.
pub(crate) struct AddressRef {
    address: Arc<dyn Address>,
    /// Those who wait, without holding a stub, for the last to go.
    watched: OnceLock<Ringer>,
}

impl AddressRef {
    pub(crate) fn current(&self) -> Handle {
        Arc::clone(&self.address).current()
    }

    pub(crate) fn connection(&self) -> Option<Connection> {
        self.address.connection()
    }

    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.address).cast::<()>() as usize
    }

    /// An address never breaks: what cannot be reached now may be later. So there is only the last stub to wait for.
    pub(crate) fn look(&self) -> Look {
        Look::Waits(vec![self.watched.get_or_init(Ringer::default).hearing()])
    }
}

impl fmt::Debug for AddressRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// A handle whose calls go where the address says, each when it is made.
pub fn handle(address: Arc<dyn Address>) -> Handle {
    Handle(Repr::Address(Arc::new(AddressRef { address, watched: OnceLock::new() })))
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
