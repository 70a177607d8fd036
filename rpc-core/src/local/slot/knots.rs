//! Promises that turn out to be promises, and knots: those that lead back to themselves. A peer can tie one, by asking
//! a method to return what it was promised as that method's own result. It would be called without end.

use std::sync::Arc;

use super::{Local, LocalHandle, LocalSlot};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::limits::PROMISE_HOPS;
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
                outcome.caps().iter().any(|cap| matches!(cap.handle.0, Repr::LocalCall(_)))
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

fn is_knot(handle: &Handle) -> bool {
    let next = |handle: &Handle| match &handle.0 {
        Repr::LocalCall(local) => Some(local.settles_to()),
        _ => None,
    };
    let mut found = next(handle);
    for _ in 0..PROMISE_HOPS {
        match found {
            Some(Some(handle)) => found = next(&handle),
            Some(None) | None => return false,
        }
    }
    true
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
