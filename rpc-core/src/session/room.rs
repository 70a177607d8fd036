//! [`Room`]: the bytes of calls that may wait for something outside the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, ErrorKind};

/// Bytes of calls that wait behind embargoes, and the most that may. Shared by what stands in for the targets.
#[derive(Debug)]
pub(crate) struct Room {
    used: AtomicUsize,
    limit: usize,
}

/// A part of the room, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    /// Takes so many bytes, if there are as many.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Result<Taken, Error> {
        let add = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(Taken { room: Arc::clone(self), bytes }),
            Err(used) => {
                let (sum, limit) = (used.saturating_add(bytes), self.limit);
                let text =
                    format!("{sum} bytes of calls wait for others; the limit `parked_bytes` is {limit}");
                Err(Error::new(ErrorKind::Limit, text))
            }
        }
    }

    #[cfg(any(test, fuzzing, feature = "introspection"))]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
