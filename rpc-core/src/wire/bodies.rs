//! Large bodies on their way out: they leave in pieces, behind whatever else waits, one piece a write and in turns, so
//! that small messages do not wait for them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::encode::{Out, Segment};
use super::{LENGTH_BYTES, kind, put_varint};
use crate::limits::{BODIES_BEGUN, INITIAL_WINDOW, PIECE_BYTES, WHOLE_UP_TO};

/// What a body is the body of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyOf {
    /// Our call of this id.
    Call(i64),
    /// The answer to the peer's call of this id.
    Answer(i64),
}

#[derive(Debug)]
struct OutBody {
    number: u64,
    of: BodyOf,
    /// What has not left.
    parts: VecDeque<Bytes>,
    length: usize,
    left: usize,
}

/// Bodies that wait, and those of which some pieces may have left.
#[derive(Debug)]
pub(super) struct OutBodies {
    /// How many were announced: the number of the last.
    announced: u64,
    waiting: VecDeque<OutBody>,
    /// They take turns. The peer was promised that there are not too many.
    begun: VecDeque<OutBody>,
    /// Bytes that have not left: of all, of calls, of answers.
    bytes: usize,
    call_bytes: usize,
    answer_bytes: usize,
    /// Lengths of the answers that have begun, and how much that may be.
    begun_answers: usize,
    answer_room: usize,
    whole_up_to: usize,
    piece_bytes: usize,
}

impl Default for OutBodies {
    fn default() -> Self {
        Self {
            announced: 0,
            waiting: VecDeque::new(),
            begun: VecDeque::new(),
            bytes: 0,
            call_bytes: 0,
            answer_bytes: 0,
            begun_answers: 0,
            answer_room: INITIAL_WINDOW,
            whole_up_to: WHOLE_UP_TO,
            piece_bytes: PIECE_BYTES,
        }
    }
}

impl OutBodies {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(super) fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    /// Begins bodies, in their order, as long as the peer takes more at once.
    fn begin(&mut self) {
        while self.begun.len() < BODIES_BEGUN
            && let Some(next) = self.waiting.front()
        {
            if let BodyOf::Answer(_) = next.of {
                let begun = self.begun_answers + next.length;
                if self.begun_answers > 0 && begun > self.answer_room {
                    return;
                }
                self.begun_answers = begun;
            }
            self.begun.extend(self.waiting.pop_front());
        }
    }

    /// Appends the next piece of the body whose turn it is.
    pub(super) fn next_piece(&mut self, segment: &mut Segment) {
        self.begin();
        let Some(mut body) = self.begun.pop_front() else { return };
        let length = body.left.min(self.piece_bytes);
        let start = segment.bytes.len();
        segment.bytes.extend_from_slice(&[0, 0, 0, 0, kind::PIECE]);
        put_varint(&mut segment.bytes, body.number);
        // A piece has 256 KiB at most.
        let frame = (segment.bytes.len() - start - LENGTH_BYTES + length) as u32;
        segment.bytes[start..start + LENGTH_BYTES].copy_from_slice(&frame.to_le_bytes());
        let at = segment.bytes.len();
        let mut rest = length;
        while rest > 0
            && let Some(part) = body.parts.front_mut()
        {
            let taken = if part.len() <= rest { body.parts.pop_front() } else { Some(part.split_to(rest)) };
            rest -= taken.as_ref().map_or(0, Bytes::len);
            segment.splices.extend(taken.map(|taken| (at, taken)));
        }
        segment.ends_with_piece = true;
        body.left -= length;
        if let BodyOf::Answer(_) = body.of {
            segment.answer_bytes += length;
        }
        self.count_sent(body.of, length);
        if body.left > 0 {
            self.begun.push_back(body);
        } else {
            self.ended(&body);
        }
    }

    fn count_sent(&mut self, of: BodyOf, bytes: usize) {
        self.bytes -= bytes;
        match of {
            BodyOf::Call(_) => self.call_bytes -= bytes,
            BodyOf::Answer(_) => self.answer_bytes -= bytes,
        }
    }

    /// One that had begun is over.
    fn ended(&mut self, body: &OutBody) {
        if let BodyOf::Answer(_) = body.of {
            self.begun_answers -= body.length;
        }
    }

    fn find(&self, of: BodyOf) -> Option<&OutBody> {
        self.begun.iter().chain(&self.waiting).find(|body| body.of == of)
    }

    fn remove(&mut self, of: BodyOf) -> Option<OutBody> {
        let is_it = |body: &OutBody| body.of == of;
        let body = if let Some(place) = self.begun.iter().position(is_it) {
            let body = self.begun.remove(place)?;
            self.ended(&body);
            body
        } else {
            let place = self.waiting.iter().position(is_it)?;
            self.waiting.remove(place)?
        };
        self.count_sent(of, body.left);
        Some(body)
    }
}

