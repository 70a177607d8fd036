//! From messages to the bytes that wait to be written.

use std::collections::VecDeque;

use bytes::Bytes;

use super::bodies::{BodyOf, OutBodies};
use super::{LENGTH_BYTES, MAGIC, VERSION, WireCap, answer_flag, flag, kind, put_signed, put_varint};
use crate::codec::{Encoded, FilledArg};
use crate::error::Error;
use crate::limits::TEXT_BOUND;
use crate::wire::Path;

/// Where a call's flags byte stands, as an absolute position in the stream of bytes sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// What waits to be written: one buffer, with large payloads beside it.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(super) bytes: Vec<u8>,
    /// Payloads that stand before the byte at their offset in `bytes`, ascending.
    splices: VecDeque<(usize, Bytes)>,
    splice_bytes: usize,
    /// Stream position of the first byte of `bytes`, payloads not counted.
    base: u64,
    /// Bytes of answers among what waits, beside bodies, and of whatever else is no call: what the peer can make this
    /// side say.
    answer_bytes: usize,
    /// Bodies that leave in pieces, behind everything else.
    pub(super) bodies: OutBodies,
}

/// Bytes that left the connection's buffer and are being written by its driver.
#[derive(Debug, Default)]
pub struct Segment {
    /// The bytes, with the payloads at their offsets.
    pub(crate) bytes: Vec<u8>,
    pub(crate) splices: VecDeque<(usize, Bytes)>,
    pub(crate) answer_bytes: usize,
    pub(super) ends_with_piece: bool,
}

impl Segment {
    /// The bytes without the payloads.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Payloads, each of which stands before the byte at its offset in [`bytes`](Self::bytes), ascending.
    pub fn payloads(&self) -> &VecDeque<(usize, Bytes)> {
        &self.splices
    }

    /// The payloads, for those that take away what was written.
    pub fn payloads_mut(&mut self) -> &mut VecDeque<(usize, Bytes)> {
        &mut self.splices
    }

    /// Whether it ends with a piece of a large body, of which there may be more: what came up meanwhile goes first.
    pub fn ends_with_piece(&self) -> bool {
        self.ends_with_piece
    }

    /// Whether everything was written: all payloads, and the bytes up to `done`.
    pub fn is_written(&self, done: usize) -> bool {
        self.splices.is_empty() && done >= self.bytes.len()
    }

    /// Empties it, keeping its memory up to a bound: an idle connection is small.
    pub fn clear(&mut self) {
        let (used, kept) = (self.bytes.len(), self.bytes.capacity());
        if kept > 16 * 1024 && (used < kept / 4 || kept > 1024 * 1024) {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.splices.clear();
        self.ends_with_piece = false;
    }
}

/// The fields of a call, as they are written.
pub(crate) struct CallFrame<'a> {
    pub(crate) flags: u8,
    pub(crate) target: i64,
    pub(crate) path: &'a Path,
    pub(crate) method: u64,
    pub(crate) caps: &'a [WireCap],
    pub(crate) promises: &'a [(u8, i64, Path)],
    pub(crate) filled: &'a [FilledArg],
    /// The length of the body if it goes in pieces, and not here.
    pub(crate) in_pieces: Option<usize>,
    pub(crate) encoded: &'a Encoded,
}

