//! Scratch buffers that are used again on the same thread, so that a small call allocates nothing.

use std::cell::RefCell;

use crate::codec::Encoded;

/// Buffers kept for a thread.
const KEPT: usize = 16;

thread_local! {
    static POOL: RefCell<Vec<Encoded>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub(crate) fn take() -> Encoded {
    POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Gives a buffer back. What is in it is dropped first, outside the pool.
pub(crate) fn give(mut encoded: Encoded) {
    encoded.clear();
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < KEPT {
            pool.push(encoded);
        }
    });
}
