//! Outcomes that hold promises, whose outcomes hold promises: they are dropped in a loop, so that a peer cannot make the
//! stack overflow by a long chain of them.

use std::cell::RefCell;

use super::slot::Local;
use crate::sync::thread_local;

thread_local! {
    /// Outcomes that were given up while another was being dropped.
    static DROPPING: RefCell<Option<Vec<Local>>> = const { RefCell::new(None) };
}

/// Drops an outcome that nobody waits for. It may hold the last handle on another promise, and so on.
pub(super) fn drop_in_turn(outcome: Local) {
    let mut outcome = Some(outcome);
    let nested = DROPPING.try_with(|dropping| {
        let mut dropping = dropping.borrow_mut();
        let nested = dropping.is_some();
        let waiting = dropping.get_or_insert_default();
        if nested {
            waiting.extend(outcome.take());
        }
        nested
    });
    // A thread that is ending has no list any more.
    if !matches!(nested, Ok(false)) {
        return drop(outcome);
    }
    let done = Done;
    while let Some(next) = outcome.take() {
        drop(next);
        outcome = DROPPING.with(|dropping| dropping.borrow_mut().as_mut()?.pop());
    }
    drop(done);
}

/// Gives the list up, also if something panics.
struct Done;

impl Drop for Done {
    fn drop(&mut self) {
        drop(DROPPING.with(RefCell::take));
    }
}
