//! The peer's calls from their arrival until it gives their promises up.
//!
//! ```text
//!            target or argument unsettled        may not start yet
//!   (call) ──────────────► Parked ──────────────► Ready ───────► Running ──────► Settled ──► (gone)
//!     └──────────────────────────────────────────────────────────────▲               ▲
//!     └── a synchronous method of a call that says `forget` has no entry at all ─────┘
//! ```
//!
//! An answer is held by the peer's promise, by each live call that builds on it, and by each stub made of it
//! (R12). When the last hold goes before the method has ended, the method is cancelled.

use super::event::{Retired, count_caps};
use super::holds::gone;
use super::settling::arg_in;
use super::{Cap, Event, Filled, Incoming, IncomingBody, Parts, Session, SlotKey, What};
use crate::codec::{Capability, Encoded};
use crate::error::{Error, ErrorKind};
use crate::limits::{CAP_BOUND, RUNNING_FROM};
use crate::outcome::{Body, Outcome, Reply, Status};
use crate::wire::{BodyOf, Path, WireCap, flag};

/// The most that an answer takes beside its body and its capabilities, in bytes.
const ANSWER_HEAD: usize = 64;

/// One call of the peer.
pub(crate) struct AnswerEntry<P: Parts> {
    pub(super) id: i64,
    pub(super) state: State<P>,
    /// Whether the peer's promise is alive.
    pub(super) importer: bool,
    /// Live calls that build on it, and stubs and watchers made of it.
    pub(super) holds: u32,
    /// Dependents that wait no more.
    pub(super) stale: usize,
    pub(super) send: bool,
    pub(super) forget: bool,
    pub(super) detached: bool,
    /// What is to be done when it settles, in order.
    pub(super) dependents: Vec<Dependent<P>>,
}

pub(super) enum State<P: Parts> {
    Parked(Box<Parked>),
    /// It waits for this body.
    Arriving(u64),
    Ready,
    /// Its turn has come, and it has not said how far it came.
    Starting,
    /// The same, and nobody wants it any more: it is not to begin anew.
    Unwanted,
    Running(Option<P::Running>),
    Settled(Outcome<Capability>),
}

impl<P: Parts> State<P> {
    /// Of a call that can run and has to wait its turn, or for its body.
    pub(super) fn before(body: &IncomingBody) -> Self {
        match body {
            IncomingBody::Arriving(number) => Self::Arriving(*number),
            IncomingBody::Frame(_) | IncomingBody::Kept(_) => Self::Ready,
        }
    }
}

/// A call whose target or arguments have not settled.
pub(crate) struct Parked {
    pub(crate) target: Option<Capability>,
    pub(crate) method: u64,
    pub(crate) caps: Vec<Cap>,
    pub(crate) filled: Vec<Filled>,
    pub(crate) metadata: Option<Box<[u8]>>,
    pub(crate) body: IncomingBody,
    pub(crate) cost: usize,
    /// The calls that it waits for.
    pub(crate) waits: Vec<i64>,
    pub(crate) what: What,
}

impl Parked {
    /// How many capabilities it has.
    pub(super) fn caps(&self) -> usize {
        count_caps(&self.caps, &self.filled)
    }
}

pub(crate) enum Dependent<P: Parts> {
    /// The call of this id goes to what lies at the path.
    Target(i64, Path),
    /// The call of this id has the value at the path as its argument.
    Arg(i64, u8, Path),
    /// A stub of this side was made of it. With the flag it hears behind the calls that came before it.
    Watcher(P::Watcher, Path, bool),
}

/// What is known about an answer that a frame refers to.
pub(crate) enum Lookup {
    Settled(SlotKey),
    Unsettled(SlotKey),
}

impl<P: Parts> Session<P> {
    /// Finds the answer that a frame refers to.
    pub(crate) fn find_answer(&self, id: i64) -> Result<Lookup, String> {
        if id <= 0 || id > self.received_calls {
            return Err(format!("it referred to its call {id}, which it never made"));
        }
        let key = self
            .answer_ids
            .get(id)
            .ok_or_else(|| format!("it referred to its call {id}, which it gave up"))?;
        match self.answers.get(key) {
            Some(AnswerEntry { importer: true, state: State::Settled(_), .. }) => Ok(Lookup::Settled(key)),
            Some(AnswerEntry { importer: true, .. }) => Ok(Lookup::Unsettled(key)),
            _ => Err(format!("it referred to its call {id}, which it gave up")),
        }
    }

