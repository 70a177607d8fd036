//! [`Alarm`]: a deadline, and those who wait for it to pass.
//!
//! One timer serves the process: a thread that is started for the first call which is still waited for while it has a
//! deadline. A call that ends at once never comes here.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// What tells alarms that their time has come.
#[doc(hidden)]
pub trait Timer: Send + Sync {
    /// What time it is.
    fn now(&self) -> Instant;
    /// Shall ring this alarm at this time.
    fn arm(&self, at: Instant, number: u64, ring: Box<dyn FnOnce() + Send>);
    /// Need not ring the alarm with this time and number any more.
    fn disarm(&self, at: Instant, number: u64);
}

static TIMER: OnceLock<&'static dyn Timer> = OnceLock::new();

/// Has another timer tell the time: a simulation has its own. It must be set before the first deadline.
///
/// # Errors
/// Gives it back if there is one already.
#[doc(hidden)]
pub fn set_timer(timer: &'static dyn Timer) -> Result<(), &'static dyn Timer> {
    TIMER.set(timer)
}

static OWN: OwnTimer = OwnTimer {
    state: Mutex::new(State { alarms: BTreeMap::new(), started: false }),
    changed: Condvar::new(),
};

fn timer() -> &'static dyn Timer {
    *TIMER.get_or_init(|| &OWN)
}

/// A time, and those who wait for it.
#[derive(Debug)]
pub(crate) struct Alarm {
    at: Instant,
    /// How long it was until then when it was set.
    budget: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    passed: bool,
    /// Under which number it will be rung.
    armed: Option<u64>,
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// The place of one who waits for an alarm. It is given up with this.
#[derive(Debug)]
pub(crate) struct Ticket {
    alarm: Arc<Alarm>,
    place: Option<usize>,
}

impl Alarm {
    /// So long from now. `None`: so far away is never.
    pub(crate) fn after(budget: Duration) -> Option<Self> {
        let at = timer().now().checked_add(budget)?;
        Some(Self { at, budget, waiting: Mutex::default() })
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    pub(crate) fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(timer().now())
    }

    pub(crate) fn has_passed(&self) -> bool {
        timer().now() >= self.at
    }

    /// The error of a call of which the time is over.
    pub(crate) fn exceeded(&self, method: &str) -> Error {
        let text = format!("`{method}` did not end within its deadline of {:?}", self.budget);
        Error::new(ErrorKind::DeadlineExceeded, text).with_may_have_run(true)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        let wakers = {
            let mut waiting = self.lock();
            waiting.passed = true;
            waiting.armed = None;
            std::mem::take(&mut waiting.wakers)
        };
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }

    fn arm(self: &Arc<Self>) {
        static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        {
            let mut waiting = self.lock();
            if waiting.passed || waiting.armed.is_some() {
                return;
            }
            waiting.armed = Some(number);
        }
        let alarm: Weak<Self> = Arc::downgrade(self);
        let ring = move || {
            if let Some(alarm) = alarm.upgrade() {
                alarm.ring();
            }
        };
        timer().arm(self.at, number, Box::new(ring));
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = waiting.armed {
            timer().disarm(self.at, number);
        }
    }
}

impl Ticket {
    pub(crate) fn new(alarm: Arc<Alarm>) -> Self {
        Self { alarm, place: None }
    }

    /// Whether it has passed; if not, the task will be woken when it does.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> bool {
        let waker = cx.waker().clone();
        let (armed, old) = {
            let mut waiting = self.alarm.lock();
            if waiting.passed {
                return true;
            }
            let place = match self.place {
                Some(place) => place,
                None => waiting.free.pop().unwrap_or_else(|| {
                    waiting.wakers.push(None);
                    waiting.wakers.len() - 1
                }),
            };
            self.place = Some(place);
            let old = waiting.wakers.get_mut(place).and_then(|slot| slot.replace(waker));
            (waiting.armed.is_some(), old)
        };
        drop(old);
        if !armed {
            self.alarm.arm();
        }
        false
    }

    pub(crate) fn exceeded(&self, method: &str) -> Error {
        self.alarm.exceeded(method)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let waker = {
            let mut waiting = self.alarm.lock();
            let waker = waiting.wakers.get_mut(place).and_then(Option::take);
            if !waiting.passed {
                waiting.free.push(place);
            }
            waker
        };
        drop(waker);
    }
}

type Ring = Box<dyn FnOnce() + Send>;

/// The timer of the process.
struct OwnTimer {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    alarms: BTreeMap<(Instant, u64), Ring>,
    started: bool,
}

/// How late it may be.
const TICK: Duration = Duration::from_micros(500);

impl OwnTimer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            let due = loop {
                let now = Instant::now();
                let later = state.alarms.split_off(&(now, u64::MAX));
                let due = std::mem::replace(&mut state.alarms, later);
                if !due.is_empty() {
                    break due;
                }
                let next = state.alarms.first_key_value().map(|((at, _), _)| *at - now);
                state = match next {
                    None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                    Some(next) => {
                        let waited = self.changed.wait_timeout(state, next.max(TICK));
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                };
            };
            drop(state);
            for (_, ring) in due {
                // A waker is foreign code.
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(ring)).is_err() {
                    tracing::error!("a waker panicked when a deadline passed");
                }
            }
        }
    }
}

impl Timer for OwnTimer {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn arm(&self, at: Instant, number: u64, ring: Ring) {
        let (first, started) = {
            let mut state = self.lock();
            state.alarms.insert((at, number), ring);
            let first = state.alarms.first_key_value().is_some_and(|(key, _)| *key == (at, number));
            (first, std::mem::replace(&mut state.started, true))
        };
        if !started {
            if std::thread::Builder::new().name("farcall-time".to_owned()).spawn(|| OWN.run()).is_err() {
                tracing::error!("farcall could not start its timer: deadlines do not pass by themselves");
                self.lock().started = false;
            }
        } else if first {
            self.changed.notify_one();
        }
    }

    fn disarm(&self, at: Instant, number: u64) {
        let ring = self.lock().alarms.remove(&(at, number));
        drop(ring);
    }
}
