//! [`Input`]: bytes that have come in, and the frames in them.

use std::cell::Cell;
use std::ops::Range;

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::batch::Batch;
use super::piece::{Piece, PieceHead};
use crate::codec::SPLICE_FROM;
use crate::limits::FRAME_FROM;
use crate::session::Space;
use crate::wire::{LENGTH_BYTES, kind};

/// Space kept for reading, in bytes.
const READ_SPACE: usize = 4 * 1024;
/// The most that is read ahead, in bytes.
const READ_AHEAD: usize = 64 * 1024;

/// The most bytes that a piece has before its first one.
const PIECE_HEAD: usize = LENGTH_BYTES + 1 + 10;

thread_local! {
    /// Memory to read into that a connection of this thread has given back.
    static SPARE: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// The bytes that have come in and were not handled.
#[derive(Debug, Default)]
pub struct Input {
    buffer: BytesMut,
    /// Bytes at the front that were handled.
    done: usize,
    /// Bytes behind those that belong to the frame that is being handled.
    current: usize,
    /// The frame that is being handled, if it is a long one: payloads share its memory.
    long: Option<Bytes>,
    /// Bytes of the frame at the front that have not come in, as far as is known.
    missing: usize,
    busy: bool,
    pub(super) batch: Batch,
    /// The piece of a large body that is being read, straight to where the body is put together.
    pub(super) piece: Option<Box<Piece>>,
    /// One was read just now. The next thing to read is probably the beginning of another, and not more.
    after_piece: bool,
}

/// What [`Input::next_frame`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole frame.
    Frame,
    /// Nothing whole: more has to be read first.
    Nothing,
    /// The calls that were gathered have to be run first: what they refer to must stay where it is.
    Later,
}

impl Input {
    /// Where the transport puts what it reads. There is always room for some bytes; a long frame, or a piece of a large
    /// body, is read straight into its own allocation, which grows with what has come of it.
    pub fn space(&mut self) -> Limit<&mut BytesMut> {
        if let Some(space) = self.piece.as_deref_mut().and_then(Piece::space) {
            return space;
        }
        self.buffer.advance(std::mem::take(&mut self.done));
        if self.buffer.capacity() == 0 {
            self.buffer = SPARE.try_with(Cell::take).unwrap_or_default();
        }
        let wanted = if self.missing > 0 {
            // The peer has promised so much; memory is taken for what it keeps of that.
            self.missing.min(FRAME_FROM.max(3 * self.buffer.len()))
        } else if self.busy {
            READ_AHEAD
        } else {
            READ_SPACE
        };
        if self.buffer.capacity() - self.buffer.len() < wanted.min(READ_AHEAD).min(wanted / 2 + 1) {
            self.buffer.reserve(wanted);
        }
        let most = if std::mem::take(&mut self.after_piece) { READ_SPACE } else { usize::MAX };
        (&mut self.buffer).limit(most)
    }