    pub(super) fn settled(&self, key: SlotKey) -> Option<&Outcome<Capability>> {
        match &self.answers.get(key)?.state {
            State::Settled(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The capability at a path of an answer that has settled.
    pub(crate) fn project_target(&self, key: SlotKey, path: &Path) -> Result<Capability, Error> {
        self.settled(key).map_or_else(|| Err(gone()), |outcome| outcome.target_at(path))
    }

    /// The argument at a path of an answer that has settled.
    pub(crate) fn project_arg(&self, key: SlotKey, param: u8, path: &Path) -> Result<Filled, Error> {
        self.settled(key).map_or_else(|| Err(gone()), |outcome| arg_in(outcome, param, path))
    }

    pub(super) fn new_answer(&mut self, id: i64, flags: u8, state: State<P>) -> SlotKey {
        let importer = flags & flag::FORGET == 0;
        self.kept_calls += usize::from(importer);
        let key = self.answers.insert(AnswerEntry {
            id,
            state,
            importer,
            holds: 0,
            stale: 0,
            send: flags & flag::SEND != 0,
            forget: flags & flag::FORGET != 0,
            detached: false,
            dependents: Vec::new(),
        });
        self.answer_ids.insert(id, key);
        key
    }

    /// Enters a call that waits for others.
    pub(crate) fn park(
        &mut self,
        id: i64,
        flags: u8,
        parked: Parked,
        dependents: Vec<(SlotKey, Dependent<P>)>,
    ) {
        self.parked_bytes += parked.cost;
        self.parked += 1;
        self.waiting_caps += parked.caps();
        self.new_answer(id, flags, State::Parked(Box::new(parked)));
        for (on, dependent) in dependents {
            self.depend(on, dependent);
        }
    }

    pub(crate) fn depend(&mut self, on: SlotKey, dependent: Dependent<P>) {
        if let Some(entry) = self.answers.get_mut(on) {
            entry.holds += 1;
            entry.dependents.push(dependent);
        }
    }

    /// Enters a call that could run and has to wait its turn.
    pub(crate) fn enqueue(&mut self, incoming: Incoming) {
        self.new_answer(incoming.id, incoming.flags, State::before(&incoming.body));
        self.waiting_caps += incoming.caps();
        self.line_up(incoming);
    }

    #[inline]
    pub(crate) fn ready_is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// The next call to run that had to wait, if one may be started now.
    #[inline]
    pub(crate) fn next_ready(&mut self) -> Option<Incoming> {
        while let Some(next) = self.ready.front() {
            let what = next.what;
            if !matches!(what, What::Lift(_)) && !self.may_deliver() {
                return None;
            }
            let incoming = self.ready.pop_front()?;
            if let What::Lift(number) = what {
                self.lifted(number, incoming.target);
                continue;
            }
            self.give_credit(incoming.cost);
            self.waiting_caps -= incoming.caps();
            let entry = self.answer_ids.get(incoming.id).and_then(|key| self.answers.get_mut(key));
            if let Some(entry) = entry {
                entry.state = State::Starting;
                return Some(incoming);
            }
            // It was cancelled while it waited.
            self.retire_call(incoming.target, incoming.caps, incoming.filled, incoming.body);
            self.end_after_last();
        }
        None
    }

    pub(super) fn retire_call(
        &mut self,
        target: Capability,
        caps: Vec<Cap>,
        filled: Vec<Filled>,
        body: IncomingBody,
    ) {
        self.events.push(Event::Retired(Retired::Target(target)));
        self.retire_body(body);
        self.drop_caps(caps);
        self.retire_args(filled);
    }

    pub(super) fn retire_body(&mut self, body: IncomingBody) {
        match body {
            IncomingBody::Frame(_) => {}
            IncomingBody::Kept(bytes) => self.events.push(Event::Retired(Retired::Bytes(bytes))),
            IncomingBody::Arriving(number) => self.give_up_call_body(number),
        }
    }

    /// Deliveries stop while methods that run hold too much: then no number of them may run.
    fn bound_running(&mut self) {
        let room = self.running_bytes < self.limits.running_bytes;
        self.running_most = if room { self.limits.running_calls } else { 0 };
    }

    /// A call of so many bytes was started and has not ended: it counts as running until [`complete`](Self::complete).
    pub(crate) fn running(&mut self, id: i64, flags: u8, bytes: usize) {
        self.running += 1;
        if bytes >= RUNNING_FROM {
            self.long_runs.insert(id, bytes);
            self.running_bytes += bytes;
            self.bound_running();
        }
        let Some(key) = self.answer_ids.get(id) else {
            // After the end there is nobody to answer: the method is cancelled as soon as it says how.
            if self.ended().is_none() {
                self.new_answer(id, flags, State::Running(None));
            }
            return;
        };
        match self.answers.get_mut(key).map(|entry| &mut entry.state) {
            // It is cancelled in the same way.
            Some(State::Unwanted) => self.remove_answer(key),
            Some(state @ State::Starting) => *state = State::Running(None),
            _ => {}
        }
    }

    /// How a running call is cancelled. Comes back if it is over, or was cancelled, already.
    pub(crate) fn set_running(&mut self, id: i64, running: P::Running) -> Option<P::Running> {
        match self.answer_ids.get(id).and_then(|key| self.answers.get_mut(key)) {
            Some(AnswerEntry { state: State::Running(slot), .. }) => {
                let old = slot.replace(running);
                self.events.extend(old.map(|old| Event::Retired(Retired::Running(old))));
                None
            }
            _ => Some(running),
        }
    }

    /// A call that counts as running has ended. Its reply is dropped if nobody wants it.
    pub(crate) fn complete(&mut self, id: i64, reply: &mut Reply) {
        self.running = self.running.saturating_sub(1);
        if !self.long_runs.is_empty()
            && let Some(bytes) = self.long_runs.remove(&id)
        {
            self.running_bytes -= bytes;
            self.bound_running();
        }
        if let Some(key) = self.answer_ids.get(id) {
            self.finish_entry(key, reply);
            self.bound_unsent();
        }
        self.end_after_last();
    }

    /// A call ended inside the driver's loop, without ever having counted as running.
    #[inline]
    pub(crate) fn complete_inline(&mut self, id: i64, flags: u8, reply: &mut Reply) {
        if self.ended().is_some() && self.answer_ids.get(id).is_none() {
            return;
        }
        if let Some(key) = self.answer_ids.get(id) {
            self.finish_entry(key, reply);
        } else if flags & flag::FORGET != 0 {
            // A caller that neither waits nor comes back for the answer gets none.
            if flags & flag::SEND != 0 {
                self.write_reply(id, reply);
            }
        } else {
            self.answer_kept(id, flags, reply);
        }
        self.bound_unsent();
        self.end_after_last();
    }

    /// Answers a call that ended before anything could refer to it, and keeps the answer for what will.
    fn answer_kept(&mut self, id: i64, flags: u8, reply: &mut Reply) {
        if flags & flag::SEND != 0 && self.ended().is_none() {
            self.write_reply(id, reply);
        }
        let taken = std::mem::replace(reply, Reply::delivered());
        let outcome = self.bound_kept(taken.into_outcome());
        self.kept_bytes += outcome.len();
        self.kept_caps += outcome.caps().len();
        self.new_answer(id, flags, State::Settled(outcome));
    }

    pub(super) fn finish_entry(&mut self, key: SlotKey, reply: &mut Reply) {
        let Some(entry) = self.answers.get_mut(key) else { return };
        if let State::Running(running) = &mut entry.state {
            self.events.extend(running.take().map(|running| Event::Retired(Retired::Running(running))));
        }
        let (id, send) = (entry.id, entry.send);
        let keep = entry.importer || entry.holds > 0;
        if send && self.ended().is_none() {
            self.write_reply(id, reply);
        }
        if !keep {
            self.remove_answer(key);
            return;
        }
        let taken = std::mem::replace(reply, Reply::delivered());
        self.settle(key, taken.into_outcome());
    }

    /// Writes a reply that was just made; one that does not fit becomes a failure (row 240).
    #[inline]
    pub(super) fn write_reply(&mut self, id: i64, reply: &mut Reply) {
        if !matches!(reply.status, Status::Failed(_))
            && let Err(error) = self.check_answer_room(reply.encoded.len(), reply.encoded.caps.len())
        {
            reply.status = Status::Failed(error);
            // Capabilities in it, and payloads of a user's, are dropped without the lock, as all of them are (R14).
            let left = std::mem::take(&mut reply.encoded);
            self.events.push(Event::Retired(Retired::Encoded(left)));
        }
        match &reply.status {
            Status::Failed(error) => self.write_reject(id, error),
            Status::Delivered | Status::Passed(_) => {}
            Status::Value | Status::User(_) => {
                let user = matches!(reply.status, Status::User(_));
                let caps = self.describe_all(&reply.encoded);
                self.note_returned(&caps, reply.schema);
                if self.out.cuts(reply.encoded.len()) {
                    self.out.answer_in_pieces(id, user, &caps, reply.encoded.share_parts());
                } else {
                    self.out.answer(id, user, &caps, &reply.encoded);
                }
            }
        }
    }

    /// Whether a result of so many bytes and capabilities can be sent.
    #[inline]
    pub(super) fn check_answer_room(&self, bytes: usize, caps: usize) -> Result<(), Error> {
        let (bytes, limit) = (bytes + ANSWER_HEAD + CAP_BOUND * caps, self.peer_frame_bytes);
        if bytes > limit {
            let text = format!("the result takes {bytes} bytes; the caller's limit `frame_bytes` is {limit}");
            return Err(Error::new(ErrorKind::Limit, text).with_may_have_run(true));
        }
        self.check_export_room(caps).map_err(|error| error.with_may_have_run(true))
    }

    /// Writes a failure; of one that is too long for a frame, a part.
    pub(super) fn write_reject(&mut self, id: i64, error: &Error) {
        // Many calls may fail for one reason. What is over the limit is not written: the session is about to end.
        if self.unsent_answers() > self.limits.unsent_answer_bytes_hard {
            return;
        }
        let room = self.peer_frame_bytes.saturating_sub(ANSWER_HEAD);
        self.out.reject(id, error, room);
    }

    /// What to write for the capabilities of a message, those of its filled arguments last.
    #[inline]
    pub(crate) fn describe_all(&mut self, encoded: &Encoded) -> Vec<WireCap> {
        if encoded.caps.is_empty() && encoded.filled.is_empty() {
            return Vec::new();
        }
        let filled = encoded.filled.iter().flat_map(|filled| &filled.caps);
        encoded.caps.iter().chain(filled).map(|capability| self.describe(capability)).collect()
    }

    /// Writes an outcome that was kept.
    pub(super) fn write_outcome(&mut self, id: i64, outcome: &Outcome<Capability>) {
        if !matches!(outcome, Outcome::Failed(_))
            && let Err(error) = self.check_answer_room(outcome.len(), outcome.caps().len())
        {
            return self.write_reject(id, &error);
        }
        let caps: Vec<WireCap> = outcome.caps().iter().map(|capability| self.describe(capability)).collect();
        let (user, answer) = match outcome {
            Outcome::Value(answer) => (false, answer),
            Outcome::User(answer, _) => (true, answer),
            Outcome::Failed(error) => return self.write_reject(id, error),
        };
        self.note_returned(&caps, answer.schema);
        match &answer.body {
            Body::Shared(bytes) if self.out.cuts(bytes.len()) => {
                self.out.answer_in_pieces(id, user, &caps, vec![bytes.clone()]);
            }
            body => self.out.kept_answer(id, user, &caps, body.as_slice()),
        }
    }

    /// A call ended that never ran.
    pub(crate) fn refuse(&mut self, id: i64, flags: u8, error: Error) {
        let key = self.new_answer(id, flags, State::Ready);
        self.fail_entry(key, error);
    }

    pub(super) fn fail_entry(&mut self, key: SlotKey, error: Error) {
        let Some(entry) = self.answers.get(key) else { return };
        if entry.send {
            let id = entry.id;
            self.write_reject(id, &error);
        }
        self.settle(key, Outcome::Failed(error));
    }

    /// The peer wants an answer that it did not want before.
    pub(crate) fn handle_pull(&mut self, id: i64) -> Result<(), String> {
        let (Lookup::Unsettled(key) | Lookup::Settled(key)) = self.find_answer(id)?;
        let Some(entry) = self.answers.get_mut(key) else { return Ok(()) };
        if std::mem::replace(&mut entry.send, true) {
            return Err(format!("it asked for the answer to its call {id} a second time"));
        }
        if let State::Settled(outcome) = &entry.state {
            let outcome = outcome.clone_with(Clone::clone);
            self.write_outcome(id, &outcome);
            // Copies of capabilities are dropped outside the lock, as all of them are.
            self.retire_outcome(outcome);
        }
        Ok(())
    }

    /// The peer gave up the promise of a call.
    pub(crate) fn handle_finish(&mut self, id: i64, cancel: bool) -> Result<(), String> {
        if id <= 0 || id > self.received_calls {
            return Err(format!("it gave up its call {id}, which it never made"));
        }
        self.stop_sending(BodyOf::Answer(id));
        let Some(key) = self.answer_ids.get(id) else { return Ok(()) };
        if let Some(entry) = self.answers.get_mut(key) {
            self.kept_calls -= usize::from(std::mem::take(&mut entry.importer));
            entry.send = false;
            entry.detached |= !cancel;
        }
        self.drop_if_unheld(key);
        Ok(())
    }
}

#[cfg(any(test, fuzzing, feature = "introspection"))]
impl<P: Parts> Session<P> {
    /// Panics if the books are wrong.
    pub(crate) fn check_answers(&self) {
        let entries = || self.answers.iter();
        let parked = || {
            entries().filter_map(|entry| match &entry.state {
                State::Parked(parked) => Some(parked),
                _ => None,
            })
        };
        let kept = entries().filter_map(|entry| match &entry.state {
            State::Settled(outcome) => Some(outcome.len()),
            _ => None,
        });
        assert_eq!(self.kept_bytes, kept.sum::<usize>(), "bytes of kept answers");
        assert_eq!(self.kept_calls, entries().filter(|entry| entry.importer).count(), "calls not given up");
        let costs = parked().map(|parked| parked.cost).sum::<usize>();
        assert_eq!(self.parked_bytes, costs, "bytes of parked calls");
        let ready = self.ready.iter().map(|incoming| incoming.cost).sum::<usize>();
        if self.ended().is_none() {
            assert_eq!(
                self.window_used,
                costs + ready + self.queued().map(|incoming| incoming.cost).sum::<usize>(),
                "bytes in the window"
            );
        }
        let caps = parked()
            .map(|parked| parked.caps())
            .chain(self.ready.iter().chain(self.queued()).map(Incoming::caps))
            .sum::<usize>();
        let kept = entries().filter_map(|entry| match &entry.state {
            State::Settled(outcome) => Some(outcome.caps().len()),
            _ => None,
        });
        let counted = (self.parked, self.waiting_caps, self.kept_caps);
        assert_eq!(
            counted,
            (parked().count(), caps, kept.sum::<usize>()),
            "calls and capabilities that wait"
        );
        let holds = entries().map(|entry| entry.holds as usize).sum::<usize>();
        let waits = parked().map(|parked| parked.waits.len()).sum::<usize>();
        assert_eq!(holds, waits + self.pins, "holds on answers");
        for entry in entries() {
            assert_eq!(
                self.answer_ids.get(entry.id).and_then(|key| self.answers.get(key)).map(|found| found.id),
                Some(entry.id)
            );
            assert!(
                entry.importer || entry.holds > 0 || entry.detached || entry.forget,
                "an entry that nothing holds"
            );
            assert!(
                entry.dependents.len() <= 64 + 4 * entry.holds as usize,
                "dependents that wait no more pile up"
            );
        }
        assert!(self.loose.is_empty() && !self.loosening, "work left undone");
    }
}
