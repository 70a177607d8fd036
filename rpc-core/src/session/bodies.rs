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

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use bytes::{Bytes, BytesMut};

use super::answers::State;
use super::event::Retired;
use super::ids::IdHasher;
use super::{Cap, Event, Filled, Incoming, IncomingBody, Parts, Session, SlotKey, TargetKey};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind, Text};
use crate::limits::{BODIES_BEGUN, INITIAL_WINDOW, PIECE_BYTES};
use crate::outcome::{Answer, Body, Outcome};
use crate::wire::BodyOf;

type ByNumber<V> = HashMap<u64, V, BuildHasherDefault<IdHasher>>;

/// Bodies that are not complete, or whose call stands in a queue.
#[derive(Default)]
pub(super) struct Bodies {
    /// How many the peer has announced: the number of the last.
    announced: u64,
    open: ByNumber<Arriving>,
    /// How many of them have begun, and the lengths of the answers among those.
    begun: usize,
    begun_answers: usize,
    /// Memory that was taken for them and has not been filled.
    ahead: usize,
    /// The bodies of answers, by the call that they answer.
    answers: HashMap<i64, u64, BuildHasherDefault<IdHasher>>,
    /// Calls to targets that a call with an incomplete body goes to; one like that is the first of each queue.
    queues: HashMap<TargetKey, VecDeque<Incoming>>,
}

struct Arriving {
    length: usize,
    came: usize,
    buffer: BytesMut,
    /// How many bytes of it there is memory for.
    reserved: usize,
    /// Whether it is the body of an answer, wanted or not.
    answer: bool,
    of: Of,
}

enum Of {
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

