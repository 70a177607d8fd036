//! What happens when an answer settles: what waited for it goes on, or fails in turn, without recursion.

use super::answers::{Dependent, Parked, State};
use super::event::Retired;
use super::{Cap, Event, Filled, Incoming, Parts, Session, SlotKey, What};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};
use crate::outcome::Outcome;
use crate::wire::{Path, flag};

impl<P: Parts> Session<P> {
    /// Keeps an outcome, and lets go on what waits for it; what fails because of it is settled in turn, without
    /// recursion.
    pub(super) fn settle(&mut self, key: SlotKey, outcome: Outcome<Capability>) {
        let mut work = vec![(key, outcome)];
        while let Some((key, outcome)) = work.pop() {
            let outcome = self.bound_kept(outcome);
            let Some(entry) = self.answers.get_mut(key) else { continue };
            let dependents = std::mem::take(&mut entry.dependents);
            let on = entry.id;
            for dependent in dependents {
                let live = match dependent {
                    Dependent::Watcher(watcher, path, ordered) => {
                        self.pins = self.pins.saturating_sub(1);
                        self.tell(watcher, outcome.target_at(&path), ordered);
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
                self.kept_caps += outcome.caps().len();
                entry.state = State::Settled(outcome);
                self.drop_if_unheld(key);
            }
        }
    }

    pub(super) fn bound_kept(&mut self, outcome: Outcome<Capability>) -> Outcome<Capability> {
        let kept = self.kept_bytes + outcome.len();
        let caps = self.kept_caps + outcome.caps().len();
        let text = if kept > self.limits.answer_bytes {
            let limit = self.limits.answer_bytes;
            format!("{kept} bytes of answers would be kept; the limit `answer_bytes` is {limit}")
        } else if caps > self.limits.exports {
            let limit = self.limits.exports;
            format!("the answers that are kept would hold {caps} targets; the limit `exports` is {limit}")
        } else {
            return outcome;
        };
        self.retire_outcome(outcome);
        Outcome::Failed(Error::new(ErrorKind::Limit, text).with_may_have_run(true))
    }

    /// Fills in what `child` waited for from its call `on`. Tells whether it still waited.
    fn child_settles(
        &mut self,
        (child, on): (i64, i64),
        part: Result<ChildPart, Error>,
        work: &mut Vec<(SlotKey, Outcome<Capability>)>,
    ) -> bool {
        let part = self.bound_part(part);
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
                self.waiting_caps += filled.caps.len();
                parked.filled.push(filled);
                None
            }
            Err(error) => Some(error),
        };
        let waits = parked.waits.len();
        if let Some(error) = error {
            let others = std::mem::take(&mut parked.waits);
            let (send, what) = (entry.send, parked.what);
            self.unpark(key);
            for other in others {
                self.unhold(other);
            }
            if send {
                self.write_reject(child, &error);
            }
            if what == What::Echo {
                self.write_echo_back(child);
            }
            work.push((key, Outcome::Failed(error)));
        } else if waits == 0 {
            self.make_ready(key);
        }
        true
    }

    /// An argument that has too many capabilities is none: calls that wait for others would multiply them.
    fn bound_part(&mut self, part: Result<ChildPart, Error>) -> Result<ChildPart, Error> {
        let Ok(ChildPart::Arg(filled)) = part else { return part };
        match self.check_waiting_caps(self.waiting_caps + filled.caps.len()) {
            Ok(()) => Ok(ChildPart::Arg(filled)),
            Err(error) => {
                self.drop_caps(filled.caps);
                Err(error)
            }
        }
    }

    /// Everything that a parked call waited for is there: it takes its place in the queue.
    fn make_ready(&mut self, key: SlotKey) {
        let Some(entry) = self.answers.get_mut(key) else { return };
        let flags = if entry.send { flag::SEND } else { 0 } | if entry.forget { flag::FORGET } else { 0 };
        let id = entry.id;
        let State::Parked(parked) = std::mem::replace(&mut entry.state, State::Ready) else { return };
        entry.state = State::before(&parked.body);
        let Parked { target, method, caps, mut filled, metadata, body, cost, what, .. } = *parked;
        let Some(target) = target else { return };
        filled.sort_by_key(|arg| arg.param);
        self.parked_bytes = self.parked_bytes.saturating_sub(cost);
        self.parked -= 1;
        self.line_up(Incoming { id, flags, target, method, caps, filled, metadata, body, cost, what });
    }

    /// A parked call will not run: gives up its arguments, and its holds on what it waited for.
    pub(super) fn unpark(&mut self, key: SlotKey) {
        let Some(entry) = self.answers.get_mut(key) else { return };
        let State::Parked(parked) = std::mem::replace(&mut entry.state, State::Ready) else { return };
        self.waiting_caps -= parked.caps();
        self.parked -= 1;
        let Parked { target, caps, filled, body, cost, .. } = *parked;
        self.parked_bytes = self.parked_bytes.saturating_sub(cost);
        self.give_credit(cost);
        if let Some(target) = target {
            self.retire_call(target, caps, filled, body);
            return;
        }
        self.retire_body(body);
        self.drop_caps(caps);
        self.retire_args(filled);
    }

    pub(super) fn retire_args(&mut self, filled: Vec<Filled>) {
        for arg in filled {
            self.events.push(Event::Retired(Retired::Bytes(arg.body)));
            self.drop_caps(arg.caps);
        }
    }
}

enum ChildPart {
    Target(Capability),
    Arg(Filled),
}

pub(super) fn arg_in(outcome: &Outcome<Capability>, param: u8, path: &Path) -> Result<Filled, Error> {
    let (body, caps) = outcome.arg_at(path)?;
    Ok(Filled { param, body, caps: caps.into_iter().map(Cap::Hosted).collect() })
}
