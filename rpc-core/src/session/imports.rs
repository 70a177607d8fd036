//! What the peer lets us call: results of our calls, and capabilities that it sent.
//!
//! ```text
//!            call, no room             room
//!   (new) ───────────────► Lined ───────────────► Waiting ──answer──► Settled ──last handle──► (gone)
//!     │                                              ▲                                            ▲
//!     └─────────────────── call ─────────────────────┘      last handle: finish, run or cancel ───┘
//!     └─── a capability in a message ──► Capability ──last handle: release──► (gone)
//! ```

use std::collections::HashSet;

use super::line::frame_bound;
use super::routes::Route;
use super::{Cap, Event, Lined, Parts, Session, SlotKey};
use crate::codec::{Capability, Encoded};
use crate::error::{Error, ErrorKind};
use crate::limits::CALL_COST;
use crate::outcome::{Answer, Body, Outcome};
use crate::schema::Schema;
use crate::wire::{BodyOf, CallFrame, Mark, Out, Path, flag};

/// One slot of the import table.
pub(crate) struct Import<P: Parts> {
    /// Handles of this side on the slot. It goes with the last.
    pub(super) handles: u32,
    pub(super) waiter: P::Waiter,
    /// How to walk the result, if the interface of the call is known.
    pub(super) schema: Option<&'static Schema>,
    /// Nobody holds it any more, but it is to be sent when its turn in the line comes.
    pub(super) abandoned: bool,
    pub(super) state: State,
}

pub(super) enum State {
    /// In the waiting line, without an id. Who has asked for the answer may not ask again.
    Lined { detached: bool, polled: bool },
    /// Sent and not answered.
    Waiting(Waiting),
    /// Answered by a value without capabilities, which most calls are. With `forget` the callee has kept nothing.
    Value { id: i64, forget: bool, body: Body },
    /// Answered by anything. Boxed, so that slots are small.
    Settled { id: i64, forget: bool, outcome: Box<Outcome<Cap>> },
    /// Held by the peer for us; `introduced` times it was sent.
    Capability { id: i64, introduced: u64 },
}

pub(super) struct Waiting {
    pub(super) id: i64,
    /// Where the call's flags stand.
    pub(super) mark: Mark,
    /// Whether the callee will answer without being asked.
    pub(super) send: bool,
    pub(super) forget: bool,
    pub(super) polled: bool,
    /// Whether a frame refers to it.
    pub(super) referenced: bool,
    pub(super) detached: bool,
    /// The paths through which calls went, or will go that are in line.
    pub(super) piped: Option<Box<Vec<Path>>>,
}

impl<P: Parts> Import<P> {
    /// The slot of a call that was just sent, with one handle.
    #[inline]
    pub(super) fn waiting(schema: &'static Schema, waiting: Waiting) -> Self {
        let state = State::Waiting(waiting);
        Self { handles: 1, waiter: P::Waiter::default(), schema: Some(schema), abandoned: false, state }
    }

    /// Makes an answer that is a value without capabilities one like all others.
    pub(super) fn widen(&mut self) {
        if let State::Value { id, forget, body } = &mut self.state {
            let body = std::mem::replace(body, Body::EMPTY);
            let answer = Answer { body, caps: Vec::new(), schema: self.schema };
            let outcome = Box::new(Outcome::Value(answer));
            self.state = State::Settled { id: *id, forget: *forget, outcome };
        }
    }
}

impl Waiting {
    /// A call that was just sent and whose answer is wanted.
    #[inline]
    pub(super) fn sent(id: i64, mark: Mark) -> Self {
        Self {
            id,
            mark,
            send: true,
            forget: false,
            polled: false,
            referenced: false,
            detached: false,
            piped: None,
        }
    }

