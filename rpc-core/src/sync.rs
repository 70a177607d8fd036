//! What several threads share. A test that tries the orders in which threads may run takes the place of the standard
//! library here: see `concurrency`.

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, PoisonError, atomic},
    thread_local,
};

#[cfg(all(test, shuttle))]
pub(crate) use self::scheduled::*;

#[cfg(all(test, shuttle))]
mod scheduled {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};
    pub(crate) use shuttle::thread_local;
}
