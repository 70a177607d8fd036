//! [`Gate`]: what is revoked together, and the books of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{Gated, GatedCall, Relay};
use crate::bell::Hearing;
use crate::error::Error;
use crate::fuse::Fuse;
use crate::handle::{Handle, Repr};
use crate::invocation::{Guarded, Invocation};
use crate::local::LocalRef;
use crate::reason::Reason;
use crate::session::{Slab, SlotKey, TargetKey};

/// What one revocation cuts: references through it, and calls under way.
pub(crate) struct Gate {
    /// Whether everything that goes through it is wrapped.
    pub(super) membrane: bool,
    /// The call of an entrypoint that everything goes out of which it stands before, and which it keeps (row 155).
    pub(super) context: Option<Arc<dyn Invocation>>,
    /// Why it is closed, once it is, and who waits for that.
    fuse: Fuse,
    state: Mutex<State>,
}

struct State {
    relays: Slab<Weak<Relay>>,
    calls: Slab<Weak<GatedCall>>,
    /// The relay before each target, so that one target has one, and one id on a wire (R1e).
    known: HashMap<(Side, TargetKey), SlotKey>,
    /// The same of targets that came out of a call of an entrypoint, by where they are in memory.
    guards: HashMap<usize, Weak<Guarded>>,
}

/// The two sides of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// Where the stub lives that was wrapped.
    Inside,
    /// Where its holder is.
    Outside,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Inside => Self::Outside,
            Self::Outside => Self::Inside,
        }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (membrane, reason) = (self.membrane, self.reason());
        f.debug_struct("Gate").field("membrane", &membrane).field("reason", &reason).finish_non_exhaustive()
    }
}

impl Gate {
    pub(crate) fn new(membrane: bool) -> Arc<Self> {
        Self::made(membrane, None)
    }

    /// A gate before what comes out of a call of an entrypoint.
    pub(crate) fn of(invocation: Arc<dyn Invocation>) -> Arc<Self> {
        Self::made(false, Some(invocation))
    }

    fn made(membrane: bool, context: Option<Arc<dyn Invocation>>) -> Arc<Self> {
        let (relays, calls) = (Slab::new(), Slab::new());
        let state = State { relays, calls, known: HashMap::new(), guards: HashMap::new() };
        Arc::new(Self { membrane, context, fuse: Fuse::default(), state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why everything through it fails, if it was revoked.
    pub(crate) fn reason(&self) -> Option<&Error> {
        self.fuse.reason().map(Reason::error)
    }

    /// The same; else a way to wait for it.
    pub(super) fn look(&self) -> Result<Hearing, Reason> {
        self.fuse.look()
    }

    /// The reason for a call that was under way.
    pub(crate) fn struck(&self) -> Error {
        match self.reason() {
            Some(reason) => reason.clone().with_may_have_run(true),
            None => Error::new(crate::error::ErrorKind::Disposed, "the promise was used up already"),
        }
    }

    /// Closes it for good. Tells whether this did it.
    pub(crate) fn revoke(&self, reason: Error) -> bool {
        if !self.fuse.blow(Reason::Revoked(reason)) {
            return false;
        }
        let (mut relays, mut calls, _known) = {
            let mut state = self.lock();
            (
                std::mem::replace(&mut state.relays, Slab::new()),
                std::mem::replace(&mut state.calls, Slab::new()),
                std::mem::take(&mut state.known),
            )
        };
        for call in calls.drain().iter().filter_map(Weak::upgrade) {
            call.cut(self.struck());
        }
        let relays: Vec<_> = relays.drain().iter().filter_map(Weak::upgrade).collect();
        let gated = || relays.iter().filter_map(|relay| relay.gated());
        gated().for_each(Gated::keep_home);
        gated().for_each(Gated::cut);
        true
    }

    /// The relay that stands before this target already.
    pub(super) fn find(&self, side: Side, target: &TargetKey) -> Option<Arc<Relay>> {
        let state = self.lock();
        let key = *state.known.get(&(side, target.clone()))?;
        state.relays.get(key)?.upgrade()
    }

    /// Enters a relay; one that lost a race against another for the same target is merely not the known one.
    pub(super) fn enter(
        &self,
        relay: &Arc<Relay>,
        known: Option<(Side, TargetKey)>,
    ) -> Result<SlotKey, Error> {
        let mut state = self.lock();
        if let Some(reason) = self.reason() {
            return Err(reason.clone());
        }
        let key = state.relays.insert(Arc::downgrade(relay));
        if let Some(known) = known {
            state.known.insert(known, key);
        }
        Ok(key)
    }

    pub(super) fn leave(&self, key: SlotKey, known: Option<(Side, TargetKey)>) {
        let mut state = self.lock();
        let left = state.relays.remove(key);
        if let Some(known) = known
            && state.known.get(&known) == Some(&key)
        {
            state.known.remove(&known);
        }
        drop(state);
        drop(left);
    }

    pub(super) fn enter_call(&self, call: &Arc<GatedCall>) -> Result<SlotKey, Error> {
        let mut state = self.lock();
        if let Some(reason) = self.reason() {
            return Err(reason.clone());
        }
        Ok(state.calls.insert(Arc::downgrade(call)))
    }

    pub(super) fn leave_call(&self, key: SlotKey) {
        let left = self.lock().calls.remove(key);
        drop(left);
    }

    /// The handle of a target as it is outside: with a guard before it, one for each target.
    pub(super) fn guard(self: &Arc<Self>, local: &Arc<LocalRef>) -> Handle {
        let key = address_of(local);
        let known = self.lock().guards.get(&key).and_then(Weak::upgrade);
        if let Some(known) = known {
            return Handle::local(known);
        }
        let Some(guard) = Guarded::before(self, local) else { return Handle(Repr::Local(Arc::clone(local))) };
        // Another thread may have been faster; theirs is merely not the known one.
        let old = self.lock().guards.insert(key, Arc::downgrade(&guard));
        drop(old);
        Handle::local(guard)
    }

    /// A guard is gone.
    pub(crate) fn forget(&self, local: &Arc<LocalRef>) {
        let left = {
            let mut state = self.lock();
            match state.guards.get(&address_of(local)) {
                Some(known) if known.strong_count() == 0 => state.guards.remove(&address_of(local)),
                _ => None,
            }
        };
        drop(left);
    }

    pub(crate) fn fuse(&self) -> &Fuse {
        &self.fuse
    }

    /// How many references and calls it would cut.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.relays.len(), state.calls.len(), state.known.len())
    }
}

/// Where a target is in memory.
fn address_of(local: &LocalRef) -> usize {
    Arc::as_ptr(local.target()).cast::<()>() as usize
}
