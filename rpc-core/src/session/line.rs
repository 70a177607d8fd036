//! The waiting line of a caller that outruns its peer (R5).

use super::{Event, Parts, Session, SlotKey, event::Retired};
use crate::codec::Encoded;
use crate::error::{Error, ErrorKind};
use crate::limits::{CALL_COST, CAP_BOUND, LINE_FROM, LINE_UNTIL, MAX_KEPT};
use crate::wire::Path;

/// The most that a call takes beside its path, its body and what else has a length, in bytes.
const CALL_HEAD: usize = 32;

/// A call that waits for room. It has a slot and no id yet.
pub(crate) struct Lined {
    pub(crate) key: SlotKey,
    /// The slot it goes to; the line holds a handle on it.
    pub(crate) target: SlotKey,
    pub(crate) path: Path,
    pub(crate) method: u64,
    pub(crate) encoded: Encoded,
}

/// The most bytes that the frame of a call can have.
#[inline]
pub(crate) fn frame_bound(path: &Path, encoded: &Encoded) -> usize {
    let filled: usize =
        encoded.filled.iter().map(|arg| 16 + arg.body.len() + CAP_BOUND * arg.caps.len()).sum();
    let beside = CAP_BOUND * (encoded.caps.len() + encoded.promises.len());
    CALL_HEAD + 3 * path.steps().len() + encoded.len() + filled + beside
}

impl<P: Parts> Session<P> {
    /// Whether a call whose frame has at most so many bytes can be sent at once.
    #[inline]
    pub(crate) fn may_send(&self, bytes: usize) -> bool {
        self.line.is_empty() && self.out.len() < LINE_FROM && self.window_left >= (bytes + CALL_COST) as i64
    }

    /// Whether the line is empty: a caller that is polite waits for this.
    #[inline]
    pub(crate) fn line_is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// An error if one more call would be too many.
    #[inline]
    pub(crate) fn check_call_room(&self, bytes: usize) -> Result<(), Error> {
        let calls = self.line.len() + self.unanswered;
        if calls >= self.limits.calls_in_flight {
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!(
                    "{calls} calls wait already; the limit `calls_in_flight` is {}",
                    self.limits.calls_in_flight
                ),
            ));
        }
        let limit = self.limits.imports.min(MAX_KEPT);
        if self.imports.len() >= limit {
            let text =
                format!("{limit} results and targets of the peer are held; that is the limit `imports`");
            return Err(Error::new(ErrorKind::Limit, text));
        }
        let line = self.line_bytes + bytes;
        if !self.may_send(bytes) && line > self.limits.line_bytes {
            return Err(Error::new(
                ErrorKind::Overloaded,
                format!(
                    "{line} bytes of calls wait in line; the limit `line_bytes` is {}",
                    self.limits.line_bytes
                ),
            ));
        }
        Ok(())
    }

    pub(crate) fn join_line(&mut self, lined: Lined) {
        self.line_bytes += frame_bound(&lined.path, &lined.encoded);
        self.hold(lined.target);
        self.line.push_back(lined);
    }

    /// Sends from the line what there is room for. The driver calls it after it took the output.
    pub(crate) fn serve_line(&mut self) {
        while let Some(first) = self.line.front() {
            let bytes = frame_bound(&first.path, &first.encoded);
            // What the peer does not take at all since it has told its limits waits for nothing.
            let too_long = self.check_frame(bytes).err();
            let full = self.out.len() >= LINE_UNTIL || self.window_left < (bytes + CALL_COST) as i64;
            if full && too_long.is_none() {
                return;
            }
            let Some(mut lined) = self.line.pop_front() else { return };
            self.line_bytes -= bytes;
            match too_long {
                Some(error) => self.fail_import(lined.key, error),
                None if self.imports.get(lined.key).is_some() => self.send_lined(&mut lined),
                None => {}
            }
            self.events.push(Event::Retired(Retired::Encoded(Box::new(lined.encoded))));
            self.release(lined.target);
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn check_line(&self) {
        let bytes: usize = self.line.iter().map(|lined| frame_bound(&lined.path, &lined.encoded)).sum();
        assert_eq!(self.line_bytes, bytes, "bytes in line");
    }

    /// Gives the line up, when the session ends.
    pub(crate) fn end_line(&mut self) {
        self.line_bytes = 0;
        for lined in std::mem::take(&mut self.line) {
            self.events.push(Event::Retired(Retired::Encoded(Box::new(lined.encoded))));
        }
    }
}
