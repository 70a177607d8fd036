//! What a driver says of its peer, which only it can know: it has the clock.

use std::time::Duration;

use super::Connection;
use crate::error::{Error, ErrorKind};

impl Connection {
    /// Whether the peer's greeting has come.
    pub fn is_greeted(&self) -> bool {
        self.lock().session.is_greeted()
    }

    /// Asks the peer for a sign of life. It is written with whatever else waits.
    pub fn ping(&self) {
        self.with(|state| state.session.ping());
    }

    /// The peer has not greeted for this long. It is told, and the session ends.
    pub fn late(&self, took: Duration, limit: Duration) {
        let text = format!("the peer has not greeted for {took:?}; the limit `handshake` is {limit:?}");
        let error = Error::new(ErrorKind::Limit, text).with_may_have_run(true);
        self.with(|state| state.session.turn_away(error));
    }

    /// The transport has taken nothing for this long although there was something: the peer does not read (R6).
    pub fn stalled(&self, took: Duration, limit: Duration) {
        let text = format!(
            "the peer does not read: nothing was taken for {took:?}; the limit `write_stall` is {limit:?}"
        );
        self.close(Error::new(ErrorKind::Limit, text).with_may_have_run(true));
    }

    /// Nothing has come for this long after the peer was asked for a sign of life. For its callers that is a lost
    /// connection like any other.
    pub fn silent(&self, took: Duration, limit: Duration) {
        let text = format!(
            "the peer was asked for a sign of life and has said nothing for {took:?}; the limit `dead_peer` is {limit:?}"
        );
        self.close(Error::new(ErrorKind::Disconnected, text));
    }
}
