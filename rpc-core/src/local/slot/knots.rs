//! Promises that turn out to be promises, and knots: those that lead back to themselves. A peer can tie one, by asking
//! a method to return what it was promised as that method's own result. It would be called without end. Gates and bound
//! methods on the way make it no less of a knot.

use std::sync::Arc;

use super::{Local, LocalHandle, LocalSlot};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::limits::{MAX_HOPS, PROMISE_HOPS};
use crate::outcome::Outcome;

/// The error of a stub that leads through too many promises.
pub(crate) fn knot() -> Error {
    let text = format!(
        "a promised stub leads through more than {PROMISE_HOPS} other promises, or to itself; that is the limit"
    );
    Error::new(ErrorKind::BadPath, text)
}

impl Local {
    /// Whether it holds promises, which may lead anywhere.
    pub(super) fn leads_on(&self) -> bool {
        match self {
            Self::Kept(outcome) => {
                outcome.caps().iter().any(|cap| matches!(cap.handle.0, Repr::LocalCall(_) | Repr::Relay(_)))
            }
            Self::Unsettled | Self::Typed(..) | Self::Taken => false,
        }
    }
}

impl LocalSlot {
    /// The outcome, in which nothing leads back to it. It is looked at when it is in place and before anybody is served:
    /// of the promises of a knot the last one to settle finds it.
    pub(super) fn untied(&self) -> Arc<Outcome<Capability>> {
        let outcome = self.kept();
        if !outcome.caps().iter().any(|cap| is_knot(&cap.handle)) {
            return outcome;
        }
        let cut = Arc::new(outcome.clone_with(|cap| match is_knot(&cap.handle) {
            true => Capability { handle: Handle::broken(knot()), interface: cap.interface },
            false => cap.clone(),
        }));
        let old = std::mem::replace(&mut self.lock().outcome, Local::Kept(Arc::clone(&cut)));
        drop(old);
        cut
    }
}

/// Whether it leads through too many promises. What stands before one is no promise, and never stands before itself.
fn is_knot(handle: &Handle) -> bool {
    let mut found: Option<Handle> = None;
    let mut promises = 0;
    loop {
        let at = found.as_ref().unwrap_or(handle);
        let next = match &at.0 {
            Repr::LocalCall(local) => {
                promises += 1;
                if promises > PROMISE_HOPS {
                    return true;
                }
                local.settles_to()
            }
            Repr::Relay(relay) => relay.behind(),
            _ => None,
        };
        match next {
            Some(next) => found = Some(next),
            None => return false,
        }
    }
}

/// Whether this is a handle on the slot, or on what turned out to be one.
pub(crate) fn leads_to(handle: &Handle, slot: &LocalSlot) -> bool {
    let mut found: Option<Handle> = None;
    for _ in 0..MAX_HOPS {
        let next = match &found.as_ref().unwrap_or(handle).0 {
            Repr::LocalCall(local) if std::ptr::eq(&raw const *local.slot, slot) => return true,
            Repr::LocalCall(local) => local.settled_target(),
            Repr::Relay(relay) => relay.behind(),
            _ => None,
        };
        match next {
            Some(next) => found = Some(next),
            None => break,
        }
    }
    false
}

impl LocalHandle {
    /// What it has turned out to be, whether or not those who wait for it have been told.
    fn settles_to(&self) -> Option<Handle> {
        let outcome = match &self.slot.lock().outcome {
            Local::Kept(outcome) => Arc::clone(outcome),
            Local::Unsettled | Local::Typed(..) | Local::Taken => return None,
        };
        outcome.target_at(&self.path).ok().map(|capability| capability.handle)
    }
}
