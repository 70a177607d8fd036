//! Calls that wait for a body, their own or that of a call before them to the same target (R3c).

use std::collections::VecDeque;

use bytes::Bytes;

use super::answers::State;
use super::bodies::{Arriving, Bodies, Of};
use super::event::Retired;
use super::{Event, Filled, Incoming, IncomingBody, Parts, Session, TargetKey};
use crate::codec::Capability;

impl Bodies {
    /// Whether a call to this target has to wait for one before it.
    pub(super) fn holds_up(&self, target: &Capability) -> bool {
        !self.queues.is_empty() && self.queues.contains_key(&target.handle.target_key())
    }
}

impl<P: Parts> Session<P> {
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
    pub(super) fn advance(&mut self, target: &TargetKey, number: u64) {
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

    /// The body of a call that waits for something else as well is there.
    pub(super) fn fill_parked(&mut self, id: i64, args: &[(u8, usize)], bytes: Bytes) {
        let entry = self.answer_ids.get(id).and_then(|key| self.answers.get_mut(key));
        if let Some(entry) = entry
            && let State::Parked(parked) = &mut entry.state
        {
            parked.body = IncomingBody::Kept(fill(bytes, args, &mut parked.filled));
        } else {
            self.events.push(Event::Retired(Retired::Bytes(bytes)));
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
