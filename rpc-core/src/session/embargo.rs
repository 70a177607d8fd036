//! What keeps calls in order where a promise settles to something that the settling peer does not host (R4): calls that
//! went through the promise are still on their way over the peer, and later ones must not overtake them.
//!
//! The side that made the calls puts a stand-in in the place of the capability, on which calls wait, and sends an *echo*
//! the way that the calls went. The peer lets it pass as if it were one of them, and answers it when it has come as far.
//! What it sends in reply arrives behind everything that it passed on.

use bytes::Bytes;

use super::answers::{Dependent, Parked};
use super::event::Retired;
use super::incoming::Target;
use super::line::echo_bound;
use super::{Cap, Event, InLine, Incoming, IncomingBody, Parts, Session, SlotKey, What};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};
use crate::limits::CALL_COST;
use crate::outcome::Outcome;
use crate::schema::Schema;
use crate::wire::{Path, flag};

/// What calls may not go to before the echo is back.
pub(crate) struct Embargo<P: Parts> {
    /// What stands in for it.
    pub(super) watcher: P::Watcher,
    pub(super) held: Cap,
}

impl<P: Parts> Session<P> {
    /// A call of ours settles: what is not hosted by the peer is stood in for if calls went that way, so that later ones
    /// wait for them. So are promises of our own answers, in any case: all calls on one go the same way then.
    pub(super) fn lay_embargoes(
        &mut self,
        (key, id): (SlotKey, i64),
        schema: Option<&'static Schema>,
        outcome: Outcome<Cap>,
        piped: &[Path],
    ) -> Outcome<Cap> {
        let Outcome::Value(mut answer) = outcome else { return outcome };
        for path in piped {
            let index =
                schema.and_then(|schema| schema.project_cap(answer.body.as_slice(), path.steps()).ok());
            let cap = index.and_then(|index| answer.caps.get_mut(index as usize));
            if let Some(cap) = cap.filter(|cap| matches!(cap, Cap::Hosted(_) | Cap::Pending(..))) {
                let embargo = self.stand_in(cap);
                self.send_echo((key, id), path.clone(), embargo);
            }
        }
        for cap in answer.caps.iter_mut().filter(|cap| matches!(cap, Cap::Pending(..))) {
            let Embargo { watcher, held } = self.stand_in(cap);
            self.events.push(Event::Lifted(watcher, held));
        }
        Outcome::Value(answer)
    }

    /// Puts something in the place of a capability on which calls wait.
    fn stand_in(&self, cap: &mut Cap) -> Embargo<P> {
        let interface = if let Cap::Hosted(capability) = cap { capability.interface } else { None };
        let (watcher, capability) = P::stand_in(interface, &self.room);
        Embargo { watcher, held: std::mem::replace(cap, Cap::Hosted(capability)) }
    }

    /// Sends an echo to a part of the answer `id`, which `key` keeps. Like a call it waits in line if it has to, but it
    /// is never too much: there is one at most for each path through which calls went.
    fn send_echo(&mut self, (key, id): (SlotKey, i64), path: Path, embargo: Embargo<P>) {
        if self.may_send(echo_bound(&path)) {
            self.write_echo(id, &path, embargo);
        } else {
            self.hold(key);
            self.push_line(InLine::Echo { target: key, id, path, embargo });
        }
    }

    pub(super) fn write_echo(&mut self, id: i64, path: &Path, embargo: Embargo<P>) {
        let length = self.out.echo(id, path);
        self.window_left -= (length + CALL_COST) as i64;
        self.sent_calls += 1;
        self.embargoes.insert(self.sent_calls, embargo);
    }

    /// Everything that went the way of the echo `id` has come back.
    pub(super) fn handle_echo_back(&mut self, id: i64) -> Result<(), String> {
        let Some(embargo) = self.embargoes.remove(&id) else {
            return Err(format!("it sent the echo {id} back, which it does not have"));
        };
        self.lift(embargo.watcher, embargo.held);
        Ok(())
    }

    /// What stands in may go on, once all calls to the same that came before are delivered. Where these wait for an
    /// answer of this side, it comes behind them there.
    pub(super) fn lift(&mut self, watcher: P::Watcher, held: Cap) {
        match held {
            Cap::Hosted(target) if !self.ready.is_empty() || self.bodies.holds_up(&target) => {
                self.last_lift += 1;
                self.lifts.insert(self.last_lift, watcher);
                self.line_up(Incoming::no_call(0, target, 0, What::Lift(self.last_lift)));
            }
            held => self.events.push(Event::Lifted(watcher, held)),
        }
    }

