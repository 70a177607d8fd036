//! What goes in and out of a session beside bytes.

use std::sync::Arc;

use bytes::Bytes;

use super::{Room, SlotKey};
use crate::codec::{Capability, Encoded, Span};
use crate::error::Error;
use crate::interface::Interface;
use crate::wire::{Path, flag};

/// What a session stores for others and never looks into.
pub(crate) trait Parts: Sized + 'static {
    /// What waits for a call of ours.
    type Waiter: Default;
    /// Whether nothing waits.
    fn is_empty(waiter: &Self::Waiter) -> bool;
    /// How to cancel a method that runs for the peer.
    type Running;
    /// What waits for an answer of ours.
    type Watcher;
    /// Which one it is.
    fn identity(watcher: &Self::Watcher) -> usize;
    /// A capability that stands for what is not to be called yet, and what hears when it is. Calls on it wait, and
    /// take from the room.
    fn stand_in(interface: Option<&'static Interface>, room: &Arc<Room>) -> (Self::Watcher, Capability);
}

/// What calls to the same target have in common, see [`Handle::target_key`](crate::handle::Handle::target_key).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TargetKey {
    /// A slot of the connection of this number, or a part of what is there.
    Slot(u64, SlotKey, Path),
    /// Something of this process at this address, or a part of it.
    Local(usize, Path),
    /// Nothing.
    Broken,
}

/// Where a capability lives, seen from a session: see [`Handle::place`](crate::handle::Handle::place).
pub(crate) enum Place {
    /// It is an import of this session, or a part of a result that this session waits for.
    Here(SlotKey, Path),
    /// It lives elsewhere; equal numbers mean the same object.
    Elsewhere(Option<usize>),
}

/// A capability that came in a message.
#[derive(Debug)]
pub(crate) enum Cap {
    /// Hosted by the peer; counts as one handle on the slot.
    Import(SlotKey),
    /// Hosted by this side.
    Hosted(Capability),
    /// A part of our own answer to the call of this id, which has not settled; counts as one hold on it.
    Pending(i64, Path),
    /// A part of our own answer that failed or has no such part.
    Broken(Error),
}

impl Cap {
    /// A copy; what it counts as is up to the session.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::Import(key) => Self::Import(*key),
            Self::Hosted(capability) => Self::Hosted(capability.clone()),
            Self::Pending(id, path) => Self::Pending(*id, path.clone()),
            Self::Broken(error) => Self::Broken(error.clone()),
        }
    }
}

/// A call that came in and can be run.
pub(crate) struct Incoming {
    pub(crate) id: i64,
    pub(crate) flags: u8,
    pub(crate) target: Capability,
    pub(crate) method: u64,
    pub(crate) caps: Vec<Cap>,
    pub(crate) filled: Vec<Filled>,
    /// What came beside its arguments, if anything did.
    pub(crate) metadata: Option<Box<[u8]>>,
    pub(crate) body: IncomingBody,
    /// Bytes of the window that it takes until it starts.
    pub(crate) cost: usize,
    pub(crate) what: What,
}

/// What comes in and is delivered in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Call,
    /// An echo of the peer: it wants to know when it has come as far as a call (R4).
    Echo,
    /// The embargo of this number is lifted: calls that came before are delivered.
    Lift(u64),
}

impl Incoming {
    /// What is delivered like a call to `target` and is none.
    pub(super) fn no_call(id: i64, target: Capability, cost: usize, what: What) -> Self {
        let body = IncomingBody::Kept(Bytes::new());
        let (caps, filled) = (Vec::new(), Vec::new());
        Self { id, flags: flag::FORGET, target, method: 0, caps, filled, metadata: None, body, cost, what }
    }
}

impl Incoming {
    /// How many capabilities it has.
    pub(super) fn caps(&self) -> usize {
        count_caps(&self.caps, &self.filled)
    }
}

/// The capabilities of a message, those of its arguments included.
#[inline]
pub(super) fn count_caps(caps: &[Cap], filled: &[Filled]) -> usize {
    caps.len() + filled.iter().map(|arg| arg.caps.len()).sum::<usize>()
}

/// An argument of an incoming call that stands beside the others.
pub(crate) struct Filled {
    pub(crate) param: u8,
    pub(crate) body: Bytes,
    pub(crate) caps: Vec<Cap>,
}

/// Where the arguments of an incoming call are.
#[derive(Debug)]
pub(crate) enum IncomingBody {
    /// Still in the frame that is being handled.
    Frame(Span),
    /// Kept.
    Kept(Bytes),
    /// In the body of this number, of which pieces are still to come.
    Arriving(u64),
}

/// What must happen outside the lock.
pub(crate) enum Event<P: Parts> {
    /// A call of ours settled.
    Settled(P::Waiter, SlotKey),
    /// A method of ours shall stop: nobody wants its result.
    Cancelled(P::Running),
    /// An answer that was watched settled.
    Watched(P::Watcher, Result<Capability, Error>),
    /// What stands in for a capability goes on to it.
    Lifted(P::Watcher, Cap),
    /// Something of a user's is to be dropped.
    Retired(Retired<P>),
}

/// What left the tables. It is only ever dropped, outside the lock.
#[allow(dead_code, reason = "the fields are there to be dropped later")]
pub(crate) enum Retired<P: Parts> {
    Target(Capability),
    Waiter(P::Waiter),
    Running(P::Running),
    Watcher(P::Watcher),
    Encoded(Box<Encoded>),
    Bytes(Bytes),
}
