//! What a capability becomes when it goes through a gate.

use std::sync::Arc;

use super::Relay;
use super::gate::{Gate, Side};
use super::gated::{Gated, wrap};
use crate::codec::{Capability, Encoded, PromiseArg};
use crate::handle::{Handle, Repr};
use crate::interface::Interface;
use crate::invocation::Invocation;
use crate::outcome::Reply;

/// Contexts that a stub without a target of this process keeps. One that was handed on more often keeps the first.
const MOST_CONTEXTS: usize = 16;

impl Gate {
    /// A stub of the inside, for a holder outside.
    pub(crate) fn wrap(self: &Arc<Self>, handle: Handle, interface: &'static Interface) -> Handle {
        wrap(self, handle, Some(interface), Side::Inside)
    }

    /// What a capability of the side `from` is on the other: one that went through the gate before is itself again, and
    /// a membrane wraps every other.
    pub(super) fn cross_cap(self: &Arc<Self>, cap: Capability, from: Side) -> Capability {
        let Capability { handle, interface } = cap;
        Capability { handle: self.cross(handle, interface, from), interface }
    }

    fn cross(self: &Arc<Self>, handle: Handle, interface: Option<&'static Interface>, from: Side) -> Handle {
        if let Repr::Relay(relay) = &handle.0
            && let Relay::Gated(gated) = &**relay
            && Arc::ptr_eq(&gated.gate, self)
        {
            if gated.side == from {
                return handle;
            }
            return match gated.inner() {
                Ok(home) => (*home).clone(),
                Err(reason) => Handle::broken(reason),
            };
        }
        if let Some(invocation) = &self.context {
            return if from == Side::Inside { self.go_out(handle, interface, &**invocation) } else { handle };
        }
        if self.membrane { wrap(self, handle, interface, from) } else { handle }
    }

    /// What comes out of the call of an entrypoint: it keeps the context of the call, and breaks with it. What is the
    /// caller's own does not, nor do addresses, which belong to nobody.
    fn go_out(
        self: &Arc<Self>,
        handle: Handle,
        interface: Option<&'static Interface>,
        invocation: &dyn Invocation,
    ) -> Handle {
        let handle = if let Repr::LocalCall(_) = &handle.0 { handle.resolved() } else { handle };
        match &handle.0 {
            Repr::Broken(_) | Repr::Address(_) => handle,
            Repr::Local(local) => self.guard(local),
            Repr::Slot(slot) if invocation.came_over(slot.connection()) => handle,
            Repr::Shared(slot) if invocation.came_over(slot.connection()) => handle,
            Repr::Relay(relay) if relay.depth() >= MOST_CONTEXTS => handle,
            Repr::Slot(_) | Repr::Shared(_) | Repr::LocalCall(_) | Repr::Relay(_) => {
                wrap(self, handle, interface, Side::Inside)
            }
        }
    }

    /// The stubs of a result that comes from the inside.
    pub(crate) fn cross_result(self: &Arc<Self>, reply: &mut Reply) {
        self.cross_reply(reply, Side::Inside);
    }

    fn cross_caps(self: &Arc<Self>, caps: &mut Vec<Capability>, from: Side) {
        if !caps.is_empty() {
            *caps = std::mem::take(caps).into_iter().map(|cap| self.cross_cap(cap, from)).collect();
        }
    }

    /// A reply that comes from `from`.
    pub(super) fn cross_reply(self: &Arc<Self>, reply: &mut Reply, from: Side) {
        self.cross_caps(&mut reply.encoded.caps, from);
    }
}

impl Gated {
    /// The arguments of a call go to what it refers to.
    pub(super) fn cross_in(&self, encoded: &mut Encoded) {
        let (gate, from) = (&self.gate, self.side.other());
        gate.cross_caps(&mut encoded.caps, from);
        for filled in &mut encoded.filled {
            gate.cross_caps(&mut filled.caps, from);
        }
        if !encoded.promises.is_empty() {
            let cross =
                |PromiseArg { param, handle }| PromiseArg { param, handle: gate.cross(handle, None, from) };
            encoded.promises = std::mem::take(&mut encoded.promises).into_iter().map(cross).collect();
        }
    }

    /// What came out of it is used on this side.
    pub(super) fn cross_out(&self, caps: &mut Vec<Capability>) {
        self.gate.cross_caps(caps, self.side);
    }
}
