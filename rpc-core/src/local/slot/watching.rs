//! Watching a promise of this process until what it promises breaks (row 162).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Local, LocalHandle, LocalSlot, State, Subscriber, check_path};
use crate::bell::{Hearing, Ringer};
use crate::reason::Reason;
use crate::weak::Look;
use crate::wire::Path;

impl LocalSlot {
    /// Another handle, if there is one.
    pub(crate) fn another(self: &Arc<Self>, path: Path) -> Option<LocalHandle> {
        let state = self.lock();
        if state.is_gone(self) {
            return None;
        }
        self.handles.fetch_add(1, Ordering::Relaxed);
        drop(state);
        Some(LocalHandle { slot: Arc::clone(self), path, done: false })
    }

    /// Whether the stub at a part of it is broken, and how to wait for that.
    pub(crate) fn look(self: &Arc<Self>, path: &Path) -> Look {
        let mut new = Some(Ringer::default());
        let waits = {
            let mut state = self.lock();
            if state.is_gone(self) {
                return Look::Broken(Reason::released());
            }
            if state.parks() { state.listen(&mut new) } else { None }
        };
        if let Some(hearing) = waits {
            self.keep();
            return Look::Waits(vec![hearing]);
        }
        match check_path(path).and_then(|()| self.kept().target_at(path)) {
            Ok(capability) => Look::Elsewhere(capability.handle.downgrade()),
            Err(error) => Look::Broken(Reason::of_rejection(error)),
        }
    }
}

impl State {
    /// Whether there is no handle any more, or the last has taken the outcome.
    fn is_gone(&self, slot: &LocalSlot) -> bool {
        slot.handles() == 0 || matches!(self.outcome, Local::Taken) && !self.flushing
    }

    /// Joins those who wait for a stub in it to break, or begins with this.
    fn listen(&mut self, new: &mut Option<Ringer>) -> Option<Hearing> {
        let found =
            self.subscribers.iter().flat_map(|all| all.iter()).find_map(|(_, subscriber)| match subscriber {
                Subscriber::Watch(ringer) => Some(ringer.hearing()),
                _ => None,
            });
        found.or_else(|| {
            let ringer = new.take()?;
            let (hearing, ticket) = (ringer.hearing(), self.ticket());
            let all = self.subscribers.get_or_insert_default();
            all.push_back((ticket, Subscriber::Watch(ringer)));
            Some(hearing)
        })
    }

    /// Those who wait for a stub in it to break, once the last handle has gone.
    pub(super) fn unwatch(&mut self, slot: &LocalSlot) -> VecDeque<(u64, Subscriber)> {
        if slot.handles() > 0 {
            return VecDeque::new();
        }
        let Some(all) = self.subscribers.take() else { return VecDeque::new() };
        let is_watch = |(_, subscriber): &(u64, Subscriber)| matches!(subscriber, Subscriber::Watch(_));
        let (left, kept): (_, VecDeque<_>) = all.into_iter().partition(is_watch);
        self.subscribers = (!kept.is_empty()).then(|| Box::new(kept));
        left
    }
}