impl Out {
    /// Bytes that wait, without the bodies that leave in pieces.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.splice_bytes
    }

    /// Bytes that wait, with those bodies.
    #[inline]
    pub(crate) fn total(&self) -> usize {
        self.len() + self.bodies.bytes()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.bodies.is_empty()
    }

    #[inline]
    pub(crate) fn answer_bytes(&self) -> usize {
        self.answer_bytes + self.bodies.answer_bytes()
    }

    /// Hands over everything that waits, with one piece of one body at the end; `spare` becomes the new, empty buffer.
    pub(crate) fn swap(&mut self, spare: &mut Segment) {
        self.base += self.bytes.len() as u64;
        std::mem::swap(&mut self.bytes, &mut spare.bytes);
        std::mem::swap(&mut self.splices, &mut spare.splices);
        spare.answer_bytes = std::mem::take(&mut self.answer_bytes);
        self.splice_bytes = 0;
        if !self.bodies.is_empty() {
            self.bodies.next_piece(spare);
        }
    }

    /// Changes the flags of a call that has not left the buffer; tells whether it could.
    #[inline]
    pub(crate) fn patch(&mut self, mark: Mark, set: u8, clear: u8) -> bool {
        let Some(byte) = mark
            .0
            .checked_sub(self.base)
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| self.bytes.get_mut(offset))
        else {
            return false;
        };
        *byte = (*byte | set) & !clear;
        true
    }

    #[inline]
    pub(crate) fn holds(&self, mark: Mark) -> bool {
        mark.0 >= self.base
    }

    /// Appends a frame that is there already, in two parts.
    #[inline]
    pub(super) fn append(&mut self, head: &[u8], body: &[u8]) {
        self.bytes.reserve(head.len() + body.len());
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(body);
    }

    #[inline]
    pub(super) fn signed(&mut self, value: i64) {
        put_signed(&mut self.bytes, value);
    }

    /// Appends bytes with their number before them.
    #[inline]
    pub(super) fn counted(&mut self, bytes: &[u8]) {
        put_varint(&mut self.bytes, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    #[inline]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The place so many bytes before the end.
    #[inline]
    pub(super) fn mark_back(&self, bytes: usize) -> Mark {
        Mark(self.base + (self.bytes.len() - bytes) as u64)
    }

    #[inline]
    pub(super) fn count_answer(&mut self, bytes: usize) {
        self.answer_bytes += bytes;
    }

    #[inline]
    pub(super) fn begin(&mut self, kind: u8) -> (usize, usize) {
        let at = (self.bytes.len(), self.splice_bytes);
        self.bytes.extend_from_slice(&[0, 0, 0, 0, kind]);
        at
    }

    #[inline]
    pub(super) fn end(&mut self, (start, splice_bytes): (usize, usize)) -> usize {
        let length = self.bytes.len() - start - LENGTH_BYTES + (self.splice_bytes - splice_bytes);
        // Every caller bounds what it appends by the frame limit, which is under 4 GiB.
        self.bytes[start..start + LENGTH_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
        length
    }

    /// Ends a frame that the peer has caused.
    #[inline]
    fn end_caused(&mut self, frame: (usize, usize)) {
        let length = self.end(frame);
        self.count_answer(LENGTH_BYTES + length);
    }

    #[inline]
    fn body(&mut self, encoded: &Encoded) {
        let mut done = 0;
        for (at, payload) in &encoded.splices {
            self.bytes.extend_from_slice(&encoded.bytes[done..*at]);
            self.splices.push_back((self.bytes.len(), payload.clone()));
            self.splice_bytes += payload.len();
            done = *at;
        }
        self.bytes.extend_from_slice(&encoded.bytes[done..]);
    }

    pub(crate) fn hello(&mut self, window: usize, frame_bytes: usize, name: &str, props: &str) {
        let frame = self.begin(kind::HELLO);
        self.bytes.extend_from_slice(&MAGIC);
        self.bytes.extend_from_slice(&VERSION.to_le_bytes());
        put_varint(&mut self.bytes, window as u64);
        put_varint(&mut self.bytes, frame_bytes as u64);
        self.text(name);
        if !props.is_empty() {
            self.text(props);
        }
        self.end(frame);
    }

    /// Appends a call; gives where its flags stand.
    #[inline]
    pub(crate) fn call(&mut self, call: &CallFrame<'_>) -> Mark {
        let frame = self.begin(kind::CALL);
        let mut flags = call.flags;
        if !call.path.is_empty() {
            flags |= flag::PATH;
        }
        if !call.caps.is_empty() {
            flags |= flag::CAPS;
        }
        if !call.promises.is_empty() || !call.filled.is_empty() {
            flags |= flag::ARGS;
        }
        if call.in_pieces.is_some() {
            flags |= flag::PIECES;
        }
        if !call.encoded.metadata.is_empty() {
            flags |= flag::META;
        }
        let mark = Mark(self.base + self.bytes.len() as u64);
        self.bytes.push(flags);
        put_signed(&mut self.bytes, call.target);
        if flags & flag::PATH != 0 {
            put_path(&mut self.bytes, call.path);
        }
        self.bytes.extend_from_slice(&call.method.to_le_bytes());
        if flags & flag::META != 0 {
            self.counted(&call.encoded.metadata);
        }
        if flags & flag::CAPS != 0 {
            put_caps(&mut self.bytes, call.caps);
        }
        if flags & flag::ARGS != 0 {
            self.args(call);
        }
        match call.in_pieces {
            Some(length) => put_varint(&mut self.bytes, length as u64),
            None => self.body(call.encoded),
        }
        self.end(frame);
        mark
    }

    fn args(&mut self, call: &CallFrame<'_>) {
        put_varint(&mut self.bytes, (call.promises.len() + call.filled.len()) as u64);
        for (param, id, path) in call.promises {
            self.bytes.extend_from_slice(&[*param, 0]);
            put_signed(&mut self.bytes, *id);
            put_path(&mut self.bytes, path);
        }
        for filled in call.filled {
            self.bytes.extend_from_slice(&[filled.param, 1]);
            put_varint(&mut self.bytes, filled.caps.len() as u64);
            put_varint(&mut self.bytes, filled.body.len() as u64);
            if call.in_pieces.is_none() {
                self.bytes.extend_from_slice(&filled.body);
            }
        }
    }

    /// Appends an answer whose body was just encoded.
    #[inline]
    pub(crate) fn answer(&mut self, id: i64, user: bool, caps: &[WireCap], encoded: &Encoded) {
        let frame = self.begin_answer(id, answer_flags(user, caps), caps);
        self.body(encoded);
        self.end_caused(frame);
    }

    /// Appends an answer that was kept.
    pub(crate) fn kept_answer(&mut self, id: i64, user: bool, caps: &[WireCap], body: &[u8]) {
        let frame = self.begin_answer(id, answer_flags(user, caps), caps);
        self.bytes.extend_from_slice(body);
        self.end_caused(frame);
    }

    /// Appends an answer whose body goes in pieces.
    pub(crate) fn answer_in_pieces(&mut self, id: i64, user: bool, caps: &[WireCap], body: Vec<Bytes>) {
        let length: usize = body.iter().map(Bytes::len).sum();
        self.answer_head(id, user, caps, length);
        self.send_body(BodyOf::Answer(id), body);
    }

    /// Appends an answer whose body, which has so many bytes, follows in pieces.
    pub(crate) fn answer_head(&mut self, id: i64, user: bool, caps: &[WireCap], length: usize) {
        let frame = self.begin_answer(id, answer_flags(user, caps) | answer_flag::PIECES, caps);
        put_varint(&mut self.bytes, length as u64);
        self.answer_bytes += self.end(frame);
    }

    #[inline]
    fn begin_answer(&mut self, id: i64, flags: u8, caps: &[WireCap]) -> (usize, usize) {
        let frame = self.begin(kind::ANSWER);
        put_signed(&mut self.bytes, id);
        self.bytes.push(flags);
        if !caps.is_empty() {
            put_caps(&mut self.bytes, caps);
        }
        frame
    }

    /// Appends a failure with as much of its text as fits, and with the error value behind it if that fits too.
    pub(crate) fn reject(&mut self, id: i64, error: &Error, room: usize) {
        let frame = self.begin(kind::REJECT);
        put_signed(&mut self.bytes, id);
        let text = cut(error.said(), room.min(TEXT_BOUND));
        let user = error.user_bytes().filter(|user| user.len() + text.len() <= room);
        let flags = u8::from(error.may_have_run()) | if user.is_some() { 2 } else { 0 };
        self.bytes.extend_from_slice(&[error.kind().code(), error.origin().code(), flags]);
        self.text(text);
        if let Some(user) = user {
            put_varint(&mut self.bytes, user.len() as u64);
            self.bytes.extend_from_slice(user);
        }
        self.end_caused(frame);
    }

    pub(crate) fn release(&mut self, id: i64, count: u64) {
        let frame = self.begin(kind::RELEASE);
        put_signed(&mut self.bytes, id);
        put_varint(&mut self.bytes, count);
        self.end_caused(frame);
    }

    pub(crate) fn finish(&mut self, id: i64, cancel: bool) {
        let frame = self.begin(kind::FINISH);
        put_signed(&mut self.bytes, id);
        self.bytes.push(u8::from(cancel));
        self.end_caused(frame);
    }

    pub(crate) fn pull(&mut self, id: i64) {
        let frame = self.begin(kind::PULL);
        put_signed(&mut self.bytes, id);
        self.end_caused(frame);
    }

    pub(crate) fn credit(&mut self, bytes: u64) {
        let frame = self.begin(kind::CREDIT);
        put_varint(&mut self.bytes, bytes);
        self.end_caused(frame);
    }

    pub(crate) fn goaway(&mut self, last: i64) {
        let frame = self.begin(kind::GOAWAY);
        put_signed(&mut self.bytes, last);
        self.end(frame);
    }

    pub(crate) fn abort(&mut self, error: &Error) {
        let frame = self.begin(kind::ABORT);
        self.bytes.push(error.kind().code());
        self.text(error.message());
        self.end(frame);
    }

    /// Appends an echo, which takes the next id of a call.
    pub(crate) fn echo(&mut self, target: i64, path: &Path) -> usize {
        let frame = self.begin(kind::ECHO);
        put_signed(&mut self.bytes, target);
        put_path(&mut self.bytes, path);
        self.end(frame)
    }

    pub(crate) fn echo_back(&mut self, id: i64) {
        let frame = self.begin(kind::ECHO_BACK);
        put_signed(&mut self.bytes, id);
        self.end_caused(frame);
    }

    /// Appends a question for a sign of life.
    pub(crate) fn ping(&mut self) {
        let frame = self.begin(kind::PING);
        self.end(frame);
    }

    /// Appends the answer to it, unless one waits already: that one answers for all. `last` is where the last one
    /// stands; gives where this one does.
    pub(crate) fn pong(&mut self, last: Option<Mark>) -> Mark {
        if let Some(last) = last.filter(|last| self.holds(*last)) {
            return last;
        }
        let frame = self.begin(kind::PONG);
        self.end(frame);
        self.mark_back(1)
    }

    fn text(&mut self, text: &str) {
        put_varint(&mut self.bytes, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

#[inline]
fn answer_flags(user: bool, caps: &[WireCap]) -> u8 {
    u8::from(user) | if caps.is_empty() { 0 } else { answer_flag::CAPS }
}

/// The beginning of a text, in whole characters.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn put_path(out: &mut Vec<u8>, path: &Path) {
    put_varint(out, path.steps().len() as u64);
    for step in path.steps() {
        put_varint(out, u64::from(*step));
    }
}

fn put_caps(out: &mut Vec<u8>, caps: &[WireCap]) {
    put_varint(out, caps.len() as u64);
    for cap in caps {
        match cap {
            WireCap::Export(id) => {
                out.push(0);
                put_signed(out, *id);
            }
            WireCap::Import(id) => {
                out.push(1);
                put_signed(out, *id);
            }
            WireCap::Answer(id, path) => {
                out.push(2);
                put_signed(out, *id);
                put_path(out, path);
            }
        }
    }
}
