//! The handles of this side on slots of its imports: counted, and given back to the peer when the last goes.

use super::event::Retired;
use super::imports::{Import, State};
use super::{Cap, Event, Parts, Session, SlotKey};
use crate::outcome::{Body, Outcome};
use crate::wire::{BodyOf, flag};

impl<P: Parts> Session<P> {
    /// The slot of the peer's main object, with one handle.
    pub(crate) fn import_main(&mut self) -> SlotKey {
        self.import_capability(0)
    }

    /// The slot of a capability of the peer, with one more handle and one more introduction.
    pub(crate) fn import_capability(&mut self, id: i64) -> SlotKey {
        // The main object is never sent, so it is never given back.
        let sent = u64::from(id != 0);
        if let Some(key) = self.import_caps.get(&id).copied()
            && let Some(import) = self.imports.get_mut(key)
        {
            import.handles += 1;
            if let State::Capability { introduced, .. } = &mut import.state {
                *introduced += sent;
            }
            return key;
        }
        let state = State::Capability { id, introduced: sent };
        let key = self.imports.insert(Import {
            handles: 1,
            waiter: P::Waiter::default(),
            schema: None,
            abandoned: false,
            state,
        });
        self.import_caps.insert(id, key);
        key
    }

    /// One more handle on a slot.
    #[inline]
    pub(crate) fn hold(&mut self, key: SlotKey) {
        if let Some(import) = self.imports.get_mut(key) {
            import.handles += 1;
        }
    }

    /// Counts the handles that copies of capabilities are.
    #[inline]
    pub(super) fn hold_caps(&mut self, caps: &[Cap]) {
        for cap in caps {
            match cap {
                Cap::Import(key) => self.hold(*key),
                Cap::Pending(id, _) => self.pin(*id),
                Cap::Hosted(_) | Cap::Broken(_) => {}
            }
        }
    }

    /// The call shall run although nobody waits for it.
    pub(crate) fn detach(&mut self, key: SlotKey) {
        let Some(import) = self.imports.get_mut(key) else { return };
        match &mut import.state {
            State::Lined { detached, .. } => *detached = true,
            State::Waiting(waiting) => {
                waiting.detached = true;
                if !waiting.polled && waiting.send && self.out.patch(waiting.mark, 0, flag::SEND) {
                    waiting.send = false;
                }
            }
            State::Value { .. } | State::Settled { .. } | State::Capability { .. } => {}
        }
    }

    /// One handle less on a slot. What goes with the last is left in the events.
    #[inline]
    pub(crate) fn release(&mut self, key: SlotKey) {
        let Some(import) = self.imports.get_mut(key) else { return };
        import.handles = import.handles.saturating_sub(1);
        if import.handles > 0 {
            return;
        }
        // A detached call in the line keeps its place: it is sent, and finished at once.
        if let State::Lined { detached: true, .. } = import.state {
            import.handles = 1;
            import.abandoned = true;
            return;
        }
        if let State::Settled { .. } | State::Value { .. } = import.state {
            if let Some(outcome) = self.remove_settled(key) {
                self.drop_outcome(outcome);
            }
            return;
        }
        let Some(import) = self.imports.remove(key) else { return };
        self.events_retire_waiter(import.waiter);
        let open = self.ended().is_none();
        match import.state {
            State::Waiting(waiting) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.import_calls.remove(waiting.id);
                if open {
                    self.out.finish(waiting.id, !waiting.detached);
                }
                // What builds on it, or was told to run, still needs its arguments.
                if open && !waiting.detached && !waiting.referenced {
                    self.stop_sending(BodyOf::Call(waiting.id));
                }
                self.give_up_answer_body(waiting.id);
            }
            State::Capability { id, introduced } => {
                self.import_caps.remove(&id);
                if open && introduced > 0 {
                    self.out.release(id, introduced);
                }
            }
            State::Lined { .. } | State::Value { .. } | State::Settled { .. } => {}
        }
    }

    #[inline]
    pub(super) fn remove_settled(&mut self, key: SlotKey) -> Option<Outcome<Cap>> {
        let mut import = self.imports.remove(key)?;
        import.widen();
        self.events_retire_waiter(import.waiter);
        let State::Settled { id, forget, outcome } = import.state else { return None };
        self.unread_bytes = self.unread_bytes.saturating_sub(outcome.len());
        if !forget {
            self.import_calls.remove(id);
            if self.ended().is_none() {
                self.out.finish(id, false);
            }
        }
        Some(*outcome)
    }

    #[inline]
    pub(super) fn events_retire_waiter(&mut self, waiter: P::Waiter) {
        if !P::is_empty(&waiter) {
            self.events.push(Event::Retired(Retired::Waiter(waiter)));
        }
    }

    /// Gives up an outcome that nobody will read.
    pub(crate) fn drop_outcome(&mut self, outcome: Outcome<Cap>) {
        match outcome {
            Outcome::Value(answer) | Outcome::User(answer, _) => {
                if let Body::Shared(bytes) = answer.body {
                    self.events.push(Event::Retired(Retired::Bytes(bytes)));
                }
                self.drop_caps(answer.caps);
            }
            Outcome::Failed(_) => {}
        }
    }

    /// Gives up capabilities that came in a message and reached nobody. Iterative: a capability that is given up
    /// may be the last handle of another slot, never of a chain of them.
    pub(crate) fn drop_caps(&mut self, caps: Vec<Cap>) {
        for cap in caps {
            match cap {
                Cap::Import(key) => self.release(key),
                Cap::Hosted(capability) => self.events.push(Event::Retired(Retired::Target(capability))),
                Cap::Pending(id, _) => self.unpin(id),
                Cap::Broken(_) => {}
            }
        }
    }
}
