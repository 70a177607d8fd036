//! [`Breaker`]: breaks what came out of one call of an entrypoint.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::Invocation;
use crate::error::Error;
use crate::outcome::Reply;
use crate::relay::Gate;

/// Breaks, for one reason, the stubs and functions that came out of one call of an entrypoint, those that came out of
/// these, and the calls on all of them (rows 178 and 179).
///
/// What came out of the call keeps its [`Invocation`]; the breaker, which the invocation has, keeps neither.
#[derive(Default)]
pub struct Breaker {
    /// Made with the first stub.
    gate: Mutex<Weak<Gate>>,
    reason: OnceLock<Error>,
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Breaker").field("reason", &self.reason.get()).finish_non_exhaustive()
    }
}

impl Breaker {
    /// A breaker of what is still to come.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks it all: calls that run fail with this, and later ones as well, which do not run. The first reason stays;
    /// tells whether it is this one.
    pub fn break_all(&self, reason: Error) -> bool {
        if self.reason.set(reason.clone()).is_err() {
            return false;
        }
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(gate) = gate {
            gate.revoke(reason.did_not_run());
        }
        true
    }

    /// Why all of it is broken, if it is.
    pub fn reason(&self) -> Option<&Error> {
        self.reason.get()
    }

    /// Has the stubs of a result keep the invocation, and break with it.
    pub(super) fn hold(&self, reply: &mut Reply, invocation: &Arc<dyn Invocation>) {
        if !reply.encoded.caps.is_empty() {
            self.gate(invocation).cross_result(reply);
        }
    }

    fn gate(&self, invocation: &Arc<dyn Invocation>) -> Arc<Gate> {
        let gate = {
            let mut known = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            known.upgrade().unwrap_or_else(|| {
                let gate = Gate::of(Arc::clone(invocation));
                *known = Arc::downgrade(&gate);
                gate
            })
        };
        // Whoever breaks it first says why, and then looks for the gate.
        if let Some(reason) = self.reason.get() {
            gate.revoke(reason.clone().did_not_run());
        }
        gate
    }
}
