//! Who waits for whom: how a target whose methods run one after another is found to wait for itself (R3d).
//!
//! A method of such a target holds it until it returns. If it awaits what waits for its turn there, neither ends. Within
//! one process that is seen when the last of them begins to wait: a running method knows the calls that it awaits, a
//! call that waits its turn knows the target, and the target knows the method that holds it. Over a connection it cannot
//! be known what a peer waits for; it is logged when it may be this.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::local::{LocalSlot, Runner, is_running};
use crate::sink::Token;

/// Calls that one method is known to await at a time; more are not looked at.
const MOST_AWAITED: usize = 16;
/// Methods and calls that a search goes over.
const MOST_STEPS: usize = 64;

thread_local! {
    /// The method whose future this thread polls.
    static POLLED: RefCell<Option<Arc<Token>>> = const { RefCell::new(None) };
}

/// Polls the future of a running method: what is found pending meanwhile is what the method awaits.
pub(crate) fn polling<R>(token: &Arc<Token>, poll: impl FnOnce() -> R) -> R {
    /// Also when the method panics.
    struct Before(Option<Arc<Token>>);
    impl Drop for Before {
        fn drop(&mut self) {
            let before = self.0.take();
            // A thread that is ending polls nothing any more.
            let _ = POLLED.try_with(|polled| polled.replace(before));
        }
    }
    token.awaits_nothing();
    let before = POLLED.with(|polled| polled.replace(Some(Arc::clone(token))));
    let _before = Before(before);
    poll()
}

/// The method that runs here finds this call pending. An error: the call waits for that method itself.
pub(crate) fn found_pending(slot: &Arc<LocalSlot>) -> Result<(), Error> {
    // A method that is begun inside another's poll is polled again on its own.
    if is_running() {
        return Ok(());
    }
    let Ok(Some(own)) = POLLED.try_with(|polled| polled.borrow().clone()) else { return Ok(()) };
    own.awaits(slot);
    match waits_for(Arc::clone(slot), &own) {
        None => Ok(()),
        Some(target) => {
            let text = format!(
                "the method that awaits this call holds a `{target}`, for which the call waits: neither would end. \
                 Return first, or make it a `&self` method"
            );
            Err(Error::new(ErrorKind::Deadlock, text))
        }
    }
}

/// The target at which a call waits, directly or through others, for the method `own`.
fn waits_for(slot: Arc<LocalSlot>, own: &Arc<Token>) -> Option<&'static str> {
    let mut work = vec![(slot, None)];
    let mut steps = 0;
    while let Some((slot, mut held)) = work.pop() {
        steps += 1;
        if steps > MOST_STEPS {
            return None;
        }
        let mut runner = slot.runner();
        while let Runner::Gated(call) = runner {
            runner = call.runner();
        }
        let runs = match runner {
            Runner::Unknown | Runner::Gated(_) => continue,
            Runner::Awaits(other) => {
                work.push((other, held));
                continue;
            }
            Runner::Task(token) => token,
            Runner::Queued(token, turn) => match turn.holder() {
                // Its turn has come.
                Some(holder) if Arc::ptr_eq(&holder, &token) => token,
                Some(holder) => {
                    held = Some(turn.target);
                    holder
                }
                None => continue,
            },
        };
        if Arc::ptr_eq(&runs, own) {
            return held;
        }
        work.extend(runs.awaited().into_iter().map(|slot| (slot, held)));
    }
    None
}

/// Whose turn it is at a target, and which peers wait for theirs. Made for the first method that is not ready at once.
pub(crate) struct Turn {
    /// The interface of the target.
    target: &'static str,
    state: Mutex<State>,
    warned: AtomicBool,
}

#[derive(Default)]
struct State {
    holder: Option<Arc<Token>>,
    /// The connections whose calls wait, each once, and the method of the first.
    peers: Vec<(Connection, &'static str)>,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Turn {
    pub(crate) fn new(target: &'static str) -> Arc<Self> {
        Arc::new(Self { target, state: Mutex::default(), warned: AtomicBool::new(false) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn holder(&self) -> Option<Arc<Token>> {
        self.lock().holder.clone()
    }

    /// This method has the target now, and is not ready.
    pub(crate) fn held_by(&self, token: &Arc<Token>) {
        let old = self.lock().holder.replace(Arc::clone(token));
        drop(old);
    }

    /// The method has returned, or is gone.
    pub(crate) fn passed_on(&self) {
        let left = std::mem::take(&mut *self.lock());
        drop(left);
    }

    /// A call of a peer waits for its turn.
    pub(crate) fn queued(&self, peer: &Connection, method: &'static str) {
        let mut state = self.lock();
        let known = state.peers.iter().any(|(other, _)| other.id() == peer.id());
        if !known && state.peers.len() < MOST_AWAITED {
            state.peers.push((peer.clone(), method));
        }
    }

    /// A call waits for its turn: the method whose turn it is looks whether it waits for that call.
    pub(crate) fn look_again(&self) {
        if let Some(holder) = self.holder() {
            holder.wake();
        }
    }

    /// The method `method`, whose task this wakes, is not ready: says so if it awaits a peer whose call waits for it.
    pub(crate) fn look(&self, method: &'static str, waker: &Waker) {
        let peers = {
            let state = self.lock();
            if state.peers.is_empty() || self.warned.load(Ordering::Relaxed) {
                return;
            }
            state.peers.clone()
        };
        if let Some((peer, waits)) = peers.iter().find(|(peer, _)| peer.is_awaited_by(waker))
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                interface = self.target,
                method,
                waits,
                connection = peer.id(),
                "a serial target may wait for itself: the method that holds it awaits a peer, and a call of that peer \
                 waits for the method to return; if the peer answers only after that call, neither ends"
            );
        }
    }
}

/// What a running method awaits.
#[derive(Debug, Default)]
pub(crate) struct Awaited(Mutex<Vec<Weak<LocalSlot>>>);

impl Awaited {
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<LocalSlot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn add(&self, slot: &Arc<LocalSlot>) {
        let mut slots = self.lock();
        if slots.len() < MOST_AWAITED
            && !slots.iter().any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(slot)))
        {
            slots.push(Arc::downgrade(slot));
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<LocalSlot>> {
        self.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(debug_assertions)]
thread_local! {
    /// The connection whose driver runs a method on this thread, or 0.
    static DRIVEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// See [`driving`].
pub(crate) struct Driving(#[cfg(debug_assertions)] u64);

#[cfg(debug_assertions)]
impl Drop for Driving {
    fn drop(&mut self) {
        DRIVEN.set(self.0);
    }
}

/// The driver of this connection runs a method, as long as what this gives lives. With 0, a future is polled there, which
/// may await whatever it likes. Release builds do not look.
#[inline]
pub(crate) fn driving(connection: u64) -> Driving {
    #[cfg(debug_assertions)]
    return Driving(DRIVEN.replace(connection));
    #[cfg(not(debug_assertions))]
    {
        let _ = connection;
        Driving()
    }
}

/// An answer of this connection is awaited. An error: by a method that is no future, in the driver of this connection,
/// which brings no answer before the method has returned. Only debug builds look.
#[inline]
pub(crate) fn blocked(connection: u64) -> Option<Error> {
    #[cfg(debug_assertions)]
    if DRIVEN.get() == connection {
        let text = "a method that is not async waits for an answer over the connection that it runs on, and would never \
                    get it: make it an `async fn`, or mark it `#[rpc(spawn)]` and block as the runtime allows";
        return Some(Error::new(ErrorKind::Deadlock, text));
    }
    let _ = connection;
    None
}
