//! [`Bell`]: any number of tasks that wait for one thing to happen once.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What tasks wait for. It rings when its [`Ringer`] is dropped, and not again.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rung: bool,
    last: u64,
    wakers: HashMap<u64, Waker>,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bell")
    }
}

/// Rings the bell when it is dropped: kept with what is waited for, it cannot be forgotten. It wakes tasks, so it is
/// never dropped under a lock.
#[derive(Debug, Default)]
pub(crate) struct Ringer(Arc<Bell>);

impl Ringer {
    /// Waits for the bell.
    pub(crate) fn hearing(&self) -> Hearing {
        Hearing { bell: Arc::clone(&self.0), ticket: None }
    }
}

impl Drop for Ringer {
    fn drop(&mut self) {
        let wakers = {
            let mut state = self.0.lock();
            state.rung = true;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_values().for_each(Waker::wake);
    }
}

/// Ready when the bell has rung. Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Hearing {
    bell: Arc<Bell>,
    ticket: Option<u64>,
}

impl Future for Hearing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // What is cloned and dropped of a waker is so without the lock.
        let waker = cx.waker().clone();
        let (ticket, left) = {
            let mut state = self.bell.lock();
            if state.rung {
                (None, Some(waker))
            } else {
                let ticket = self.ticket.unwrap_or_else(|| {
                    state.last += 1;
                    state.last
                });
                (Some(ticket), state.wakers.insert(ticket, waker))
            }
        };
        drop(left);
        self.ticket = ticket;
        if ticket.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let left = self.bell.lock().wakers.remove(&ticket);
            drop(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_wakes_all_that_wait_and_none_that_left() {
        let ringer = Ringer::default();
        let tasks: Vec<Arc<Woken>> = (0..10).map(|_| Arc::default()).collect();
        let mut hearings: Vec<Hearing> = tasks.iter().map(|_| ringer.hearing()).collect();
        for (task, hearing) in tasks.iter().zip(&mut hearings) {
            let waker = Waker::from(Arc::clone(task));
            for _ in 0..3 {
                assert!(Pin::new(&mut *hearing).poll(&mut Context::from_waker(&waker)).is_pending());
            }
        }
        // The test, and the bell: a waker that was replaced is not kept.
        assert!(tasks.iter().all(|task| Arc::strong_count(task) == 2));
        let rest = hearings.split_off(5);
        drop(rest);
        assert!(tasks[5..].iter().all(|task| Arc::strong_count(task) == 1));
        drop(ringer);
        let woken = |task: &Arc<Woken>| task.0.load(Ordering::SeqCst);
        assert!(tasks[..5].iter().all(|task| woken(task) == 1 && Arc::strong_count(task) == 1));
        assert!(tasks[5..].iter().all(|task| woken(task) == 0));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(hearings.iter_mut().all(|hearing| Pin::new(hearing).poll(&mut cx).is_ready()));
    }

    #[test]
    fn who_comes_after_it_rang_does_not_wait() {
        let ringer = Ringer::default();
        let mut late = ringer.hearing();
        drop(ringer);
        assert!(Pin::new(&mut late).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}