    /// Whether a call to this target has to wait for one before it.
    pub(super) fn holds_up(&self, target: &Capability) -> bool {
        !self.queues.is_empty() && self.queues.contains_key(&target.handle.target_key())
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
    /// How much memory the next piece needs: at first all that the body needs, if so much may be taken ahead of what
    /// comes, else as much again as has come.
    fn more_memory(&self, piece: usize, may_be_ahead: usize) -> usize {
        let missing = self.length - self.came;
        if self.reserved - self.came >= piece {
            0
        } else if missing <= may_be_ahead {
            missing
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

    /// The body of a call that waits for something else as well is there.
    fn fill_parked(&mut self, id: i64, args: &[(u8, usize)], bytes: Bytes) {
        let entry = self.answer_ids.get(id).and_then(|key| self.answers.get_mut(key));
        if let Some(entry) = entry
            && let State::Parked(parked) = &mut entry.state
        {
            parked.body = IncomingBody::Kept(fill(bytes, args, &mut parked.filled));
        } else {
            self.events.push(Event::Retired(Retired::Bytes(bytes)));
        }
    }

    /// Gives a call that can run its place: behind those to the same target, if one of them waits for its body.
    pub(super) fn line_up(&mut self, incoming: Incoming) {
        let arriving = match incoming.body {
            IncomingBody::Arriving(number) => Some(number),
            _ if self.bodies.queues.is_empty() => None,
            _ if !self.bodies.holds_up(&incoming.target) => None,
            _ => Some(0),
        };
        let Some(number) = arriving else { return self.ready.push_back(incoming) };
        let target = incoming.target.handle.target_key();
        if let Some(Arriving { of: Of::Call { queue, .. }, .. }) = self.bodies.open.get_mut(&number) {
            *queue = Some(target.clone());
        }
        self.bodies.queues.entry(target).or_default().push_back(incoming);
        self.look_at_small_messages();
    }

    /// Lets go on what waited for the body of this number, if it is the first of this queue.
    fn advance(&mut self, target: &TargetKey, number: u64) {
        let first = self.bodies.queues.get(target).and_then(VecDeque::front).map(|first| &first.body);
        if !matches!(first, Some(IncomingBody::Arriving(first)) if *first == number) {
            return;
        }
        let Some(mut queue) = self.bodies.queues.remove(target) else { return };
        while let Some(mut first) = queue.pop_front() {
            if let IncomingBody::Arriving(number) = first.body {
                match self.bodies.open.get(&number) {
                    Some(body) if !matches!(body.of, Of::Nobody) => {
                        if body.came < body.length {
                            queue.push_front(first);
                            break;
                        }
                        self.take_body(number, &mut first);
                    }
                    // It was given up while it waited.
                    _ => {
                        self.give_credit(first.cost);
                        self.waiting_caps -= first.caps();
                        self.retire_call(first.target, first.caps, first.filled, first.body);
                        continue;
                    }
                }
            }
            self.ready.push_back(first);
        }
        if !queue.is_empty() {
            self.bodies.queues.insert(target.clone(), queue);
        }
        self.look_at_small_messages();
    }

    /// The first call of a queue has its body.
    fn take_body(&mut self, number: u64, incoming: &mut Incoming) {
        let Some(body) = self.bodies.open.remove(&number) else { return };
        if let Of::Call { id, args, .. } = body.of {
            incoming.body = IncomingBody::Kept(fill(body.buffer.freeze(), &args, &mut incoming.filled));
            incoming.filled.sort_by_key(|arg| arg.param);
            if let Some(entry) = self.answer_ids.get(id).and_then(|key| self.answers.get_mut(key)) {
                entry.state = State::Ready;
            }
        }
    }

    /// Nobody wants this body of a call any more.
    pub(super) fn give_up_call_body(&mut self, number: u64) {
        let Some(body) = self.bodies.open.get_mut(&number) else { return };
        let complete = body.came == body.length;
        let (of, bytes) = body.give_up(&mut self.bodies.ahead);
        self.events.push(Event::Retired(Retired::Bytes(bytes)));
        if complete {
            self.bodies.open.remove(&number);
        }
        if let Of::Call { queue: Some(queue), .. } = of {
            self.advance(&queue, number);
        }
    }

    /// Nobody waits for the answer to this call any more.
    pub(super) fn give_up_answer_body(&mut self, id: i64) {
        let Some(number) = self.bodies.answers.remove(&id) else { return };
        let Some(body) = self.bodies.open.get_mut(&number) else { return };
        let (of, bytes) = body.give_up(&mut self.bodies.ahead);
        self.events.push(Event::Retired(Retired::Bytes(bytes)));
        if let Of::Answer { caps, .. } = of {
            self.drop_caps(caps);
        }
        self.look_at_small_messages();
    }

    /// The peer will not send the rest of a body: its call, or the promise of its answer, fails.
    pub(super) fn handle_discard(&mut self, number: u64) -> Result<(), String> {
        self.bodies.find(number, "gave up")?;
        let Some(mut body) = self.bodies.open.remove(&number) else { return Ok(()) };
        self.bodies.count_ended(&body);
        let (of, bytes) = body.give_up(&mut self.bodies.ahead);
        self.events.push(Event::Retired(Retired::Bytes(bytes)));
        match of {
            Of::Nobody => {}
            Of::Answer { id, caps, .. } => {
                self.bodies.answers.remove(&id);
                self.drop_caps(caps);
                let error = Error::new(ErrorKind::Cancelled, "the callee gave its answer up midway");
                self.handle_answer(id, Outcome::Failed(error.with_may_have_run(true)));
            }
            Of::Call { id, queue, .. } => {
                if let Some(key) = self.answer_ids.get(id) {
                    let text = "the caller gave its arguments up midway";
                    self.fail_unstarted(key, Error::new(ErrorKind::Cancelled, text).did_not_run());
                }
                if let Some(queue) = queue {
                    self.advance(&queue, number);
                }
            }
        }
        self.look_at_small_messages();
        Ok(())
    }

    /// A call that waits for its body, and perhaps for other things, fails.
    fn fail_unstarted(&mut self, key: SlotKey, error: Error) {
        let Some(entry) = self.answers.get_mut(key) else { return };
        if let State::Parked(parked) = &mut entry.state {
            let waits = std::mem::take(&mut parked.waits);
            self.unpark(key);
            for on in waits {
                self.unhold(on);
            }
        }
        self.fail_entry(key, error);
    }

    /// The rest of no body will come, because the peer has closed its direction.
    pub(super) fn give_up_bodies(&mut self) {
        let incomplete = |(number, body): (&u64, &Arriving)| (body.came < body.length).then_some(*number);
        let mut numbers: Vec<u64> = self.bodies.open.iter().filter_map(incomplete).collect();
        numbers.sort_unstable();
        for number in numbers {
            // It is one that the peer may give up.
            let _ = self.handle_discard(number);
        }
    }

    /// The session is over.
    pub(super) fn end_bodies(&mut self) {
        let bodies = std::mem::take(&mut self.bodies);
        for body in bodies.open.into_values() {
            self.events.push(Event::Retired(Retired::Bytes(body.buffer.freeze())));
            if let Of::Answer { caps, .. } = body.of {
                self.drop_caps(caps);
            }
        }
        for incoming in bodies.queues.into_values().flatten() {
            self.retire_call(incoming.target, incoming.caps, incoming.filled, incoming.body);
        }
        self.look_at_small_messages();
        let unsent = self.out.end_bodies();
        self.events.extend(unsent.map(|part| Event::Retired(Retired::Bytes(part))));
    }

    /// The rest of a body of ours is not wanted: it is not sent.
    pub(super) fn stop_sending(&mut self, of: BodyOf) {
        if self.out.has_bodies() {
            let unsent = self.out.stop_body(of);
            self.events.extend(unsent.map(|part| Event::Retired(Retired::Bytes(part))));
        }
    }
}

/// Takes the bytes of arguments off the front of a body; gives the rest.
fn fill(mut body: Bytes, args: &[(u8, usize)], filled: &mut [Filled]) -> Bytes {
    for (param, length) in args {
        let own = body.split_to((*length).min(body.len()));
        let arg = filled.iter_mut().find(|arg| arg.param == *param && arg.body.is_empty());
        if let Some(arg) = arg {
            arg.body = own;
        }
    }
    body
}

#[cfg(any(test, fuzzing))]
impl<P: Parts> Session<P> {
    /// The calls that wait for a body, their own or another's.
    pub(crate) fn queued(&self) -> impl Iterator<Item = &Incoming> {
        self.bodies.queues.values().flatten()
    }

    /// Panics if a body is under way.
    pub(crate) fn check_empty_bodies(&self) {
        assert!(self.bodies.is_empty() && self.bodies.queues.is_empty(), "bodies come");
        assert!(!self.out.has_bodies(), "bodies go");
    }

    /// Memory that was taken for bodies, and how much of it is not filled.
    #[cfg(test)]
    pub(crate) fn body_memory(&self) -> (usize, usize) {
        let taken = self.bodies.open.values().map(|body| body.buffer.capacity()).sum();
        (taken, self.bodies.ahead)
    }

    /// Panics if the books are wrong.
    pub(crate) fn check_bodies(&self) {
        self.out.check_bodies();
        let Bodies { announced, open, begun, begun_answers, ahead, answers, queues } = &self.bodies;
        let incomplete = || open.values().filter(|body| body.came < body.length);
        assert!(open.keys().all(|number| number <= announced));
        assert_eq!(*begun, incomplete().filter(|body| body.came > 0).count(), "bodies that have begun");
        let begun = incomplete().filter(|body| body.came > 0 && body.answer);
        assert_eq!(*begun_answers, begun.map(|body| body.length).sum::<usize>(), "answers that have begun");
        let mut waiting = 0;
        for (number, body) in open {
            match &body.of {
                Of::Nobody => assert!(body.buffer.is_empty() && body.came < body.length),
                Of::Call { id, queue, .. } => {
                    let entry = self.answer_ids.get(*id).and_then(|key| self.answers.get(key));
                    let state = entry.map(|entry| &entry.state);
                    match queue {
                        Some(_) => assert!(matches!(state, Some(State::Arriving(body)) if body == number)),
                        None => assert!(matches!(state, Some(State::Parked(_)))),
                    }
                }
                Of::Answer { id, .. } => assert_eq!(answers.get(id), Some(number)),
            }
            if !matches!(body.of, Of::Nobody) {
                assert_eq!(body.buffer.len(), body.came, "bytes of a body");
                waiting += body.reserved - body.came;
            }
        }
        assert_eq!(*ahead, waiting, "memory ahead of what has come");
        for (target, queue) in queues {
            let first = queue.front().expect("a queue is not empty");
            assert_eq!(&first.target.handle.target_key(), target);
            let IncomingBody::Arriving(number) = first.body else { panic!("nothing to wait for") };
            assert!(open.get(&number).is_some_and(|body| body.came < body.length), "nothing to wait for");
        }
        assert_eq!(self.plain, self.greeted && queues.is_empty() && answers.is_empty());
    }
}