    /// Somebody waits for the answer: has it sent, and kept only if it may be referred to (R2).
    #[inline]
    fn want(&mut self, handles: u32, out: &mut Out) {
        if !std::mem::replace(&mut self.polled, true) && out.holds(self.mark) {
            self.send = true;
            self.forget = handles == 1 && !self.referenced;
            let set = if self.forget { flag::SEND | flag::FORGET } else { flag::SEND };
            out.patch(self.mark, set, 0);
        }
        if !std::mem::replace(&mut self.send, true) {
            out.pull(self.id);
        }
    }

    /// A call goes through a part of it.
    pub(super) fn pipe(&mut self, path: &Path) {
        let piped = self.piped.get_or_insert_default();
        if !piped.contains(path) {
            piped.push(path.clone());
        }
    }

    /// Whether no call went through it: its answer settles it and nothing else.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.send && self.piped.is_none()
    }
}

/// What became of a call.
pub(crate) enum Called {
    /// It is on its way, or in the line; here is the slot of its result, with one handle.
    Sent(SlotKey),
    /// Its target turned out to be on this side: call it there.
    Local(Box<Capability>),
}

/// What a poll found.
pub(crate) enum Polled {
    Pending,
    /// The outcome. With `removed`, the slot is gone and its handle must not be released.
    Settled {
        outcome: Outcome<Cap>,
        schema: Option<&'static Schema>,
        removed: bool,
    },
}

impl<P: Parts> Session<P> {
    /// Makes a call on what `target` and `path` lead to. Its arguments are in `encoded`, which is left as it is
    /// unless the call has to wait in line.
    #[inline]
    pub(crate) fn call(
        &mut self,
        (target, path): (SlotKey, &Path),
        method: u64,
        encoded: &mut Encoded,
        schema: Option<&'static Schema>,
    ) -> Result<Called, Error> {
        // What does not go to the peer does not wait for it.
        if let Some(capability) = self.home(target, path) {
            return Ok(Called::Local(Box::new(capability)));
        }
        if let Some(reason) = self.ended().or(self.farewell.as_ref()) {
            let reason = reason.clone();
            return self.call_after_end((target, path), &reason);
        }
        if self.peer_leaving && self.running == 0 {
            return Err(Error::new(ErrorKind::ShuttingDown, "the peer is shutting down"));
        }
        let (steps, limit) = (path.steps().len(), self.limits.path_steps);
        if steps > limit {
            let text = format!("the path of the call has {steps} steps; the limit `path_steps` is {limit}");
            return Err(Error::new(ErrorKind::Limit, text));
        }
        let bytes = frame_bound(path, encoded);
        self.check_frame(bytes)?;
        self.check_call_room(bytes)?;
        self.check_export_room(
            encoded.caps.len() + encoded.filled.iter().map(|arg| arg.caps.len()).sum::<usize>(),
        )?;
        self.check_promises(encoded)?;
        let route = if self.has_room(bytes) { self.route(target, path)? } else { Route::Lined };
        let import = Import {
            handles: 1,
            waiter: P::Waiter::default(),
            schema,
            abandoned: false,
            state: State::Lined { detached: false, polled: false },
        };
        match route {
            Route::Local(capability) => Ok(Called::Local(Box::new(capability))),
            Route::Lined => {
                let key = self.imports.insert(import);
                let encoded = std::mem::take(encoded);
                self.join_line(Lined { key, target, path: path.clone(), method, encoded });
                Ok(Called::Sent(key))
            }
            Route::Wire(id, path) => {
                let key = self.imports.insert(import);
                self.send(key, id, &path, method, encoded);
                Ok(Called::Sent(key))
            }
        }
    }

    /// Whether the peer takes a call of so many bytes.
    #[inline]
    pub(crate) fn check_frame(&self, bytes: usize) -> Result<(), Error> {
        let error = |name: &str, limit: i64| {
            let text = format!("the call takes {bytes} bytes; the peer's limit `{name}` is {limit}");
            Err(Error::new(ErrorKind::Limit, text))
        };
        if bytes > self.peer_frame_bytes {
            return error("frame_bytes", self.peer_frame_bytes as i64);
        }
        if (bytes + CALL_COST) as i64 > self.peer_window {
            return error("window_bytes", self.peer_window);
        }
        Ok(())
    }

