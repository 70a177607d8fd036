//! Watching a slot of a connection's imports until it breaks (row 162). Who waits is kept with the slot's other waiters,
//! so that a slot which nobody watches pays nothing.

use super::{Connection, Forward, SlotRef, Waiter};
use crate::bell::{Hearing, Ringer};
use crate::handle::{Handle, Repr};
use crate::reason::Reason;
use crate::session::{Health, SlotKey};
use crate::weak::Look;
use crate::wire::Path;

impl Connection {
    /// Another handle on a slot, if it is still held.
    pub(crate) fn upgrade(&self, key: SlotKey, path: &Path) -> Option<Handle> {
        let held = self.with(|state| {
            state.session.is_held(key) && {
                state.session.hold(key);
                true
            }
        });
        held.then(|| Handle(Repr::Shared(SlotRef::new(self.clone(), key, path.clone()).into())))
    }

    /// Whether what lies at a part of a slot is broken, and how to wait for that.
    pub(crate) fn look(&self, key: SlotKey, path: &Path) -> Look {
        let mut ringer = Some(Ringer::default());
        let (health, hearing) = self.with(|state| {
            let health = state.session.health(key, path);
            let hearing = match &health {
                Health::Whole(slot) => {
                    state.session.waiter_mut(*slot).and_then(|waiter| listen(waiter, &mut ringer))
                }
                _ => None,
            };
            (health, hearing)
        });
        match (health, hearing) {
            (Health::Broken(reason), _) => Look::Broken(reason),
            (Health::Elsewhere(capability), _) => Look::Elsewhere(capability.handle.downgrade()),
            (Health::Whole(_), Some(hearing)) => Look::Waits(vec![hearing]),
            (Health::Whole(_) | Health::Gone, _) => Look::Broken(Reason::released()),
        }
    }
}

/// Joins those who watch the slot already, or begins.
fn listen(waiter: &mut Waiter, ringer: &mut Option<Ringer>) -> Option<Hearing> {
    let found =
        waiter.forwards.iter().flat_map(|forwards| forwards.iter()).find_map(|forward| match forward {
            Forward::Watch(ringer) => Some(ringer.hearing()),
            _ => None,
        });
    found.or_else(|| {
        let ringer = ringer.take()?;
        let hearing = ringer.hearing();
        waiter.forward(Forward::Watch(ringer));
        Some(hearing)
    })
}
