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

use bytes::Bytes;

use super::event::Retired;
use super::{Cap, Event, Filled, Incoming, IncomingBody, Parts, Session, SlotKey};
use crate::codec::{Capability, Encoded};
use crate::error::{Error, ErrorKind};
use crate::limits::CAP_BOUND;
use crate::outcome::{Outcome, Reply, Status};
use crate::wire::{Path, WireCap, flag};

/// The most that an answer takes beside its body and its capabilities, in bytes.
const ANSWER_HEAD: usize = 64;

/// One call of the peer.
pub(crate) struct AnswerEntry<P: Parts> {
    id: i64,
    state: State<P>,
    /// Whether the peer's promise is alive.
    importer: bool,
    /// Live calls that build on it, and stubs and watchers made of it.
    holds: u32,
    /// Dependents that wait no more.
    stale: usize,
    send: bool,
    forget: bool,
    detached: bool,
    /// What is to be done when it settles, in order.
    dependents: Vec<Dependent<P>>,
}

enum State<P: Parts> {
    Parked(Box<Parked>),
    Ready,
    Running(Option<P::Running>),
    Settled(Outcome<Capability>),
}

/// A call whose target or arguments have not settled.
pub(crate) struct Parked {
    pub(crate) target: Option<Capability>,
    pub(crate) method: u64,
    pub(crate) caps: Vec<Cap>,
    pub(crate) filled: Vec<Filled>,
    pub(crate) body: Bytes,
    pub(crate) cost: usize,
    /// The calls that it waits for.
    pub(crate) waits: Vec<i64>,
}

pub(crate) enum Dependent<P: Parts> {
    /// The call of this id goes to what lies at the path.
    Target(i64, Path),
    /// The call of this id has the value at the path as its argument.
    Arg(i64, u8, Path),
    /// A stub of this side was made of it.
    Watcher(P::Watcher, Path),
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