    /// Writes a call and gives its slot an id.
    #[inline]
    pub(super) fn send(
        &mut self,
        key: SlotKey,
        target: i64,
        path: &Path,
        method: u64,
        encoded: &mut Encoded,
    ) {
        let caps = self.describe_all(encoded);
        if !caps.is_empty() {
            self.note_passed(&caps, key, encoded.at);
        }
        let mut promises = Vec::with_capacity(encoded.promises.len());
        for promise in &encoded.promises {
            if let super::Place::Here(other, path) = promise.handle.place(self.id) {
                promises.extend(self.promise_id(other).map(|id| (promise.param, id, path)));
            }
        }
        self.sent_calls += 1;
        let before = self.out.len();
        let (detached, polled) = match self.imports.get(key).map(|import| &import.state) {
            Some(State::Lined { detached, polled }) => (*detached, *polled),
            _ => (false, false),
        };
        let send = polled || !detached;
        let piped = if self.lined_on.is_empty() { None } else { self.lined_on.remove(&key) };
        let length = encoded.len_with_filled();
        let in_pieces = self.out.cuts(length).then_some(length);
        let mark = self.out.call(&CallFrame {
            flags: if send { flag::SEND } else { 0 },
            target,
            path,
            method,
            caps: &caps,
            promises: &promises,
            filled: &encoded.filled,
            in_pieces,
            encoded,
        });
        let cost = self.out.len() - before - crate::wire::LENGTH_BYTES + in_pieces.unwrap_or(0) + CALL_COST;
        if in_pieces.is_some() {
            self.out.send_body(BodyOf::Call(self.sent_calls), encoded.share_parts());
        }
        self.window_left -= cost as i64;
        self.unanswered += 1;
        self.import_calls.insert(self.sent_calls, key);
        if let Some(import) = self.imports.get_mut(key) {
            let sent = Waiting::sent(self.sent_calls, mark);
            import.state = State::Waiting(Waiting { send, polled, detached, piped, ..sent });
            if import.abandoned {
                self.release(key);
            }
        }
    }

    pub(crate) fn send_lined(&mut self, lined: &mut Lined) {
        if let Err(error) = self.check_promises(&lined.encoded) {
            return self.fail_import(lined.key, error);
        }
        match self.route(lined.target, &lined.path) {
            Ok(Route::Wire(id, path)) => self.send(lined.key, id, &path, lined.method, &mut lined.encoded),
            // What it waited for settled to something on this side while it was in line. Others went the same way
            // before, and an echo goes behind it: it goes by way of the peer, which knows the same answer.
            Ok(Route::Local(_)) => match self.promise_id(lined.target) {
                Some(id) => {
                    let path = lined.path.clone();
                    self.send(lined.key, id, &path, lined.method, &mut lined.encoded);
                }
                None => self.fail_import(lined.key, Error::new(ErrorKind::Disposed, "the target is gone")),
            },
            Ok(Route::Lined) => {
                self.fail_import(
                    lined.key,
                    Error::new(ErrorKind::Internal, "a call left the line before its target"),
                );
            }
            Err(error) => self.fail_import(lined.key, error),
        }
    }

    pub(crate) fn fail_import(&mut self, key: SlotKey, error: Error) {
        if let Some(import) = self.imports.get_mut(key) {
            let outcome = Box::new(Outcome::Failed(error));
            self.unread_bytes += outcome.len();
            import.state = State::Settled { id: 0, forget: true, outcome };
            let waiter = std::mem::take(&mut import.waiter);
            self.events.push(Event::Settled(waiter, key));
        }
    }

