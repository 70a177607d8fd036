//! What tests look at.

use super::answers::AnswerEntry;
use super::imports::{State, Waiting};
use super::{Parts, Session};
use crate::connection::Books;

impl<P: Parts> Session<P> {
    pub(crate) fn books(&self) -> Books {
        let mut books = Books {
            exports: self.exports.introductions(),
            unwritten: self.out.len(),
            undelivered: if self.has_work() { self.ready.len() } else { 0 },
            ..Books::default()
        };
        for import in self.imports.iter() {
            match &import.state {
                State::Capability { id: 0, .. } | State::Lined { .. } => {}
                State::Capability { id, introduced } => books.imports.push((*id, *introduced)),
                State::Waiting(Waiting { id, forget, .. })
                | State::Value { id, forget, .. }
                | State::Settled { id, forget, .. } => books.calls.extend((!forget).then_some(*id)),
            }
        }
        let kept = |entry: &AnswerEntry<P>| entry.importer.then_some(entry.id);
        books.answers = self.answers.iter().filter_map(kept).collect();
        books.exports.sort_unstable();
        books.imports.sort_unstable();
        books.answers.sort_unstable();
        books.calls.sort_unstable();
        books
    }

    /// Panics if more is held than the limits allow.
    pub(crate) fn check_limits(&self) {
        let limits = &self.limits;
        for (name, held, limit) in [
            ("parked_calls", self.parked, limits.parked_calls),
            ("parked_bytes", self.parked_bytes, limits.parked_bytes),
            ("waiting_caps", self.waiting_caps, limits.waiting_caps),
            ("answer_bytes", self.kept_bytes, limits.answer_bytes),
            ("line_bytes", self.line_bytes, limits.line_bytes),
            ("unread_result_bytes", self.unread_bytes, limits.unread_result_bytes),
            ("exports", self.exports.len(), limits.exports),
            ("calls_in_flight", self.unanswered + self.line.len(), limits.calls_in_flight),
            ("window_bytes", self.window_used, limits.window_bytes.max(crate::limits::INITIAL_WINDOW)),
        ] {
            assert!(held <= limit, "{held} {name} are held; the limit is {limit}");
        }
    }
}
