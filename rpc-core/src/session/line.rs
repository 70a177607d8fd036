//! The waiting line of a caller that outruns its peer (R5).

use super::imports::State;
use super::{Embargo, Event, Parts, Session, SlotKey, event::Retired};
use crate::codec::Encoded;
use crate::error::{Error, ErrorKind};
use crate::limits::{CALL_COST, CAP_BOUND, LINE_FROM, LINE_UNTIL, MAX_KEPT};
use crate::wire::Path;

/// The most that a call takes beside its path, its body and what else has a length, in bytes.
const CALL_HEAD: usize = 40;

/// What waits for room.
pub(crate) enum InLine<P: Parts> {
    Call(Lined),
    /// An echo to a part of the answer `id`, which `target` keeps; the line holds a handle on that.
    Echo {
        target: SlotKey,
        id: i64,
        path: Path,
        embargo: Embargo<P>,
    },
    /// The echo of the peer with this id has come as far as the calls before it in line.
    EchoBack(i64),
}

impl<P: Parts> InLine<P> {
    /// The most bytes that it takes of what the peer allows.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Call(lined) => frame_bound(&lined.path, &lined.encoded),
            Self::Echo { path, .. } => echo_bound(path),
            Self::EchoBack(_) => 0,
        }
    }
}

/// A call that waits for room. It has a slot and no id yet.
pub(crate) struct Lined {
    pub(crate) key: SlotKey,
    /// The slot it goes to; the line holds a handle on it.
    pub(crate) target: SlotKey,
    pub(crate) path: Path,
    pub(crate) method: u64,
    pub(crate) encoded: Encoded,
}

/// The most bytes that the frame of an echo can have.
pub(super) fn echo_bound(path: &Path) -> usize {
    CALL_HEAD + 3 * path.steps().len()
}

/// The most bytes that the frame of a call can have.
#[inline]
pub(crate) fn frame_bound(path: &Path, encoded: &Encoded) -> usize {
    let filled: usize =
        encoded.filled.iter().map(|arg| 16 + arg.body.len() + CAP_BOUND * arg.caps.len()).sum();
    let beside = CAP_BOUND * (encoded.caps.len() + encoded.promises.len());
    CALL_HEAD + 3 * path.steps().len() + encoded.metadata.len() + encoded.len() + filled + beside
}

impl<P: Parts> Session<P> {
    /// Whether a call whose frame has at most so many bytes can be sent at once.
    #[inline]
    pub(crate) fn may_send(&self, bytes: usize) -> bool {
        self.line.is_empty() && self.out.len() < LINE_FROM && self.window_left >= (bytes + CALL_COST) as i64
    }

    /// The same for any call: of those whose bodies go in pieces, as many may be on their way as in the line.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.may_send(bytes) && !self.is_too_much(bytes)
    }

    #[inline]
    fn is_too_much(&self, bytes: usize) -> bool {
        let unsent = self.out.call_body_bytes();
        unsent > 0 && self.out.cuts(bytes) && unsent + bytes > self.limits.line_bytes
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
            let actual = self.imports.len() + 1;
            let text = format!(
                "{actual} results and targets of the peer would be held; the limit `imports` is {limit}"
            );
            return Err(Error::new(ErrorKind::Limit, text));
        }
        let line = self.line_bytes + bytes;
        if !self.has_room(bytes) && line > self.limits.line_bytes {
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

    /// Lets a call wait. From now on calls have gone the way to its target.
    pub(crate) fn join_line(&mut self, lined: Lined) {
        match self.imports.get_mut(lined.target).map(|import| &mut import.state) {
            Some(State::Waiting(waiting)) => waiting.pipe(&lined.path),
            Some(State::Lined { .. }) => {
                let paths = self.lined_on.entry(lined.target).or_default();
                if !paths.contains(&lined.path) {
                    paths.push(lined.path.clone());
                }
            }
            _ => {}
        }
        self.hold(lined.target);
        self.push_line(InLine::Call(lined));
    }

    pub(super) fn push_line(&mut self, entry: InLine<P>) {
        self.line_bytes += entry.bytes();
        self.line.push_back(entry);
    }

    /// Sends from the line what there is room for. The driver calls it after it took the output.
    pub(crate) fn serve_line(&mut self) {
        while let Some(first) = self.line.front() {
            let bytes = first.bytes();
            // What the peer does not take at all since it has told its limits waits for nothing.
            let too_long = self.check_frame(bytes).err();
            let full = self.out.len() >= LINE_UNTIL
                || self.window_left < (bytes + CALL_COST) as i64
                || self.is_too_much(bytes);
            let reply = matches!(first, InLine::EchoBack(_));
            if full && too_long.is_none() && !reply {
                return;
            }
            let Some(entry) = self.line.pop_front() else { return };
            self.line_bytes -= bytes;
            match entry {
                InLine::EchoBack(id) => self.out.echo_back(id),
                InLine::Echo { target, id, path, embargo } => {
                    match too_long {
                        Some(error) => self.fail_embargo(embargo, &error),
                        None => self.write_echo(id, &path, embargo),
                    }
                    self.release(target);
                }
                InLine::Call(lined) => self.leave_line(lined, too_long),
            }
        }
    }

    fn leave_line(&mut self, mut lined: Lined, too_long: Option<Error>) {
        match too_long {
            Some(error) => self.fail_import(lined.key, error),
            None if self.imports.get(lined.key).is_some() => self.send_lined(&mut lined),
            None => {}
        }
        self.lined_on.remove(&lined.key);
        self.events.push(Event::Retired(Retired::Encoded(Box::new(lined.encoded))));
        self.release(lined.target);
    }

    #[cfg(any(test, fuzzing, feature = "introspection"))]
    pub(crate) fn check_line(&self) {
        let bytes: usize = self.line.iter().map(InLine::bytes).sum();
        assert_eq!(self.line_bytes, bytes, "bytes in line");
    }

    /// Gives the line up, when the session ends.
    pub(crate) fn end_line(&mut self, reason: &Error) {
        self.line_bytes = 0;
        self.lined_on.clear();
        for entry in std::mem::take(&mut self.line) {
            match entry {
                InLine::Call(lined) => {
                    self.events.push(Event::Retired(Retired::Encoded(Box::new(lined.encoded))));
                    self.release(lined.target);
                }
                InLine::Echo { target, embargo, .. } => {
                    self.fail_embargo(embargo, reason);
                    self.release(target);
                }
                InLine::EchoBack(_) => {}
            }
        }
    }
}
