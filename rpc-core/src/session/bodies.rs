//! Bodies of the peer that come in pieces, and what waits behind them.
//!
//! The message that announces a body counts from where it stands: its call has its id, its capabilities are in the
//! tables, its bytes are in the window. Memory is taken when pieces come. A call whose body is incomplete holds up later
//! calls to the same target, and nothing else (R3c).
//!
//! ```text
//!              piece               last piece
//!   Announced ───────► Begun ───────────────────► (its call goes on, its answer settles)
//!       │                │  └── call or answer given up here: the rest is read and dropped
//!       └────────────────┴──── the peer gives up: discard ──► (its call fails)
//! ```

#[cfg(any(test, fuzzing, feature = "introspection"))]
mod checks;
mod given_up;

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use bytes::{Bytes, BytesMut};

use super::event::Retired;
use super::ids::IdHasher;
use super::{Cap, Event, Incoming, IncomingBody, Parts, Session, TargetKey};
use crate::error::Text;
use crate::limits::{BODIES_BEGUN, BODY_FROM, INITIAL_WINDOW, PIECE_BYTES};
use crate::outcome::{Answer, Body, Outcome};

type ByNumber<V> = HashMap<u64, V, BuildHasherDefault<IdHasher>>;

/// Bodies that are not complete, or whose call stands in a queue.
#[derive(Default)]
pub(super) struct Bodies {
    /// How many the peer has announced: the number of the last.
    announced: u64,
    pub(super) open: ByNumber<Arriving>,
    /// How many of them have begun, and the lengths of the answers among those.
    begun: usize,
    begun_answers: usize,
    /// Memory that was taken for them and has not been filled.
    ahead: usize,
    /// The body of which a piece is half here.
    #[cfg(any(test, fuzzing, feature = "introspection"))]
    coming: Option<u64>,
    /// The bodies of answers, by the call that they answer.
    answers: HashMap<i64, u64, BuildHasherDefault<IdHasher>>,
    /// Calls to targets that a call with an incomplete body goes to; one like that is the first of each queue.
    pub(super) queues: HashMap<TargetKey, VecDeque<Incoming>>,
}

pub(super) struct Arriving {
    pub(super) length: usize,
    pub(super) came: usize,
    pub(super) buffer: BytesMut,
    /// How many bytes of it there is memory for.
    reserved: usize,
    /// Whether it is the body of an answer, wanted or not.
    answer: bool,
    pub(super) of: Of,
}

pub(super) enum Of {
    /// Nobody wants it: what comes is dropped.
    Nobody,
    Call {
        id: i64,
        /// The arguments whose bytes are its first ones: their parameters and lengths.
        args: Vec<(u8, usize)>,
        /// The queue in which the call stands, once everything else that it waits for is there.
        queue: Option<TargetKey>,
    },
    Answer {
        id: i64,
        user: bool,
        caps: Vec<Cap>,
    },
}

/// Where a piece goes. Its memory is taken without the lock.
#[derive(Debug)]
pub(crate) struct Space {
    buffer: BytesMut,
    reserve: usize,
}

impl Space {
    /// The body as far as it has come, with room for the piece.
    pub(crate) fn take(self) -> BytesMut {
        let mut buffer = self.buffer;
        if self.reserve > 0 {
            buffer.reserve(self.reserve);
        }
        buffer
    }
}

impl Bodies {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Enters a body that nobody wants yet.
    fn announce(&mut self, length: usize, answer: bool) -> u64 {
        self.announced += 1;
        let buffer = BytesMut::new();
        let body = Arriving { length, came: 0, buffer, reserved: 0, answer, of: Of::Nobody };
        self.open.insert(self.announced, body);
        self.announced
    }

    fn find(&self, number: u64, what: &str) -> Result<&Arriving, String> {
        if number == 0 || number > self.announced {
            return Err(format!("it {what} the body {number}, which it never announced"));
        }
        match self.open.get(&number) {
            Some(body) if body.came < body.length => Ok(body),
            _ => Err(format!("it {what} the body {number}, which is complete or was given up")),
        }
    }

