//! Bodies that end before their last byte, in either direction.

use super::{Arriving, Of};
use crate::error::{Error, ErrorKind};
use crate::outcome::Outcome;
use crate::session::answers::State;
use crate::session::event::Retired;
use crate::session::{Event, Parts, Session, SlotKey};
use crate::wire::BodyOf;

impl<P: Parts> Session<P> {
    /// Nobody wants this body of a call any more.
    pub(crate) fn give_up_call_body(&mut self, number: u64) {
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
    pub(crate) fn give_up_answer_body(&mut self, id: i64) {
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
    pub(crate) fn handle_discard(&mut self, number: u64) -> Result<(), String> {
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
    pub(crate) fn give_up_bodies(&mut self) {
        let incomplete = |(number, body): (&u64, &Arriving)| (body.came < body.length).then_some(*number);
        let mut numbers: Vec<u64> = self.bodies.open.iter().filter_map(incomplete).collect();
        numbers.sort_unstable();
        for number in numbers {
            // It is one that the peer may give up.
            let _ = self.handle_discard(number);
        }
    }

    /// The session is over.
    pub(crate) fn end_bodies(&mut self) {
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
    pub(crate) fn stop_sending(&mut self, of: BodyOf) {
        if self.out.has_bodies() {
            let unsent = self.out.stop_body(of);
            self.events.extend(unsent.map(|part| Event::Retired(Retired::Bytes(part))));
        }
    }
}