    /// The method of a call, for people.
    pub(crate) fn method_of(&self, key: SlotKey) -> Option<&'static str> {
        self.imports.get(key)?.schema.and_then(Schema::method)
    }

    /// How a call has ended, for people.
    pub(crate) fn outcome_in_a_word(&self, key: SlotKey) -> &'static str {
        match self.imports.get(key).map(|import| &import.state) {
            Some(State::Value { .. }) => "value",
            Some(State::Settled { outcome, .. }) => match &**outcome {
                Outcome::Value(_) => "value",
                Outcome::User(..) => "error",
                Outcome::Failed(error) => error.kind().word(),
            },
            _ => "given up",
        }
    }

    /// What waits for a call.
    #[inline]
    pub(crate) fn waiter_mut(&mut self, key: SlotKey) -> Option<&mut P::Waiter> {
        self.imports.get_mut(key).map(|import| &mut import.waiter)
    }

    /// Whether the frame of the call has left the buffer, or there never was one.
    pub(crate) fn is_sent(&self, key: SlotKey) -> bool {
        match self.imports.get(key).map(|import| &import.state) {
            Some(State::Lined { .. }) => false,
            Some(State::Waiting(waiting)) => {
                !self.out.holds(waiting.mark) && !self.out.sends(BodyOf::Call(waiting.id))
            }
            Some(State::Value { .. } | State::Settled { .. } | State::Capability { .. }) | None => true,
        }
    }

    /// Asks for the outcome, and settles what the callee has to send back for it (R2).
    #[inline]
    pub(crate) fn poll(&mut self, key: SlotKey) -> Polled {
        let Some(import) = self.imports.get_mut(key) else {
            let error = Error::new(ErrorKind::Disposed, "the promise was used up already");
            return Polled::Settled { outcome: Outcome::Failed(error), schema: None, removed: true };
        };
        import.widen();
        match &mut import.state {
            State::Lined { polled, .. } => {
                *polled = true;
                Polled::Pending
            }
            State::Value { .. } => Polled::Pending,
            State::Capability { .. } => {
                let error = Error::new(ErrorKind::Unsupported, "a stub is not a promise");
                Polled::Settled { outcome: Outcome::Failed(error), schema: None, removed: false }
            }
            State::Waiting(waiting) => {
                waiting.want(import.handles, &mut self.out);
                Polled::Pending
            }
            State::Settled { outcome, .. } => {
                let schema = import.schema;
                if import.handles == 1 {
                    return match self.remove_settled(key) {
                        Some(outcome) => Polled::Settled { outcome, schema, removed: true },
                        None => Polled::Pending,
                    };
                }
                let outcome = outcome.clone_with(|cap| cap.duplicate());
                self.hold_caps(outcome.caps());
                Polled::Settled { outcome, schema, removed: false }
            }
        }
    }

    /// Asks for the outcome of a call that has not settled; gives where to leave who waits. `None`: it is something
    /// else, and nothing was done.
    #[inline]
    pub(crate) fn wait(&mut self, key: SlotKey) -> Option<&mut P::Waiter> {
        let import = self.imports.get_mut(key)?;
        let State::Waiting(waiting) = &mut import.state else { return None };
        waiting.want(import.handles, &mut self.out);
        Some(&mut import.waiter)
    }

    /// Whether the peer may answer this call now.
    pub(crate) fn check_answer(&self, id: i64) -> Result<(), String> {
        if id <= 0 || id > self.sent_calls {
            return Err(format!("it answered the call {id}, which was never made"));
        }
        if !self.embargoes.is_empty() && self.embargoes.contains_key(&id) {
            return Err(format!("it answered the echo {id}"));
        }
        match self.import_calls.get(id).and_then(|key| self.imports.get(key)) {
            Some(Import { state: State::Waiting(_), .. }) | None => Ok(()),
            Some(_) => Err(format!("it answered the call {id} twice")),
        }
    }

    /// The peer answered a call of ours, which it may.
    #[inline]
    pub(crate) fn handle_answer(&mut self, id: i64, outcome: Outcome<Cap>) {
        // One that is refused before its arguments have left needs no more of them.
        self.stop_sending(BodyOf::Call(id));
        let Some(key) = self.import_calls.get(id) else {
            // It crossed our giving it up (R12): what it carries is given up as well.
            return self.drop_outcome(outcome);
        };
        let Some(import) = self.imports.get_mut(key) else { return };
        let State::Waiting(waiting) = &mut import.state else { return };
        let (forget, piped) = (waiting.forget, std::mem::take(&mut waiting.piped));
        let schema = import.schema;
        let waiter = std::mem::take(&mut import.waiter);
        let outcome = self.bound_unread(with_schema(outcome, schema));
        let outcome = if outcome.caps().is_empty() {
            outcome
        } else {
            let piped = piped.as_ref().map_or(&[][..], |piped| &piped[..]);
            self.lay_embargoes((key, id), schema, outcome, piped)
        };
        self.unanswered = self.unanswered.saturating_sub(1);
        if forget {
            self.import_calls.remove(id);
        }
        if let Some(import) = self.imports.get_mut(key) {
            import.state = State::Settled { id, forget, outcome: Box::new(outcome) };
        }
        self.events.push(Event::Settled(waiter, key));
    }

    #[inline]
    pub(super) fn bound_unread(&mut self, outcome: Outcome<Cap>) -> Outcome<Cap> {
        let unread = self.unread_bytes + outcome.len();
        if unread <= self.limits.unread_result_bytes {
            self.unread_bytes = unread;
            return outcome;
        }
        self.drop_outcome(outcome);
        let limit = self.limits.unread_result_bytes;
        let text =
            format!("{unread} bytes of results wait to be read; the limit `unread_result_bytes` is {limit}");
        Outcome::Failed(Error::new(ErrorKind::Limit, text).with_may_have_run(true))
    }

    /// The session is over: every call that waits fails.
    pub(crate) fn end_imports(&mut self, reason: &Error) {
        self.end_line(reason);
        self.fail_embargoes(reason);
        let unsent: HashSet<i64> = self.out.unsent_calls().collect();
        for key in self.imports.keys() {
            let Some(import) = self.imports.get_mut(key) else { continue };
            let ran = match &import.state {
                State::Lined { .. } => false,
                State::Waiting(waiting) => !self.out.holds(waiting.mark) && !unsent.contains(&waiting.id),
                State::Value { .. } | State::Settled { .. } | State::Capability { .. } => {
                    let waiter = std::mem::take(&mut import.waiter);
                    self.events_retire_waiter(waiter);
                    continue;
                }
            };
            self.fail_import(key, reason.clone().with_may_have_run(ran));
        }
        self.unanswered = 0;
    }
}

#[cfg(any(test, fuzzing, feature = "introspection"))]
impl<P: Parts> Session<P> {
    /// Panics if the books are wrong.
    pub(crate) fn check_imports(&self) {
        let waiting = self.imports.iter().filter(|import| matches!(import.state, State::Waiting(_))).count();
        assert_eq!(self.unanswered, waiting, "unanswered calls");
        let unread = self.imports.iter().map(|import| match &import.state {
            State::Settled { outcome, .. } => outcome.len(),
            State::Value { body, .. } => body.as_slice().len(),
            _ => 0,
        });
        assert_eq!(self.unread_bytes, unread.sum::<usize>(), "bytes of unread results");
        for import in self.imports.iter() {
            assert!(import.handles > 0, "a slot without a handle");
        }
    }
}

#[inline]
fn with_schema(outcome: Outcome<Cap>, schema: Option<&'static Schema>) -> Outcome<Cap> {
    match outcome {
        Outcome::Value(mut answer) => {
            answer.schema = schema;
            Outcome::Value(answer)
        }
        Outcome::User(mut answer, message) => {
            answer.schema = schema;
            Outcome::User(answer, message)
        }
        Outcome::Failed(error) => Outcome::Failed(error.calling(schema.and_then(Schema::method))),
    }
}