    /// Whether another body may begin, and the length of all answers that then have.
    fn check_begin(&self, body: &Arriving, window: usize) -> Result<usize, String> {
        if self.begun >= BODIES_BEGUN {
            return Err(format!(
                "it has begun {} bodies; no more than {BODIES_BEGUN} may be under way",
                self.begun + 1
            ));
        }
        if !body.answer {
            return Ok(self.begun_answers);
        }
        let answers = self.begun_answers + body.length;
        if self.begun_answers > 0 && answers > window {
            return Err(format!(
                "it has begun answers of {answers} bytes; the limit `window_bytes` is {window}"
            ));
        }
        Ok(answers)
    }

    /// A body that may have begun is complete, or was given up by the peer.
    fn count_ended(&mut self, body: &Arriving) {
        if body.came > 0 {
            self.begun -= 1;
            self.begun_answers -= if body.answer { body.length } else { 0 };
        }
    }
}

impl Arriving {
    /// How much memory the next piece needs: all that the body needs, if so much may be taken ahead of what comes, but
    /// no more than a first share and then three times what has come; else as much again as has come.
    fn more_memory(&self, piece: usize, may_be_ahead: usize) -> usize {
        let missing = self.length - self.came;
        if self.reserved - self.came >= piece {
            0
        } else if missing <= may_be_ahead {
            missing.min(BODY_FROM.max(3 * self.came))
        } else {
            piece.max(self.came).min(missing)
        }
    }

    /// Takes what has come out of it: nobody wants it any more.
    fn give_up(&mut self, ahead: &mut usize) -> (Of, Bytes) {
        *ahead -= self.reserved - self.came.min(self.reserved);
        self.reserved = 0;
        (std::mem::replace(&mut self.of, Of::Nobody), std::mem::take(&mut self.buffer).freeze())
    }
}

impl<P: Parts> Session<P> {
    /// Whether a message with a body of this length is one that this side takes.
    pub(super) fn check_body_length(&self, frame: usize, length: usize) -> Result<(), String> {
        let (bytes, limit) = (frame.saturating_add(length), self.limits.frame_bytes.max(INITIAL_WINDOW));
        if bytes > limit {
            return Err(format!(
                "a message says it is {bytes} bytes long with its body; the limit `frame_bytes` is {limit}"
            ));
        }
        Ok(())
    }

    /// A call has announced a body. Nobody wants it until the call has found its place.
    pub(super) fn announce_call_body(&mut self, length: usize) -> IncomingBody {
        IncomingBody::Arriving(self.bodies.announce(length, false))
    }

    /// The call of this body waits for it. The arguments are those whose bytes are the first ones.
    pub(super) fn want_call_body(&mut self, body: &IncomingBody, id: i64, args: Vec<(u8, usize)>) {
        if let IncomingBody::Arriving(number) = body
            && let Some(body) = self.bodies.open.get_mut(number)
        {
            body.of = Of::Call { id, args, queue: None };
        }
    }

    /// The peer has announced the body of an answer that it may give.
    pub(super) fn announce_answer(&mut self, id: i64, user: bool, caps: Vec<Cap>, length: usize) {
        let number = self.bodies.announce(length, true);
        if self.import_calls.get(id).is_none() {
            // It crossed our giving it up (R12).
            return self.drop_caps(caps);
        }
        if let Some(body) = self.bodies.open.get_mut(&number) {
            body.of = Of::Answer { id, user, caps };
        }
        self.bodies.answers.insert(id, number);
        self.look_at_small_messages();
    }

    /// Whether the peer may answer this call now.
    pub(super) fn check_reply(&self, id: i64) -> Result<(), String> {
        self.check_answer(id)?;
        if self.bodies.answers.contains_key(&id) {
            return Err(format!("it answered the call {id} twice"));
        }
        Ok(())
    }

    /// Small messages take their short way unless they may have to wait for something that arrives.
    pub(super) fn look_at_small_messages(&mut self) {
        self.plain = self.greeted && self.bodies.queues.is_empty() && self.bodies.answers.is_empty();
    }