    /// Its turn has come.
    pub(super) fn lifted(&mut self, number: u64, target: Capability) {
        match self.lifts.remove(&number) {
            Some(watcher) => self.events.push(Event::Lifted(watcher, Cap::Hosted(target))),
            None => self.events.push(Event::Retired(Retired::Target(target))),
        }
    }

    /// The peer has closed its direction after everything that it had to say. If no call of ours is left without its
    /// answer, none can come back any more.
    pub(super) fn lift_in_peace(&mut self) {
        if self.unanswered > 0 || !self.line.is_empty() {
            return;
        }
        for (_, embargo) in std::mem::take(&mut self.embargoes) {
            self.lift(embargo.watcher, embargo.held);
        }
    }

    /// The way over the peer is lost: what waits must not be delivered behind a hole (B20).
    pub(super) fn fail_embargoes(&mut self, reason: &Error) {
        for (_, embargo) in std::mem::take(&mut self.embargoes) {
            self.fail_embargo(embargo, reason);
        }
    }

    /// The same for those of which the turn has not come: calls before them were not delivered.
    pub(super) fn fail_lifts(&mut self, reason: &Error) {
        for (_, watcher) in std::mem::take(&mut self.lifts) {
            self.events.push(Event::Watched(watcher, Err(lost(reason))));
        }
    }

    pub(super) fn fail_embargo(&mut self, embargo: Embargo<P>, reason: &Error) {
        self.events.push(Event::Watched(embargo.watcher, Err(lost(reason))));
        self.drop_caps(vec![embargo.held]);
    }

    /// The peer sent an echo to a part of our answer `target`. It goes the way of a call. With `over` no call can have
    /// gone this way.
    pub(super) fn handle_echo(
        &mut self,
        (target, path, over): (i64, &Path, bool),
        cost: usize,
    ) -> Result<Option<Incoming>, String> {
        self.check_window(cost)?;
        let id = self.received_calls + 1;
        let route = self.find_target(id, target, path)?;
        self.received_calls = id;
        self.window_used += cost;
        match route {
            Target::Here(target) if !over => {
                let incoming = Incoming::no_call(id, target, cost, What::Echo);
                let waits = self.bodies.holds_up(&incoming.target);
                if !waits && self.ready_is_empty() && self.may_deliver() {
                    self.give_credit(cost);
                    return Ok(Some(incoming));
                }
                self.enqueue(incoming);
            }
            Target::Waits(key, on, path) if !over => self.park_echo(id, (key, on, path), cost),
            // Calls that went this way have failed: there is nothing to come behind of.
            Target::Here(_) | Target::Waits(..) | Target::Failed(_) => {
                self.give_credit(cost);
                self.write_echo_back(id);
            }
        }
        Ok(None)
    }

    fn park_echo(&mut self, id: i64, (key, on, path): (SlotKey, i64, Path), cost: usize) {
        let parked = Parked {
            target: None,
            method: 0,
            caps: Vec::new(),
            filled: Vec::new(),
            metadata: None,
            body: IncomingBody::Kept(Bytes::new()),
            cost,
            waits: vec![on],
            what: What::Echo,
        };
        self.park(id, flag::FORGET, parked, vec![(key, Dependent::Target(id, path))]);
    }

    /// An echo is under way on this side: it counts as running until it is [back](Self::echo_back).
    pub(crate) fn echo_runs(&mut self, id: i64) {
        self.running(id, flag::FORGET, 0);
    }

    /// An echo of the peer has come as far as the calls before it.
    pub(crate) fn echo_back(&mut self, id: i64) {
        self.running = self.running.saturating_sub(1);
        if let Some(key) = self.answer_ids.get(id) {
            self.remove_answer(key);
        }
        self.write_echo_back(id);
        self.end_after_last();
    }

    /// Says so to the peer, behind the calls that were passed on to it.
    pub(super) fn write_echo_back(&mut self, id: i64) {
        if self.ended().is_some() || self.farewell.is_some() {
            return;
        }
        if self.line.is_empty() {
            self.out.echo_back(id);
        } else {
            self.push_line(InLine::EchoBack(id));
        }
    }

    /// What lies at a part of a result of ours if that is known not to be over there: calls on it do not go to the peer.
    pub(crate) fn home(&self, key: SlotKey, path: &Path) -> Option<Capability> {
        match self.settled_cap(key, path)? {
            Cap::Hosted(capability) => Some(capability.clone()),
            _ => None,
        }
    }
}

/// What calls fail with that wait for an echo when there is none to come, for whatever reason.
fn lost(reason: &Error) -> Error {
    let text = format!("the way that earlier calls went was lost: {}", reason.message());
    Error::new(ErrorKind::Disconnected, text).did_not_run()
}
