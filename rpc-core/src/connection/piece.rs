//! [`Piece`]: a piece of a large body while it is read, straight to where the body is put together.

use bytes::buf::Limit;
use bytes::{Buf, BufMut, BytesMut};

use super::{Connection, Input};
use crate::session::Space;
use crate::wire::{LENGTH_BYTES, take_varint};

/// A piece of which all is known but its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PieceHead {
    pub(super) body: u64,
    /// Length of the piece in bytes.
    pub(super) bytes: usize,
    /// Bytes before its first one, with the length field.
    head: usize,
}

/// A piece that is being read.
#[derive(Debug)]
pub(super) struct Piece {
    head: PieceHead,
    left: usize,
    /// The body as far as it has come. `None`: nobody wants it.
    into: Option<BytesMut>,
    space: Option<Space>,
}

impl PieceHead {
    /// Reads the beginning of a frame that is a piece, as far as it is there. `None`: more is needed, or it is cut short.
    pub(super) fn read(input: &[u8]) -> Option<Self> {
        let (length, frame) = input.split_first_chunk::<LENGTH_BYTES>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let frame = frame.get(..length).unwrap_or(frame);
        let mut rest = frame.get(1..)?;
        let body = take_varint(&mut rest)?;
        let head = frame.len() - rest.len();
        Some(Self { body, bytes: length - head, head: LENGTH_BYTES + head })
    }

    pub(super) fn length(&self) -> usize {
        self.head
    }
}

impl Piece {
    pub(super) fn new(head: PieceHead, space: Option<Space>) -> Self {
        Self { head, left: head.bytes, into: None, space }
    }

    /// Where its bytes are read to. `None`: nobody wants them.
    pub(super) fn space(&mut self) -> Option<Limit<&mut BytesMut>> {
        self.into.as_mut().map(|into| into.limit(self.left))
    }

    /// So many bytes were read. `false`: they are somewhere else.
    pub(super) fn count(&mut self, bytes: usize) -> bool {
        self.left = self.left.saturating_sub(if self.into.is_some() { bytes } else { 0 });
        self.into.is_some()
    }

    /// Takes what has come of it from the front of `buffer`. Tells whether it is whole.
    pub(super) fn fill(&mut self, buffer: &mut BytesMut) -> bool {
        if let Some(space) = self.space.take() {
            self.into = Some(space.take());
        }
        let here = self.left.min(buffer.len());
        if let Some(into) = &mut self.into {
            into.extend_from_slice(&buffer[..here]);
        }
        buffer.advance(here);
        self.left -= here;
        self.left == 0
    }
}

impl Connection {
    /// Moves what has come of a piece to its place, without the lock, and hands it over once it is whole.
    pub(super) fn read_piece(&self, input: &mut Input) {
        if let Some(piece) = input.fill_piece() {
            let Piece { head, into, .. } = *piece;
            self.with(|state| state.session.end_piece(head.body, head.bytes, into));
        }
    }
}