    /// Takes one piece, which has come whole.
    pub(super) fn handle_piece(&mut self, number: u64, bytes: &[u8]) -> Result<(), String> {
        let mut body = self.begin_piece(number, bytes.len())?.map(Space::take);
        if let Some(body) = &mut body {
            body.extend_from_slice(bytes);
        }
        self.end_piece(number, bytes.len(), body);
        Ok(())
    }

    /// A piece of so many bytes begins. `None`: nobody wants it; it is to be read and dropped.
    pub(crate) fn begin_piece(&mut self, number: u64, length: usize) -> Result<Option<Space>, String> {
        if !self.greeted {
            return Err("it sent another message before its greeting".to_owned());
        }
        let body = self.bodies.find(number, "sent a piece of")?;
        if length == 0 {
            return Err(format!("it sent an empty piece of the body {number}"));
        }
        if length > PIECE_BYTES {
            return Err(format!("it sent a piece of {length} bytes; none has more than {PIECE_BYTES}"));
        }
        if body.came + length > body.length {
            return Err(format!(
                "the body {number} has {} bytes and more; it said that there are {}",
                body.came + length,
                body.length
            ));
        }
        let first = body.came == 0;
        if first {
            let window = self.limits.window_bytes.max(INITIAL_WINDOW);
            self.bodies.begun_answers = self.bodies.check_begin(body, window)?;
            self.bodies.begun += 1;
        }
        #[cfg(any(test, fuzzing, feature = "introspection"))]
        {
            self.bodies.coming = Some(number);
        }
        let may_be_ahead = self.limits.frame_bytes.max(INITIAL_WINDOW).saturating_sub(self.bodies.ahead);
        let Some(body) = self.bodies.open.get_mut(&number) else { return Ok(None) };
        if let Of::Nobody = body.of {
            return Ok(None);
        }
        let reserve = body.more_memory(length, may_be_ahead);
        if reserve > 0 {
            self.bodies.ahead += body.came + reserve - body.reserved;
            body.reserved = body.came + reserve;
        }
        Ok(Some(Space { buffer: std::mem::take(&mut body.buffer), reserve }))
    }

    /// A piece of so many bytes has come. `buffer` is what [`begin_piece`](Self::begin_piece) gave, with them.
    pub(crate) fn end_piece(&mut self, number: u64, length: usize, buffer: Option<BytesMut>) {
        let mut buffer = buffer;
        #[cfg(any(test, fuzzing, feature = "introspection"))]
        {
            self.bodies.coming = None;
        }
        if let Some(body) = self.bodies.open.get_mut(&number) {
            body.came += length;
            if !matches!(body.of, Of::Nobody) {
                self.bodies.ahead -= length;
                body.buffer = buffer.take().unwrap_or_default();
            }
            if body.came == body.length {
                self.complete_body(number);
            }
        }
        // It was given up while the piece came.
        self.events.extend(buffer.map(|buffer| Event::Retired(Retired::Bytes(buffer.freeze()))));
    }

    fn complete_body(&mut self, number: u64) {
        let Some(body) = self.bodies.open.get(&number) else { return };
        match &body.of {
            // The call stands in a queue. Its body waits with it; those behind it need not look for it there.
            Of::Call { queue: Some(queue), .. } => {
                let queue = queue.clone();
                self.bodies.begun -= 1;
                self.advance(&queue, number);
            }
            _ => {
                let Some(body) = self.bodies.open.remove(&number) else { return };
                self.bodies.count_ended(&body);
                let bytes = body.buffer.freeze();
                match body.of {
                    Of::Nobody => {}
                    Of::Call { id, args, .. } => self.fill_parked(id, &args, bytes),
                    Of::Answer { id, user, caps } => {
                        self.bodies.answers.remove(&id);
                        let answer = Answer { body: Body::Shared(bytes), caps, schema: None };
                        let outcome =
                            if user { Outcome::User(answer, Text::EMPTY) } else { Outcome::Value(answer) };
                        self.handle_answer(id, outcome);
                        self.look_at_small_messages();
                    }
                }
            }
        }
    }
}
