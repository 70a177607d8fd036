//! Whether the peer is there: its greeting, pings and pongs. What time it is, the driver knows.

use super::{Parts, Session};
use crate::error::Error;
use crate::limits::INITIAL_WINDOW;

impl<P: Parts> Session<P> {
    /// Whether the peer's greeting has come.
    pub(crate) fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// The longest frame that the peer may send now, in bytes. Before it has greeted there is no reason to take more
    /// than a greeting; later, what it sent before it knew our limit is bounded by the window that everybody begins
    /// with.
    #[inline]
    pub(crate) fn longest_frame(&self) -> usize {
        if self.greeted { self.limits.frame_bytes.max(INITIAL_WINDOW) } else { INITIAL_WINDOW }
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn ping(&mut self) {
        if self.ended().is_none() {
            self.out.ping();
        }
    }

    /// The peer asks for one. However often it asks, one pong at most waits to be written.
    pub(crate) fn handle_ping(&mut self) {
        self.ponged = Some(self.out.pong(self.ponged));
    }

    /// Ends the session of a peer that does not do what it has to, and tells it.
    pub(crate) fn turn_away(&mut self, error: Error) {
        if self.ended().is_none() {
            self.out.abort(&error);
            self.end(error);
        }
    }
}
