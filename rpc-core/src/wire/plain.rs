//! Calls and answers that are nothing but an id and a body, written and read in one step.

use super::encode::{Mark, Out};
use super::{LENGTH_BYTES, flag, kind, take_signed, take_varint};
use crate::context::METADATA_BYTES;

/// Longest head of such a frame: its length, kind and flags, an id, and a method.
const HEAD: usize = LENGTH_BYTES + 2 + 10 + 8;

/// Writes a signed number at `at`; gives where it ends.
#[inline]
fn put(head: &mut [u8; HEAD], mut at: usize, value: i64) -> usize {
    let mut value = ((value << 1) ^ (value >> 63)) as u64;
    while value >= 0x80 {
        head[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    head[at] = value as u8;
    at + 1
}

impl Out {
    /// Appends a call; gives where its flags stand, and the length of the frame.
    #[inline]
    pub(crate) fn plain_call(&mut self, flags: u8, target: i64, method: u64, body: &[u8]) -> (Mark, usize) {
        let mut head = [0; HEAD];
        head[LENGTH_BYTES] = kind::CALL;
        head[LENGTH_BYTES + 1] = flags;
        let at = put(&mut head, LENGTH_BYTES + 2, target);
        head[at..at + 8].copy_from_slice(&method.to_le_bytes());
        let length = at + 8 - LENGTH_BYTES + body.len();
        head[..LENGTH_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
        self.append(&head[..at + 8], body);
        (self.mark_back(length - 1), length)
    }

    /// The same with metadata, of which there is some.
    #[inline]
    pub(crate) fn plain_call_with(
        &mut self,
        flags: u8,
        (target, method): (i64, u64),
        metadata: &[u8],
        body: &[u8],
    ) -> (Mark, usize) {
        let frame = self.begin(kind::CALL);
        self.raw(&[flags | flag::META]);
        self.signed(target);
        self.raw(&method.to_le_bytes());
        self.counted(metadata);
        self.raw(body);
        let length = self.end(frame);
        (self.mark_back(length - 1), length)
    }

    /// Appends whole frames of answers.
    #[inline]
    pub(crate) fn plain_answers(&mut self, frames: &[u8]) {
        self.append(frames, &[]);
        self.count_answer(frames.len());
    }
}

/// Begins an answer that is a value without capabilities; its body is what follows.
#[inline]
pub(crate) fn begin_plain_answer(out: &mut Vec<u8>, id: i64) {
    let mut head = [0; HEAD];
    head[LENGTH_BYTES] = kind::ANSWER;
    let at = put(&mut head, LENGTH_BYTES + 1, id);
    out.extend_from_slice(&head[..=at]);
}

/// Ends the answer that began at `start`, where its body is complete.
#[inline]
pub(crate) fn end_plain_answer(out: &mut [u8], start: usize) {
    let frame = out.get_mut(start..).unwrap_or_default();
    if let Some((length, rest)) = frame.split_first_chunk_mut::<LENGTH_BYTES>() {
        *length = (rest.len() as u32).to_le_bytes();
    }
}

/// Reads a call without path, capabilities or anything else but metadata: its flags, target and method, the length of
/// its metadata, and where its body begins, right behind that.
#[inline]
pub(crate) fn plain_call(frame: &[u8]) -> Option<(u8, i64, u64, usize, usize)> {
    let (&[message, flags], mut rest) = frame.split_first_chunk::<2>()?;
    if message != kind::CALL || flags & !(flag::SEND | flag::FORGET | flag::META) != 0 {
        return None;
    }
    let target = take_signed(&mut rest)?;
    let (method, mut body) = rest.split_first_chunk::<8>()?;
    let mut metadata = 0;
    if flags & flag::META != 0 {
        metadata =
            usize::try_from(take_varint(&mut body)?).ok().filter(|length| *length <= METADATA_BYTES)?;
        body = body.get(metadata..)?;
    }
    Some((flags & !flag::META, target, u64::from_le_bytes(*method), metadata, frame.len() - body.len()))
}

/// Reads an answer that is a value without capabilities: its id and body.
#[inline]
pub(crate) fn plain_answer(frame: &[u8]) -> Option<(i64, &[u8])> {
    let (&message, mut rest) = frame.split_first()?;
    if message != kind::ANSWER {
        return None;
    }
    let id = take_signed(&mut rest)?;
    let (&flags, body) = rest.split_first()?;
    if flags == 0 { Some((id, body)) } else { None }
}
