//! What tests look at: the tables of a session, and whether its books are right.

use super::Connection;

/// The tables of one side of a connection, for comparison with those of the other.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// What the peer may call: the ids, and how often each was introduced. Without the main object.
    pub exports: Vec<(i64, u64)>,
    /// What this side may call of the peer, as often as it was introduced. Without the main object.
    pub imports: Vec<(i64, u64)>,
    /// Calls of the peer that it has not given up.
    pub answers: Vec<i64>,
    /// Calls of this side that it must give up, and has not.
    pub calls: Vec<i64>,
    /// Bytes that wait to be written.
    pub unwritten: usize,
    /// Calls that could be run and wait.
    pub undelivered: usize,
}

#[doc(hidden)]
impl Connection {
    /// The tables.
    pub fn books(&self) -> Books {
        self.lock().session.books()
    }

    /// Cuts bodies of more than `whole_up_to` bytes into pieces of `piece_bytes`, at least one and no more than usual.
    pub fn cut_small(&self, whole_up_to: usize, piece_bytes: usize) {
        self.lock().session.out.cut_small(whole_up_to, piece_bytes);
    }

    /// Panics if the books are wrong, or hold more than the limits allow.
    pub fn check_books(&self) {
        let state = self.lock();
        state.session.check();
        state.session.check_limits();
    }

    /// Panics if a connection that has ended, and of which nothing is held, still counts something.
    pub fn check_empty(&self) {
        self.lock().session.check_empty();
    }
}
