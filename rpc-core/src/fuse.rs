//! [`Fuse`]: how stubs that can be taken back break.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::bell::{Hearing, Ringer};
use crate::reason::Reason;

/// Blown once, for one reason, it breaks the stubs that hang on it.
#[derive(Default)]
pub(crate) struct Fuse {
    reason: OnceLock<Reason>,
    ringer: Mutex<Option<Ringer>>,
}

impl Fuse {
    /// Breaks the stubs. The first reason stays; tells whether it is this one.
    pub(crate) fn blow(&self, reason: Reason) -> bool {
        let first = self.reason.set(reason).is_ok();
        let ringer = self.ringer.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(ringer);
        first
    }

    /// Why the stubs are broken, if they are.
    pub(crate) fn reason(&self) -> Option<&Reason> {
        self.reason.get()
    }

    /// The same; else a way to wait for it.
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
