//! Whether what a slot of the imports stands for can still be called, and if not, why.

use super::imports::State;
use super::routes::project;
use super::{Called, Cap, Parts, Session, SlotKey};
use crate::codec::Capability;
use crate::error::Error;
use crate::reason::Reason;
use crate::wire::Path;

/// What is known of a part of a slot.
pub(crate) enum Health {
    /// Nobody holds the slot any more.
    Gone,
    /// No call on it will ever arrive.
    Broken(Reason),
    /// It is whole, or has not settled; this slot hears of a change.
    Whole(SlotKey),
    /// It turned out to be a target of this side, or of another connection.
    Elsewhere(Capability),
}

impl<P: Parts> Session<P> {
    /// Whether anybody holds the slot.
    pub(crate) fn is_held(&self, key: SlotKey) -> bool {
        self.imports.get(key).is_some_and(|import| !import.abandoned)
    }

    /// Looks at a part of a slot. For a call that has not settled the answer is asked for: who only calls through a
    /// promise would never hear that it failed.
    pub(crate) fn health(&mut self, key: SlotKey, path: &Path) -> Health {
        let Some(import) = self.imports.get_mut(key).filter(|import| !import.abandoned) else {
            return Health::Gone;
        };
        import.widen();
        let project = |outcome| project(import.schema, outcome, path);
        match &import.state {
            State::Capability { .. } => self.health_of_connection(key),
            State::Lined { .. } | State::Waiting(_) => {
                // Two handles for a moment, so that the callee keeps the answer.
                self.hold(key);
                self.poll(key);
                self.release(key);
                Health::Whole(key)
            }
            // It has just been made one of the next kind.
            State::Value { .. } => Health::Gone,
            State::Settled { outcome, .. } => match outcome.upstream_error() {
                Some(error) => Health::Broken(self.reason_of(error)),
                None => match project(outcome) {
                    Ok(Cap::Import(other)) => {
                        let other = *other;
                        self.health(other, &Path::EMPTY)
                    }
                    Ok(Cap::Hosted(capability)) => Health::Elsewhere(capability.clone()),
                    Ok(Cap::Pending(..)) => self.health_of_connection(key),
                    Ok(Cap::Broken(error)) => Health::Broken(Reason::of_rejection(error.upstream())),
                    Err(error) => Health::Broken(Reason::of_rejection(error)),
                },
            },
        }
    }

    /// Of what is reached over the connection and breaks with it.
    fn health_of_connection(&self, key: SlotKey) -> Health {
        match self.over() {
            Some(error) => Health::Broken(Reason::of_end(error)),
            None => Health::Whole(key),
        }
    }

    /// Why no call is sent any more, if so.
    fn over(&self) -> Option<&Error> {
        self.ended().or(self.farewell.as_ref())
    }

    /// A call that failed because the session ended broke with the session.
    fn reason_of(&self, error: Error) -> Reason {
        match self.over() {
            Some(end) if end.kind() == error.origin() && end.said() == error.said() => Reason::of_end(end),
            _ => Reason::of_rejection(error),
        }
    }

    /// A call after the end. What broke before the session did stays broken for its own reason (row 163), and what
    /// turned out to be on this side does not hang on the session.
    #[cold]
    pub(super) fn call_after_end(
        &mut self,
        target: (SlotKey, &Path),
        reason: &Error,
    ) -> Result<Called, Error> {
        match self.health(target.0, target.1) {
            Health::Elsewhere(capability) => Ok(Called::Local(Box::new(capability))),
            Health::Broken(reason) => Err(reason.error().clone()),
            Health::Gone | Health::Whole(_) => Err(reason.clone().did_not_run()),
        }
    }
}