impl Out {
    /// Whether a body of this length goes in pieces.
    #[inline]
    pub(crate) fn cuts(&self, length: usize) -> bool {
        length > self.bodies.whole_up_to
    }

    /// Whether bodies are on their way.
    #[inline]
    pub(crate) fn has_bodies(&self) -> bool {
        !self.bodies.is_empty()
    }

    /// Bytes of calls that leave in pieces and have not left.
    pub(crate) fn call_body_bytes(&self) -> usize {
        self.bodies.call_bytes
    }

    /// The peer has told how many bytes of answers it takes at once.
    pub(crate) fn set_answer_room(&mut self, window: usize) {
        self.bodies.answer_room = window.max(INITIAL_WINDOW);
    }

    /// Sends a body, which is not empty, behind the message that has just announced it.
    pub(crate) fn send_body(&mut self, of: BodyOf, parts: Vec<Bytes>) {
        let bodies = &mut self.bodies;
        let length: usize = parts.iter().map(Bytes::len).sum();
        bodies.announced += 1;
        bodies.bytes += length;
        match of {
            BodyOf::Call(_) => bodies.call_bytes += length,
            BodyOf::Answer(_) => bodies.answer_bytes += length,
        }
        let parts = parts.into();
        bodies.waiting.push_back(OutBody { number: bodies.announced, of, parts, length, left: length });
    }

    /// Whether a part of this body has not left.
    pub(crate) fn sends(&self, of: BodyOf) -> bool {
        self.has_bodies() && self.bodies.find(of).is_some()
    }

    /// Calls of which a part has not left.
    pub(crate) fn unsent_calls(&self) -> impl Iterator<Item = i64> {
        let bodies = self.bodies.begun.iter().chain(&self.bodies.waiting);
        bodies.filter_map(|body| if let BodyOf::Call(id) = body.of { Some(id) } else { None })
    }

    /// Gives up the rest of a body, and tells the peer. What was not sent is to be dropped without the lock.
    pub(crate) fn stop_body(&mut self, of: BodyOf) -> impl Iterator<Item = Bytes> + use<> {
        let body = self.bodies.remove(of);
        if let Some(body) = &body {
            self.discard(body.number);
        }
        body.into_iter().flat_map(|body| body.parts)
    }

    pub(crate) fn discard(&mut self, body: u64) {
        let frame = self.begin(kind::DISCARD);
        put_varint(&mut self.bytes, body);
        self.end(frame);
    }

    /// Gives up all bodies without a word: the session is over.
    pub(crate) fn end_bodies(&mut self) -> impl Iterator<Item = Bytes> + use<> {
        let bodies = std::mem::take(&mut self.bodies);
        bodies.begun.into_iter().chain(bodies.waiting).flat_map(|body| body.parts)
    }
}

#[cfg(any(test, fuzzing, feature = "introspection"))]
impl Out {
    /// Cuts bodies of more than `whole_up_to` bytes into pieces of `piece_bytes`.
    pub(crate) fn cut_small(&mut self, whole_up_to: usize, piece_bytes: usize) {
        (self.bodies.whole_up_to, self.bodies.piece_bytes) = (whole_up_to, piece_bytes);
    }
}

#[cfg(any(test, fuzzing))]
impl Out {
    /// Appends a piece as it is.
    pub(crate) fn piece(&mut self, body: u64, bytes: &[u8]) {
        let frame = self.begin(kind::PIECE);
        let mut fields = Vec::new();
        put_varint(&mut fields, body);
        fields.extend_from_slice(bytes);
        self.append(&fields, &[]);
        self.end(frame);
    }
}

#[cfg(any(test, fuzzing, feature = "introspection"))]
impl Out {
    /// Panics if the books are wrong.
    pub(crate) fn check_bodies(&self) {
        let bodies = &self.bodies;
        let all = || bodies.begun.iter().chain(&bodies.waiting);
        let left = |calls: bool| {
            let of = all().filter(|body| matches!(body.of, BodyOf::Call(_)) == calls);
            of.map(|body| body.left).sum::<usize>()
        };
        assert_eq!((bodies.call_bytes, bodies.answer_bytes), (left(true), left(false)), "bytes of bodies");
        assert_eq!(bodies.bytes, left(true) + left(false), "bytes of bodies");
        for body in all() {
            assert_eq!(body.parts.iter().map(Bytes::len).sum::<usize>(), body.left, "bytes of a body");
            assert!(body.left > 0, "a body that has left");
        }
        let begun = bodies.begun.iter().filter(|body| matches!(body.of, BodyOf::Answer(_)));
        assert_eq!(
            bodies.begun_answers,
            begun.map(|body| body.length).sum::<usize>(),
            "answers that have begun"
        );
    }
}