    /// Nothing comes in for now: a connection that is idle keeps no memory to read into.
    pub fn rest(&mut self) {
        if !self.buffer.is_empty() {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        if buffer.capacity() <= READ_SPACE / 2 {
            // Its front is free again, unless a payload shares it.
            buffer.reserve(READ_SPACE);
        }
        if buffer.capacity() <= 2 * READ_AHEAD {
            // A thread that is ending keeps none.
            let _ = SPARE.try_with(|spare| spare.set(buffer));
        }
    }

    /// Says how many bytes the last read brought: much means that there is more to come.
    pub fn read(&mut self, bytes: usize) {
        if !self.piece.as_deref_mut().is_some_and(|piece| piece.count(bytes)) {
            self.busy = bytes >= READ_SPACE || self.buffer.len() == self.buffer.capacity();
        }
    }

    /// Goes on to the next whole frame.
    #[inline]
    pub(super) fn next_frame(&mut self, most: usize) -> Result<Found, String> {
        if self.long.is_none() {
            let whole = self.done + self.current;
            let waiting = self.buffer.get(whole..).unwrap_or_default();
            if let Some(length) = waiting.first_chunk::<LENGTH_BYTES>() {
                let length = LENGTH_BYTES + u32::from_le_bytes(*length) as usize;
                if length < SPLICE_FROM && length <= waiting.len() {
                    self.done = whole;
                    self.current = length;
                    return Ok(Found::Frame);
                }
            }
        }
        if self.batch.is_empty() { self.next_long(most) } else { Ok(Found::Later) }
    }

    /// The same for a frame that is long or not here. It moves what has come in.
    fn next_long(&mut self, most: usize) -> Result<Found, String> {
        self.buffer.advance(std::mem::take(&mut self.done) + std::mem::take(&mut self.current));
        self.long = None;
        self.missing = 0;
        let Some(length) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(Found::Nothing) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > most {
            return Err(format!("a frame says it is {length} bytes long; the limit `frame_bytes` is {most}"));
        }
        let whole = LENGTH_BYTES + length;
        if self.buffer.len() < whole {
            // What it is decides where the rest goes.
            self.missing = if self.buffer.len() < PIECE_HEAD { 0 } else { whole - self.buffer.len() };
            return Ok(Found::Nothing);
        }
        if whole < SPLICE_FROM || self.is_piece() {
            self.current = whole;
            return Ok(Found::Frame);
        }
        let mut frame = self.buffer.split_to(whole).freeze();
        frame.advance(LENGTH_BYTES);
        self.long = Some(frame);
        Ok(Found::Frame)
    }

    /// The frame that is being handled, and itself as shared memory, if it is that.
    #[inline]
    pub(super) fn frame(&self) -> (&[u8], Option<&Bytes>) {
        match &self.long {
            Some(frame) => (frame, Some(frame)),
            None => (
                self.buffer.get(self.done + LENGTH_BYTES..self.done + self.current).unwrap_or_default(),
                None,
            ),
        }
    }

    /// Where the end of the frame is found that is being handled, as long as calls are gathered. `None`: it is a long
    /// one.
    #[inline]
    pub(super) fn frame_end(&self) -> Option<usize> {
        if self.long.is_none() { Some(self.done + self.current) } else { None }
    }

    /// Puts the frame that is being handled, a short one, back: it is the next one again.
    pub(super) fn put_back(&mut self) {
        self.current = 0;
    }

    /// A part of what has come in, by places that [`frame_end`](Self::frame_end) gave.
    #[inline]
    pub(super) fn part(&self, span: Range<usize>) -> &[u8] {
        self.buffer.get(span).unwrap_or_default()
    }

    /// Whether the frame behind those that were handled is a piece.
    fn is_piece(&self) -> bool {
        self.buffer.get(self.done + LENGTH_BYTES) == Some(&kind::PIECE)
    }

    /// The piece that the frame which is being handled is, if it is one.
    #[inline]
    pub(super) fn piece_here(&self) -> Option<PieceHead> {
        if self.long.is_none() && self.is_piece() {
            PieceHead::read(self.buffer.get(self.done..)?)
        } else {
            None
        }
    }

    /// The piece that comes next, if its beginning is there and its end is not.
    #[cold]
    pub(super) fn piece_ahead(&self) -> Option<PieceHead> {
        if self.piece.is_none() && self.is_piece() { PieceHead::read(&self.buffer) } else { None }
    }

    /// A piece begins, for which the session has given this space.
    pub(super) fn begin_piece(&mut self, head: PieceHead, space: Option<Space>) {
        self.buffer.advance(std::mem::take(&mut self.done) + head.length());
        (self.current, self.missing) = (0, 0);
        self.piece = Some(Box::new(Piece::new(head, space)));
    }

    /// Moves what has come of a piece to its place. Gives the piece once it is whole.
    pub(super) fn fill_piece(&mut self) -> Option<Box<Piece>> {
        if !self.piece.as_mut()?.fill(&mut self.buffer) {
            return None;
        }
        (self.after_piece, self.busy) = (true, false);
        self.piece.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(input: &mut Input, bytes: &[u8]) {
        input.space().put_slice(bytes);
        input.read(bytes.len());
    }

    #[test]
    fn a_connection_that_waits_keeps_no_memory_to_read_into() {
        let mut input = Input::default();
        for _ in 0..10_000 {
            put(&mut input, &[2, 0, 0, 0, 6, 2]);
            assert_eq!(input.next_frame(100), Ok(Found::Frame));
            assert_eq!(input.frame().0, [6, 2]);
            assert_eq!(input.next_frame(100), Ok(Found::Nothing));
            input.rest();
            assert_eq!(input.buffer.capacity(), 0);
        }
        // What it gave back is what it takes again, and others on this thread.
        let spare = SPARE.take();
        assert!((READ_SPACE / 2..=2 * READ_SPACE).contains(&spare.capacity()), "{}", spare.capacity());
    }

    #[test]
    fn a_frame_that_is_not_whole_stays() {
        let mut input = Input::default();
        put(&mut input, &[2, 0, 0, 0, 6]);
        assert_eq!(input.next_frame(100), Ok(Found::Nothing));
        input.rest();
        put(&mut input, &[2, 9, 9]);
        assert_eq!(input.next_frame(100), Ok(Found::Frame));
        assert_eq!(input.frame().0, [6, 2]);
        assert_eq!(input.next_frame(100), Ok(Found::Nothing));
    }

    #[test]
    fn much_memory_is_not_kept_for_others() {
        let mut input = Input::default();
        let length = 10 * READ_AHEAD;
        put(&mut input, &(length as u32).to_le_bytes());
        assert_eq!(input.next_frame(length), Ok(Found::Nothing));
        let mut left = length;
        while left > 0 {
            let part = left.min(READ_SPACE);
            put(&mut input, &vec![1; part]);
            left -= part;
            let found = if left == 0 { Found::Frame } else { Found::Nothing };
            assert_eq!(input.next_frame(length), Ok(found));
        }
        assert_eq!(input.next_frame(length), Ok(Found::Nothing));
        input.rest();
        assert!(SPARE.take().capacity() <= 2 * READ_AHEAD);
    }
}