    fn settled(&self, key: SlotKey) -> Option<&Outcome<Capability>> {
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

    fn new_answer(&mut self, id: i64, flags: u8, state: State<P>) -> SlotKey {
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
        self.new_answer(incoming.id, incoming.flags, State::Ready);
        self.ready.push_back(incoming);
    }

    #[inline]
    pub(crate) fn ready_is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// The next call to run that had to wait, if one may be started now.
    #[inline]
    pub(crate) fn next_ready(&mut self) -> Option<Incoming> {
        while !self.ready.is_empty() && self.may_deliver() {
            let incoming = self.ready.pop_front()?;
            self.give_credit(incoming.cost);
            let entry = self.answer_ids.get(incoming.id).and_then(|key| self.answers.get_mut(key));
            if let Some(entry) = entry {
                entry.state = State::Running(None);
                return Some(incoming);
            }
            // It was cancelled while it waited.
            self.retire_call(incoming.target, incoming.caps, incoming.filled, incoming.body);
        }
        None
    }

    fn retire_call(&mut self, target: Capability, caps: Vec<Cap>, filled: Vec<Filled>, body: IncomingBody) {
        self.events.push(Event::Retired(Retired::Target(target)));
        if let IncomingBody::Kept(bytes) = body {
            self.events.push(Event::Retired(Retired::Bytes(bytes)));
        }
        self.drop_caps(caps);
        self.retire_args(filled);
    }

    /// A call was started and has not ended: it counts as running until [`complete`](Self::complete).
    pub(crate) fn running(&mut self, id: i64, flags: u8) {
        self.running += 1;
        // After the end there is nobody to answer: the method is cancelled as soon as it says how.
        if self.ended().is_none() && self.answer_ids.get(id).is_none() {
            self.new_answer(id, flags, State::Running(None));
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
        if let Some(key) = self.answer_ids.get(id) {
            self.finish_entry(key, reply);
            self.bound_unsent();
        }
        self.end_after_last();
    }

    /// A call ended inside the driver's loop, without ever having counted as running.
    #[inline]
    pub(crate) fn complete_inline(&mut self, id: i64, flags: u8, reply: &mut Reply) {
        if self.complete_plain(id, flags, reply) {
            return;
        }
        if let Some(key) = self.answer_ids.get(id) {
            self.finish_entry(key, reply);
        } else if self.ended().is_some() {
            return;
        } else if flags & flag::FORGET != 0 {
            // A caller that neither waits nor comes back for the answer gets none.
            if flags & flag::SEND != 0 {
                self.write_reply(id, reply);
            }
        } else {
            let key = self.new_answer(id, flags, State::Running(None));
            self.finish_entry(key, reply);
        }
        self.bound_unsent();
        self.end_after_last();
    }

    fn finish_entry(&mut self, key: SlotKey, reply: &mut Reply) {
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
    fn write_reply(&mut self, id: i64, reply: &mut Reply) {
        if !matches!(reply.status, Status::Failed(_))
            && let Err(error) = self.check_answer_room(reply.encoded.len(), reply.encoded.caps.len())
        {
            reply.status = Status::Failed(error);
        }
        match &reply.status {
            Status::Failed(error) => self.write_reject(id, error),
            Status::Delivered => {}
            Status::Value | Status::User(_) => {
                let user = matches!(reply.status, Status::User(_));
                let caps = self.describe_all(&reply.encoded);
                self.out.answer(id, user, &caps, &reply.encoded);
            }
        }
    }

    /// Whether a result of so many bytes and capabilities can be sent.
    #[inline]
    fn check_answer_room(&self, bytes: usize, caps: usize) -> Result<(), Error> {
        let (bytes, limit) = (bytes + ANSWER_HEAD + CAP_BOUND * caps, self.peer_frame_bytes);
        if bytes > limit {
            let text = format!("the result takes {bytes} bytes; the caller's limit `frame_bytes` is {limit}");
            return Err(Error::new(ErrorKind::Limit, text).with_may_have_run(true));
        }
        self.check_export_room(caps).map_err(|error| error.with_may_have_run(true))
    }

    /// Writes a failure; of one that is too long for a frame, a part.
    fn write_reject(&mut self, id: i64, error: &Error) {
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
    fn write_outcome(&mut self, id: i64, outcome: &Outcome<Capability>) {
        if !matches!(outcome, Outcome::Failed(_))
            && let Err(error) = self.check_answer_room(outcome.len(), outcome.caps().len())
        {
            return self.write_reject(id, &error);
        }
        let caps: Vec<WireCap> = outcome.caps().iter().map(|capability| self.describe(capability)).collect();
        match outcome {
            Outcome::Value(answer) => self.out.kept_answer(id, false, &caps, answer.body.as_slice()),
            Outcome::User(answer, _) => self.out.kept_answer(id, true, &caps, answer.body.as_slice()),
            Outcome::Failed(error) => self.write_reject(id, error),
        }
    }

    /// A call ended that never ran.
    pub(crate) fn refuse(&mut self, id: i64, flags: u8, error: Error) {
        let key = self.new_answer(id, flags, State::Ready);
        self.fail_entry(key, error);
    }

    fn fail_entry(&mut self, key: SlotKey, error: Error) {
        let Some(entry) = self.answers.get(key) else { return };
        if entry.send {
            let id = entry.id;
            self.write_reject(id, &error);
        }
        self.settle(key, Outcome::Failed(error));
    }

    /// Keeps an outcome, and lets go on what waits for it; what fails because of it is settled in turn, without
    /// recursion.
    fn settle(&mut self, key: SlotKey, outcome: Outcome<Capability>) {
        let mut work = vec![(key, outcome)];
        while let Some((key, outcome)) = work.pop() {
            let outcome = self.bound_kept(outcome);
            let Some(entry) = self.answers.get_mut(key) else { continue };
            let dependents = std::mem::take(&mut entry.dependents);
            let on = entry.id;
            for dependent in dependents {
                let live = match dependent {
                    Dependent::Watcher(watcher, path) => {
                        self.pins = self.pins.saturating_sub(1);
                        self.events.push(Event::Watched(watcher, outcome.target_at(&path)));
                        true
                    }
                    Dependent::Target(child, path) => {
                        let target = outcome.target_at(&path);
                        self.child_settles((child, on), target.map(ChildPart::Target), &mut work)
                    }
                    Dependent::Arg(child, param, path) => {
                        let arg = arg_in(&outcome, param, &path);
                        self.child_settles((child, on), arg.map(ChildPart::Arg), &mut work)
                    }
                };
                // A child that was cancelled has given its hold back already.
                if let (true, Some(entry)) = (live, self.answers.get_mut(key)) {
                    entry.holds = entry.holds.saturating_sub(1);
                }
            }
            if let Some(entry) = self.answers.get_mut(key) {
                self.kept_bytes += outcome.len();
                entry.state = State::Settled(outcome);
                self.drop_if_unheld(key);
            }
        }
    }

    fn bound_kept(&mut self, outcome: Outcome<Capability>) -> Outcome<Capability> {
        let kept = self.kept_bytes + outcome.len();
        let limit = self.limits.answer_bytes;
        if kept <= limit {
            return outcome;
        }
        self.retire_outcome(outcome);
        let text = format!("{kept} bytes of answers would be kept; the limit `answer_bytes` is {limit}");
        Outcome::Failed(Error::new(ErrorKind::Limit, text).with_may_have_run(true))
    }

    /// Fills in what `child` waited for from its call `on`. Tells whether it still waited.
    fn child_settles(
        &mut self,
        (child, on): (i64, i64),
        part: Result<ChildPart, Error>,
        work: &mut Vec<(SlotKey, Outcome<Capability>)>,
    ) -> bool {
        let Some(key) = self.answer_ids.get(child) else { return false };
        let Some(entry) = self.answers.get_mut(key) else { return false };
        let State::Parked(parked) = &mut entry.state else { return false };
        let Some(place) = parked.waits.iter().position(|id| *id == on) else { return false };
        parked.waits.swap_remove(place);
        let error = match part {
            Ok(ChildPart::Target(target)) => {
                parked.target = Some(target);
                None
            }
            Ok(ChildPart::Arg(filled)) => {
                parked.filled.push(filled);
                None
            }
            Err(error) => Some(error),
        };
        let waits = parked.waits.len();
        if let Some(error) = error {
            let others = std::mem::take(&mut parked.waits);
            let send = entry.send;
            self.unpark(key);
            for other in others {
                self.unhold(other);
            }
            if send {
                self.write_reject(child, &error);
            }
            work.push((key, Outcome::Failed(error)));
        } else if waits == 0 {
            self.make_ready(key);
        }
        true
    }

    /// Everything that a parked call waited for is there: it takes its place in the queue.
    fn make_ready(&mut self, key: SlotKey) {
        let Some(entry) = self.answers.get_mut(key) else { return };
        let flags = if entry.send { flag::SEND } else { 0 } | if entry.forget { flag::FORGET } else { 0 };
        let id = entry.id;
        let State::Parked(parked) = std::mem::replace(&mut entry.state, State::Ready) else { return };
        let Parked { target, method, caps, mut filled, body, cost, .. } = *parked;
        let Some(target) = target else { return };
        filled.sort_by_key(|arg| arg.param);
        self.parked_bytes = self.parked_bytes.saturating_sub(cost);
        let body = IncomingBody::Kept(body);
        self.ready.push_back(Incoming { id, flags, target, method, caps, filled, body, cost });
    }

    /// A parked call will not run: gives up its arguments, and its holds on what it waited for.
    fn unpark(&mut self, key: SlotKey) {
        let Some(entry) = self.answers.get_mut(key) else { return };
        let State::Parked(parked) = std::mem::replace(&mut entry.state, State::Ready) else { return };
        let Parked { target, caps, filled, body, cost, .. } = *parked;
        self.parked_bytes = self.parked_bytes.saturating_sub(cost);
        self.give_credit(cost);
        if let Some(target) = target {
            self.retire_call(target, caps, filled, IncomingBody::Kept(body));
            return;
        }
        self.events.push(Event::Retired(Retired::Bytes(body)));
        self.drop_caps(caps);
        self.retire_args(filled);
    }

    fn retire_args(&mut self, filled: Vec<Filled>) {
        for arg in filled {
            self.events.push(Event::Retired(Retired::Bytes(arg.body)));
            self.drop_caps(arg.caps);
        }
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
        let Some(key) = self.answer_ids.get(id) else { return Ok(()) };
        if let Some(entry) = self.answers.get_mut(key) {
            self.kept_calls -= usize::from(std::mem::take(&mut entry.importer));
            entry.send = false;
            entry.detached |= !cancel;
        }
        self.drop_if_unheld(key);
        Ok(())
    }

    /// A stub that is to be made of an answer keeps it.
    pub(crate) fn pin(&mut self, id: i64) {
        if let Some(entry) = self.answer_ids.get(id).and_then(|key| self.answers.get_mut(key)) {
            entry.holds += 1;
            self.pins += 1;
        }
    }

    pub(crate) fn unpin(&mut self, id: i64) {
        if let Some(key) = self.answer_ids.get(id) {
            self.pins = self.pins.saturating_sub(1);
            if let Some(entry) = self.answers.get_mut(key) {
                entry.holds = entry.holds.saturating_sub(1);
            }
            self.drop_if_unheld(key);
        }
    }

    /// A call that waited for this one waits no more.
    fn unhold(&mut self, id: i64) {
        let Some(key) = self.answer_ids.get(id) else { return };
        if let Some(entry) = self.answers.get_mut(key) {
            entry.holds = entry.holds.saturating_sub(1);
            entry.stale += 1;
            // So that calls which come and go while this one takes its time leave nothing behind.
            if entry.stale >= 32 && 2 * entry.stale >= entry.dependents.len() {
                entry.stale = 0;
                let mut dependents = std::mem::take(&mut entry.dependents);
                dependents.retain(|dependent| match dependent {
                    Dependent::Target(child, _) | Dependent::Arg(child, ..) => self.is_parked(*child),
                    Dependent::Watcher(..) => true,
                });
                if let Some(entry) = self.answers.get_mut(key) {
                    entry.dependents = dependents;
                }
            }
        }
        self.drop_if_unheld(key);
    }

    fn is_parked(&self, id: i64) -> bool {
        let entry = self.answer_ids.get(id).and_then(|key| self.answers.get(key));
        matches!(entry, Some(AnswerEntry { state: State::Parked(_), .. }))
    }

    /// A watcher is gone before the answer has settled.
    pub(crate) fn unwatch(&mut self, id: i64, watcher: usize) {
        let Some(entry) = self.answer_ids.get(id).and_then(|key| self.answers.get_mut(key)) else { return };
        let is_it = |dependent: &Dependent<P>| matches!(dependent, Dependent::Watcher(found, _) if P::identity(found) == watcher);
        let Some(place) = entry.dependents.iter().position(is_it) else { return };
        if let Dependent::Watcher(watcher, _) = entry.dependents.remove(place) {
            self.events.push(Event::Retired(Retired::Watcher(watcher)));
        }
        self.unpin(id);
    }

    /// Turns a pin into a watcher, which hears when the answer settles.
    pub(crate) fn watch(&mut self, id: i64, path: Path, watcher: P::Watcher) {
        let Some(key) = self.answer_ids.get(id) else {
            let error = self.ended().cloned().unwrap_or_else(gone);
            self.events.push(Event::Watched(watcher, Err(error)));
            return;
        };
        match self.settled(key).map(|outcome| outcome.target_at(&path)) {
            Some(target) => {
                self.events.push(Event::Watched(watcher, target));
                self.unpin(id);
            }
            None => {
                if let Some(entry) = self.answers.get_mut(key) {
                    entry.dependents.push(Dependent::Watcher(watcher, path));
                }
            }
        }
    }

    /// Removes the entry if nothing holds it, cancels what runs for nobody, and goes on with what only that held.
    /// Giving that up comes back to here: the answers form a line, so that a peer cannot make it recurse.
    fn drop_if_unheld(&mut self, key: SlotKey) {
        self.loose.push(key);
        if self.loosening {
            return;
        }
        self.loosening = true;
        while let Some(key) = self.loose.pop() {
            self.drop_loose(key);
        }
        self.loosening = false;
    }

    fn drop_loose(&mut self, key: SlotKey) {
        let Some(entry) = self.answers.get_mut(key) else { return };
        if entry.importer || entry.holds > 0 {
            return;
        }
        match &mut entry.state {
            State::Settled(_) => self.remove_answer(key),
            _ if entry.detached => {}
            State::Running(running) => {
                if let Some(running) = running.take() {
                    self.events.push(Event::Cancelled(running));
                }
                self.remove_answer(key);
            }
            State::Ready => self.remove_answer(key),
            State::Parked(parked) => {
                let waits = std::mem::take(&mut parked.waits);
                self.unpark(key);
                self.remove_answer(key);
                for id in waits {
                    self.unhold(id);
                }
            }
        }
    }

    fn remove_answer(&mut self, key: SlotKey) {
        let Some(entry) = self.answers.remove(key) else { return };
        self.answer_ids.remove(entry.id);
        if let State::Settled(outcome) = entry.state {
            self.kept_bytes = self.kept_bytes.saturating_sub(outcome.len());
            self.retire_outcome(outcome);
        }
    }

    fn retire_outcome(&mut self, outcome: Outcome<Capability>) {
        if let Outcome::Value(answer) | Outcome::User(answer, _) = outcome {
            if let crate::outcome::Body::Shared(bytes) = answer.body {
                self.events.push(Event::Retired(Retired::Bytes(bytes)));
            }
            self.events.extend(answer.caps.into_iter().map(|cap| Event::Retired(Retired::Target(cap))));
        }
    }

    /// Nobody waits for answers any more: what was not detached is cancelled.
    pub(crate) fn keep_detached(&mut self) {
        for key in self.answers.keys() {
            if let Some(entry) = self.answers.get_mut(key) {
                self.kept_calls -= usize::from(std::mem::take(&mut entry.importer));
                entry.send = false;
                self.drop_if_unheld(key);
            }
        }
    }

    /// The session is over: every method is cancelled, every target given up.
    pub(crate) fn end_exports(&mut self) {
        for incoming in std::mem::take(&mut self.ready) {
            self.retire_call(incoming.target, incoming.caps, incoming.filled, incoming.body);
        }
        for mut entry in self.answers.drain() {
            self.answer_ids.remove(entry.id);
            for dependent in std::mem::take(&mut entry.dependents) {
                if let Dependent::Watcher(watcher, _) = dependent {
                    let error = self.ended().cloned().unwrap_or_else(gone);
                    self.events.push(Event::Watched(watcher, Err(error)));
                }
            }
            match entry.state {
                State::Running(Some(running)) => self.events.push(Event::Cancelled(running)),
                State::Running(None) | State::Ready => {}
                State::Settled(outcome) => self.retire_outcome(outcome),
                State::Parked(parked) => {
                    let target =
                        parked.target.into_iter().map(|target| Event::Retired(Retired::Target(target)));
                    self.events.extend(target);
                    self.events.push(Event::Retired(Retired::Bytes(parked.body)));
                    self.drop_caps(parked.caps);
                    self.retire_args(parked.filled);
                }
            }
        }
        let targets = self.exports.drain();
        self.events.extend(targets.into_iter().map(|target| Event::Retired(Retired::Target(target))));
        (self.kept_bytes, self.kept_calls, self.parked_bytes, self.pins) = (0, 0, 0, 0);
    }
}

#[cfg(any(test, fuzzing))]
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
            assert_eq!(self.window_used, costs + ready, "bytes in the window");
        }
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

enum ChildPart {
    Target(Capability),
    Arg(Filled),
}

fn gone() -> Error {
    Error::new(ErrorKind::Disposed, "the call that this builds on is gone")
}

fn arg_in(outcome: &Outcome<Capability>, param: u8, path: &Path) -> Result<Filled, Error> {
    let (body, caps) = outcome.arg_at(path)?;
    Ok(Filled { param, body, caps: caps.into_iter().map(Cap::Hosted).collect() })
}
