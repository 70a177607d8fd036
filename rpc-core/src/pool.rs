//! Scratch buffers that are used again on the same thread, so that a small call allocates nothing.

use std::cell::{Cell, RefCell};

use crate::codec::Encoded;

/// Buffers kept for a thread.
const KEPT: usize = 16;

thread_local! {
    #[expect(clippy::vec_box, reason = "a box moves faster than the five vectors in it")]
    static POOL: RefCell<Vec<Box<Encoded>>> = const { RefCell::new(Vec::new()) };
    /// The buffer that was given back last: mostly the only one.
    static LAST: Cell<Option<Box<Encoded>>> = const { Cell::new(None) };
}

/// An empty buffer.
#[inline]
pub(crate) fn take() -> Box<Encoded> {
    if let Ok(Some(last)) = LAST.try_with(Cell::take) {
        return last;
    }
    POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Gives a buffer back. What is in it is dropped first, outside the pool.
#[inline]
pub(crate) fn give(mut encoded: Box<Encoded>) {
    encoded.clear();
    let Ok(Some(encoded)) = LAST.try_with(|last| last.replace(Some(encoded))) else { return };
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < KEPT {
            pool.push(encoded);
        }
    });
}
