//! What holds an answer (R12): the promise of the peer, calls that build on it, stubs made of it. When the last hold
//! goes before the method has ended, the method is cancelled.

use super::answers::{AnswerEntry, Dependent, State};
use super::event::Retired;
use super::{Cap, Event, IdMap, Parts, Session, SlotKey};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};
use crate::outcome::{Body, Outcome};
use crate::wire::Path;

impl<P: Parts> Session<P> {
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
    pub(super) fn unhold(&mut self, id: i64) {
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

    pub(super) fn is_parked(&self, id: i64) -> bool {
        let entry = self.answer_ids.get(id).and_then(|key| self.answers.get(key));
        matches!(entry, Some(AnswerEntry { state: State::Parked(_), .. }))
    }

    /// Turns a pin into a watcher, which hears when the answer settles. With `ordered` it hears behind the calls on that
    /// answer which came before.
    pub(crate) fn watch(&mut self, (id, path): (i64, Path), watcher: P::Watcher, ordered: bool) {
        let Some(key) = self.answer_ids.get(id) else {
            let error = self.ended().cloned().unwrap_or_else(gone);
            self.events.push(Event::Watched(watcher, Err(error)));
            return;
        };
        match self.settled(key).map(|outcome| outcome.target_at(&path)) {
            Some(target) => {
                self.tell(watcher, target, ordered);
                self.unpin(id);
            }
            None => {
                if let Some(entry) = self.answers.get_mut(key) {
                    entry.dependents.push(Dependent::Watcher(watcher, path, ordered));
                }
            }
        }
    }

    /// Tells a watcher what became of the part that it watched.
    pub(super) fn tell(&mut self, watcher: P::Watcher, target: Result<Capability, Error>, ordered: bool) {
        match target {
            Ok(target) if ordered => self.lift(watcher, Cap::Hosted(target)),
            target => self.events.push(Event::Watched(watcher, target)),
        }
    }

    /// A watcher is gone before the answer has settled.
    pub(crate) fn unwatch(&mut self, id: i64, watcher: usize) {
        let Some(entry) = self.answer_ids.get(id).and_then(|key| self.answers.get_mut(key)) else { return };
        let is_it = |dependent: &Dependent<P>| matches!(dependent, Dependent::Watcher(found, ..) if P::identity(found) == watcher);
        let Some(place) = entry.dependents.iter().position(is_it) else { return };
        if let Dependent::Watcher(watcher, ..) = entry.dependents.remove(place) {
            self.events.push(Event::Retired(Retired::Watcher(watcher)));
        }
        self.unpin(id);
    }

    /// Removes the entry if nothing holds it, cancels what runs for nobody, and goes on with what only that held.
    /// Giving that up comes back to here: the answers form a line, so that a peer cannot make it recurse.
    pub(super) fn drop_if_unheld(&mut self, key: SlotKey) {
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

    pub(super) fn drop_loose(&mut self, key: SlotKey) {
        let Some(entry) = self.answers.get_mut(key) else { return };
        if entry.importer || entry.holds > 0 {
            return;
        }
        match &mut entry.state {
            State::Settled(_) => self.remove_answer(key),
            _ if entry.detached => {}
            state @ State::Starting => *state = State::Unwanted,
            State::Unwanted => {}
            State::Running(running) => {
                if let Some(running) = running.take() {
                    self.events.push(Event::Cancelled(running));
                }
                self.remove_answer(key);
            }
            State::Ready => self.remove_answer(key),
            State::Arriving(body) => {
                let body = *body;
                self.remove_answer(key);
                self.give_up_call_body(body);
            }
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

    pub(super) fn remove_answer(&mut self, key: SlotKey) {
        let Some(entry) = self.answers.remove(key) else { return };
        self.answer_ids.remove(entry.id);
        if let State::Settled(outcome) = entry.state {
            self.kept_bytes = self.kept_bytes.saturating_sub(outcome.len());
            self.kept_caps -= outcome.caps().len();
            self.retire_outcome(outcome);
        }
    }

    pub(super) fn retire_outcome(&mut self, outcome: Outcome<Capability>) {
        if let Outcome::Value(answer) | Outcome::User(answer, _) = outcome {
            if let Body::Shared(bytes) = answer.body {
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
        let reason = self.ended().cloned().unwrap_or_else(gone);
        self.fail_lifts(&reason);
        for mut entry in self.answers.drain() {
            self.answer_ids.remove(entry.id);
            for dependent in std::mem::take(&mut entry.dependents) {
                if let Dependent::Watcher(watcher, ..) = dependent {
                    let error = self.ended().cloned().unwrap_or_else(gone);
                    self.events.push(Event::Watched(watcher, Err(error)));
                }
            }
            match entry.state {
                State::Running(Some(running)) => self.events.push(Event::Cancelled(running)),
                State::Running(None) | State::Starting | State::Unwanted => {}
                State::Ready | State::Arriving(_) => {}
                State::Settled(outcome) => self.retire_outcome(outcome),
                State::Parked(parked) => {
                    let target =
                        parked.target.into_iter().map(|target| Event::Retired(Retired::Target(target)));
                    self.events.extend(target);
                    self.retire_body(parked.body);
                    self.drop_caps(parked.caps);
                    self.retire_args(parked.filled);
                }
            }
        }
        self.answer_ids = IdMap::default();
        let targets = self.exports.drain();
        self.events.extend(targets.into_iter().map(|target| Event::Retired(Retired::Target(target))));
        (self.kept_bytes, self.kept_calls, self.parked_bytes, self.pins) = (0, 0, 0, 0);
        (self.parked, self.waiting_caps, self.kept_caps) = (0, 0, 0);
        self.window_used = 0;
    }
}

pub(super) fn gone() -> Error {
    Error::new(ErrorKind::Disposed, "the call that this builds on is gone")
}
