//! The waiting line of a caller that outruns its peer (R5).

use super::{Event, Parts, Session, SlotKey, event::Retired};
use crate::codec::Encoded;
use crate::error::{Error, ErrorKind};
use crate::limits::{CALL_COST, LINE_FROM, LINE_UNTIL};
use crate::wire::Path;

/// A call that waits for room. It has a slot and no id yet.
pub(crate) struct Lined {
    pub(crate) key: SlotKey,
    /// The slot it goes to; the line holds a handle on it.
    pub(crate) target: SlotKey,
    pub(crate) path: Path,
    pub(crate) method: u64,
    pub(crate) encoded: Encoded,
}

impl<P: Parts> Session<P> {
    /// Whether a call of so many bytes can be sent at once.
    pub(crate) fn may_send(&self, bytes: usize) -> bool {
        self.line.is_empty() && self.out.len() < LINE_FROM && self.window_left >= (bytes + CALL_COST) as i64
    }

    /// Whether the line is empty: a caller that is polite waits for this.
    pub(crate) fn line_is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// An error if one more call would be too many.
    pub(crate) fn check_call_room(&self, bytes: usize) -> Result<(), Error> {
        let calls = self.line.len() + self.unanswered;
        if calls >= self.limits.calls_in_flight {
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!("{calls} calls wait already; the limit `calls_in_flight` is {}", self.limits.calls_in_flight),
            ));
        }
        let line = self.line_bytes + bytes;
        if !self.may_send(bytes) && line > self.limits.line_bytes {
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!("{line} bytes of calls wait in line; the limit `line_bytes` is {}", self.limits.line_bytes),
            ));
        }
        Ok(())
    }

    pub(crate) fn join_line(&mut self, lined: Lined) {
        self.line_bytes += lined.encoded.len();
        self.hold(lined.target);
        self.line.push_back(lined);
    }

    /// Sends from the line what there is room for. The driver calls it after it took the output.
    pub(crate) fn serve_line(&mut self) {
        while let Some(first) = self.line.front() {
            let bytes = first.encoded.len();
            if self.out.len() >= LINE_UNTIL || self.window_left < (bytes + CALL_COST) as i64 {
                return;
            }
            let Some(mut lined) = self.line.pop_front() else { return };
            self.line_bytes -= bytes;
            if self.imports.get(lined.key).is_some() {
                self.send_lined(&mut lined);
            }
            self.events.push(Event::Retired(Retired::Encoded(lined.encoded)));
            self.release(lined.target);
        }
    }

    /// Gives the line up, when the session ends.
    pub(crate) fn end_line(&mut self) {
        self.line_bytes = 0;
        for lined in std::mem::take(&mut self.line) {
            self.events.push(Event::Retired(Retired::Encoded(lined.encoded)));
        }
    }
}
