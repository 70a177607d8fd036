//! What is held over a connection, and where that comes from.

use std::panic::Location;
use std::task::Waker;

use super::{Connection, Forward, SlotRef, Waiter};
use crate::codec::Capability;
use crate::context::CallSpan;
use crate::handle::{Handle, Repr};
use crate::interface::{Interface, MethodId};
use crate::outcome::Outcome;
use crate::session::{Cap, SlotKey};
use crate::snapshot::{Snapshot, group};

impl Connection {
    /// Records from now on where the stubs, functions and calls come from that are held over this connection, for
    /// [`snapshot`](Self::snapshot): the place in the source of each call, and the method for what is passed to or
    /// returned by one. It costs each call a look into a map. As long as no connection of the process records, it costs
    /// a comparison.
    pub fn record_sites(&self) {
        self.with(|state| state.session.record_sites());
    }

    /// What both sides hold over this connection now, by interface and by the place where it comes from. Row 159.
    ///
    /// ```
    /// # use farcall_core::connection::Connection;
    /// # fn example(connection: &Connection) {
    /// let snapshot = connection.snapshot();
    /// if !snapshot.is_clean() {
    ///     eprintln!("{snapshot}");
    /// }
    /// # }
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        let (mut snapshot, exports) = self.with(|state| state.session.snapshot());
        let found = exports.into_iter().map(|(target, site, introduced)| (name(&target), site, introduced));
        snapshot.exports = group(found);
        snapshot
    }

    /// How many notes of places are kept: bounded by what is held, and not by what was.
    #[doc(hidden)]
    pub fn recorded_sites(&self) -> usize {
        self.with(|state| state.session.recorded_sites())
    }

    /// Whether the task that this wakes awaits an answer of the peer.
    pub(crate) fn is_awaited_by(&self, waker: &Waker) -> bool {
        let is_its = |waiter: &Waiter| waiter.waker.as_ref().is_some_and(|other| other.will_wake(waker));
        self.with(|state| state.session.any_waiter(is_its))
    }

    /// The capabilities of a call for a method of this side.
    pub(super) fn note_received(&self, caps: &[Capability], target: &Capability, method: MethodId) {
        let info = match (&target.handle.0, target.interface) {
            (Repr::Local(local), _) => local.target().find(method).ok().map(|found| found.info),
            (_, Some(interface)) => {
                interface.find(method).ok().and_then(|(index, _)| interface.method(index))
            }
            _ => None,
        };
        let keys: Vec<SlotKey> = caps.iter().filter_map(|cap| self.key_of(&cap.handle)).collect();
        self.with(|state| {
            for key in keys {
                state.session.note_received(key, info.map(|info| info.name));
            }
        });
    }

    /// The capabilities of the result of a call, as handles.
    #[inline]
    pub(super) fn take_result(&self, call: SlotKey, outcome: Outcome<Cap>) -> Outcome<Capability> {
        if !outcome.caps().is_empty() && crate::sites::recording() {
            self.note_obtained(call, &outcome);
        }
        self.take_outcome(outcome)
    }

    fn note_obtained(&self, call: SlotKey, outcome: &Outcome<Cap>) {
        let (Outcome::Value(answer) | Outcome::User(answer, _)) = outcome else { return };
        let method = answer.schema.and_then(crate::schema::Schema::method);
        self.with(|state| {
            for cap in &answer.caps {
                if let Cap::Import(key) = cap {
                    state.session.note_obtained(*key, call, method);
                }
            }
        });
    }

    fn key_of(&self, handle: &Handle) -> Option<SlotKey> {
        slot(handle).filter(|slot| slot.connection().id() == self.id()).map(SlotRef::key)
    }
}

fn slot(handle: &Handle) -> Option<&SlotRef> {
    match &handle.0 {
        Repr::Slot(slot) => Some(slot),
        Repr::Shared(slot) => Some(slot),
        _ => None,
    }
}

fn name(target: &Capability) -> Option<&'static str> {
    match (target.interface, &target.handle.0) {
        (Some(interface), _) => Some(interface.name),
        (None, Repr::Local(local)) => Some(local.target().interface().name),
        (None, _) => None,
    }
}

/// A call was made here, which gave this promise.
#[cold]
pub(crate) fn note_call(promise: &Handle, method: &'static str, at: &'static Location<'static>) {
    if let Some(slot) = slot(promise) {
        slot.connection().with(|state| state.session.note_call(slot.key(), Some(method), at));
    } else if let Repr::Relay(relay) = &promise.0
        && let Some(inner) = relay.before()
    {
        note_call(&inner, method, at);
    }
}

/// A call is made: its span begins, and ends with its answer. A call of this process has the span of its method.
#[cold]
pub(crate) fn trace_call(promise: &Handle, interface: &'static str, method: &'static str) {
    if let Some(slot) = slot(promise) {
        let mut span = Some(CallSpan::new(interface, method, slot.connection().id()));
        slot.connection().with(|state| {
            if let Some(waiter) = state.session.waiter_mut(slot.key())
                && let Some(span) = span.take()
            {
                waiter.forward(Forward::Span(span));
            }
        });
    } else if let Repr::Relay(relay) = &promise.0
        && let Some(inner) = relay.before()
    {
        trace_call(&inner, interface, method);
    }
}

/// A stub of this interface was made of a handle.
#[cold]
pub(crate) fn note_interface(handle: &Handle, interface: &'static Interface) {
    if let Some(slot) = slot(handle) {
        slot.connection().with(|state| state.session.note_interface(slot.key(), interface.name));
    } else if let Repr::Relay(relay) = &handle.0
        && let Some(inner) = relay.before()
    {
        note_interface(&inner, interface);
    }
}
