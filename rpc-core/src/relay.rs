//! [`Relay`]: a reference of this process that passes calls on to another one, under conditions or by another name.
//!
//! It works on encoded messages and on their lists of capabilities, and decodes nothing (R8).

mod bound;
mod call;
mod crossing;
mod gate;
mod gated;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::task::{Context, Poll};

pub(crate) use bound::{BoundMethod, Probe, placeholder};
pub(crate) use call::GatedCall;
pub(crate) use gate::Gate;
pub(crate) use gated::Gated;

use crate::codec::{Capability, Encoded};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::interface::{MethodId, MethodInfo};
use crate::local::{Gather, Parked};
use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::sink::Sink;
use crate::weak::Look;
use crate::wire::Path;

/// What stands before another reference.
pub(crate) enum Relay {
    /// Passes calls on until it is revoked.
    Gated(Gated),
    /// A function that is a method of a stub.
    Method(BoundMethod),
    /// Passes nothing on, and remembers the call that was made on it.
    Probe(Probe),
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gated(gated) => gated.fmt(f),
            Self::Method(method) => method.fmt(f),
            Self::Probe(_) => f.write_str("probe"),
        }
    }
}

impl Relay {
    /// Makes a call, whose result can be awaited and called through.
    pub(crate) fn call(&self, method: MethodId, info: &'static MethodInfo, encoded: Box<Encoded>) -> Handle {
        match self {
            Self::Gated(gated) => gated.call(method, info, encoded),
            Self::Method(bound) => bound.call(method, encoded),
            Self::Probe(probe) => probe.call(info, encoded),
        }
    }

    /// Makes a call whose reply goes to its sink: comes back as what it is now, and where it goes.
    pub(crate) fn send(&self, parked: Parked) -> Option<(Handle, Parked)> {
        match self {
            Self::Gated(gated) => gated.send(parked),
            Self::Method(bound) => bound.send(parked),
            Self::Probe(_) => {
                parked.sink.fail(not_a_promise());
                None
            }
        }
    }

    /// Makes the outcome of the promise behind it the reply of another call.
    pub(crate) fn pass_result(&self, sink: Sink, info: &'static MethodInfo) {
        match self {
            Self::Gated(gated) => gated.pass_result(sink, info),
            Self::Method(_) | Self::Probe(_) => sink.fail(not_a_promise()),
        }
    }

    /// Whether it is broken, and how to wait for that.
    pub(crate) fn look(&self) -> Look {
        match self {
            Self::Gated(gated) => gated.look(),
            Self::Method(bound) => bound.look(),
            Self::Probe(_) => Look::Broken(Reason::of_rejection(not_a_promise())),
        }
    }

    /// A part of what it promises.
    pub(crate) fn field(&self, index: u16) -> Handle {
        match self {
            Self::Gated(gated) => gated.field(index),
            Self::Method(_) | Self::Probe(_) => {
                Handle::broken(Error::new(ErrorKind::BadPath, "a function has no fields"))
            }
        }
    }

    /// The same as a promise of one's own, which can be awaited.
    pub(crate) fn into_own(self: Arc<Self>) -> Handle {
        match &*self {
            Self::Gated(gated) if Arc::strong_count(&self) > 1 => gated.another(),
            _ => Handle(Repr::Relay(self)),
        }
    }

    /// Lets the call behind it run, until it ends or is revoked, although nobody waits for its result.
    pub(crate) fn detach(self: &Arc<Self>) {
        let Repr::Relay(own) = Arc::clone(self).into_own().0 else { return };
        let mut first = true;
        crate::spawn::spawn(Box::pin(async move {
            std::future::poll_fn(|cx| own.poll(cx, std::mem::replace(&mut first, false)).map(drop)).await;
        }));
    }

    /// Asks for the outcome of the call behind it, which is to be decoded at the path.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, first: bool) -> Poll<(Outcome<Capability>, Path)> {
        match self {
            Self::Gated(gated) => gated.poll(cx, first),
            Self::Method(_) | Self::Probe(_) => Poll::Ready((Outcome::Failed(not_a_promise()), Path::EMPTY)),
        }
    }

    /// Waits until the call behind it has left this side's buffers.
    pub(crate) fn poll_sent(&self, cx: &Context<'_>) -> Poll<()> {
        match self {
            Self::Gated(gated) => gated.poll_sent(cx),
            Self::Method(_) | Self::Probe(_) => Poll::Ready(()),
        }
    }

    /// The promise behind it, whose outcome is to be an argument; what changes sides then is up to this relay. One that
    /// is revoked says so to the call.
    pub(crate) fn promised(&self, gather: &Arc<Gather>, param: u8) -> Result<Handle, Error> {
        match self {
            Self::Gated(gated) => gated.promised(gather, param),
            Self::Method(_) | Self::Probe(_) => Err(not_a_promise()),
        }
    }

    /// What capabilities that came out of it are on this side of it.
    pub(crate) fn cross_out(&self, caps: &mut Vec<Capability>) {
        if let Self::Gated(gated) = self {
            gated.cross_out(caps);
        }
    }

    pub(crate) fn same_target(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Gated(a), Self::Gated(b)) => a.same_target(b),
            (Self::Method(a), Self::Method(b)) => a.same_method(b),
            _ => false,
        }
    }

    /// What it stands before, unless that was taken from it.
    pub(crate) fn before(&self) -> Option<Arc<Handle>> {
        match self {
            Self::Gated(gated) => gated.inner().ok(),
            Self::Method(_) | Self::Probe(_) => None,
        }
    }

    fn gated(&self) -> Option<&Gated> {
        match self {
            Self::Gated(gated) => Some(gated),
            Self::Method(_) | Self::Probe(_) => None,
        }
    }

    /// Where its calls go, unless that was taken from it.
    pub(crate) fn behind(&self) -> Option<Handle> {
        match self {
            Self::Gated(gated) => gated.inner().ok().map(|inner| (*inner).clone()),
            Self::Method(bound) => Some(bound.target().clone()),
            Self::Probe(_) => None,
        }
    }

    /// What it turned out to be: what was promised through a gate may have come from this side of it.
    pub(crate) fn resolved(&self) -> Option<Handle> {
        match self {
            Self::Gated(gated) => gated.resolved(),
            Self::Method(_) | Self::Probe(_) => None,
        }
    }

    /// The connection of what it stands before.
    pub(crate) fn connection(&self) -> Option<Connection> {
        match self {
            Self::Gated(gated) => gated.inner().ok()?.connection(),
            Self::Method(bound) => bound.target().connection(),
            Self::Probe(_) => None,
        }
    }

    /// How many relays stand one before the other, this one included.
    fn depth(&self) -> usize {
        match self {
            Self::Gated(gated) => gated.depth(),
            Self::Method(bound) => bound.depth(),
            Self::Probe(_) => 1,
        }
    }
}

/// The most relays that may stand one before the other: a call goes through all of them on one stack.
const MOST_RELAYS: usize = 64;

/// The depth of a relay that is put before `handle`.
fn depth_before(handle: &Handle) -> Result<usize, Error> {
    let depth = match &handle.0 {
        Repr::Relay(relay) => relay.depth() + 1,
        _ => 1,
    };
    if depth > MOST_RELAYS {
        let text = format!("a stub is wrapped {depth} times; the limit is {MOST_RELAYS}");
        return Err(Error::new(ErrorKind::Limit, text));
    }
    Ok(depth)
}

fn not_a_promise() -> Error {
    Error::new(ErrorKind::Unsupported, "a stub is not a promise")
}
