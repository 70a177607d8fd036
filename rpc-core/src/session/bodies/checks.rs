//! What is true of bodies that come in pieces after every step, for tests and fuzzers.

use super::{Arriving, Bodies, Of};
use crate::session::answers::State;
use crate::session::{Incoming, IncomingBody, Parts, Session};

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
        let Bodies { announced, open, begun, begun_answers, ahead, answers, queues, coming } = &self.bodies;
        assert!(open.keys().all(|number| number <= announced));
        let comes = |number: &u64| *coming == Some(*number);
        let has_begun =
            |(number, body): &(&u64, &Arriving)| body.came < body.length && (body.came > 0 || comes(number));
        assert_eq!(*begun, open.iter().filter(has_begun).count(), "bodies that have begun");
        let answers_begun = open.iter().filter(has_begun).filter(|(_, body)| body.answer);
        let lengths: usize = answers_begun.map(|(_, body)| body.length).sum();
        assert_eq!(*begun_answers, lengths, "answers that have begun");
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
                // Who reads a piece has what has come before it.
                let here = if comes(number) { 0 } else { body.came };
                assert_eq!(body.buffer.len(), here, "bytes of a body");
                waiting += body.reserved - body.came;
            }
        }
        assert_eq!(*ahead, waiting, "memory ahead of what has come");
        for (target, queue) in queues {
            let Some(first) = queue.front() else { panic!("an empty queue") };
            assert_eq!(&first.target.handle.target_key(), target);
            let IncomingBody::Arriving(number) = first.body else { panic!("nothing to wait for") };
            assert!(open.get(&number).is_some_and(|body| body.came < body.length), "nothing to wait for");
        }
        assert_eq!(self.plain, self.greeted && queues.is_empty() && answers.is_empty());
    }
}
