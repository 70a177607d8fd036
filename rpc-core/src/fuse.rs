//! [`Fuse`]: how a target of this process breaks the stubs on it.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::bell::{Hearing, Ringer};
use crate::reason::Reason;

/// What a target holds that can be taken back: blown once, for one reason, it breaks every stub of this process on the
/// target. The target gives it out by [`Target::fuse`](crate::dispatch::Target::fuse), and from then on refuses calls
/// with the error of the [`Reason`].
pub(crate) struct Fuse {
    reason: OnceLock<Reason>,
    ringer: Mutex<Option<Ringer>>,
}

impl Fuse {
    pub(crate) fn new() -> Self {
        Self { reason: OnceLock::new(), ringer: Mutex::new(None) }
    }

    /// Breaks the stubs. The first reason stays; tells whether it is this one.
    pub(crate) fn blow(&self, reason: Reason) -> bool {
        let first = self.reason.set(reason).is_ok();
        let ringer = self.ringer.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(ringer);
        first
    }

    /// Why the stubs are broken, if they are; else a way to wait for it.
    pub(crate) fn look(&self) -> Result<Hearing, Reason> {
        let hearing = {
            let mut ringer = self.ringer.lock().unwrap_or_else(PoisonError::into_inner);
            match self.reason.get() {
                Some(reason) => return Err(reason.clone()),
                None => ringer.get_or_insert_default().hearing(),
            }
        };
        Ok(hearing)
    }
}

#[cfg(test)]
mod tests;
