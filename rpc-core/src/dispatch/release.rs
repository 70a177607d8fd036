//! What happens to a target when its last stub is gone: its release hook, then its `Drop` (rows 151 to 153).
//!
//! Never in the releasing call, and a panic in either is logged and harms nobody (R21). Hooks share a gate, so that a
//! lost connection with many targets does not start them all at once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Table;
use crate::limits::{RELEASE_HOOKS, RELEASE_PATIENCE};
use crate::sink::Token;
use crate::spawn::{BoxFuture, Home, Retired, drop_later, spawn_on_own_thread};

/// What an asynchronous release hook gives.
type Releasing<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A release hook: a shim that names the method and nothing else.
pub struct Release<T>(Run<T>);

enum Run<T> {
    Sync(fn(&mut T)),
    Async(for<'a> fn(&'a mut T) -> Releasing<'a>),
}

impl<T> std::fmt::Debug for Release<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Run::Sync(_) => "Sync",
            Run::Async(_) => "Async",
        })
    }
}

impl<T> Release<T> {
    /// A synchronous hook.
    pub const fn run(run: fn(&mut T)) -> Self {
        Self(Run::Sync(run))
    }

    /// An asynchronous hook.
    pub const fn start(start: for<'a> fn(&'a mut T) -> Releasing<'a>) -> Self {
        Self(Run::Async(start))
    }
}

/// Gives up a target that nobody can call any more.
pub(super) fn retire<T: Send + 'static>(target: Box<T>, table: &'static Table<T>) {
    let name = (table.interface)().name;
    if table.hooks().next().is_none() {
        return drop_later(name, target);
    }
    let target = Retired::new(name, target);
    GATE.admit(Job { name, home: Home::here(), future: Box::pin(released(name, target, table)) });
}

async fn released<T: Send + 'static>(
    name: &'static str,
    mut target: Retired<Box<T>>,
    table: &'static Table<T>,
) {
    for hook in table.hooks() {
        let Some(target) = target.get_mut() else { return };
        match hook.0 {
            Run::Sync(run) => drop(caught(name, || run(target))),
            Run::Async(start) => {
                let Some(mut future) = caught(name, || start(target)) else { continue };
                poll_fn(|cx| caught(name, || future.as_mut().poll(cx)).unwrap_or(Poll::Ready(()))).await;
                caught(name, || drop(future));
            }
        }
    }
}

fn caught<R>(name: &'static str, hook: impl FnOnce() -> R) -> Option<R> {
    let result = catch_unwind(AssertUnwindSafe(hook));
    if result.is_err() {
        tracing::error!(interface = name, "a target panicked in its release hook");
    }
    result.ok()
}

/// The release hooks of this process.
static GATE: Gate = Gate::new(RELEASE_HOOKS, RELEASE_PATIENCE);

/// Lets so many hooks run at once. One that takes longer than the patience loses its place if others wait: it is
/// dropped unfinished, and its target with it.
struct Gate {
    most: usize,
    patience: Duration,
    places: Mutex<Places>,
}

struct Places {
    taken: Vec<Place>,
    waiting: VecDeque<Job>,
    last: u64,
    /// Whether somebody looks for hooks that take too long.
    watched: bool,
}

struct Place {
    number: u64,
    since: Instant,
    token: Arc<Token>,
}

/// A target's release, where it belongs.
struct Job {
    name: &'static str,
    home: Home,
    future: BoxFuture<()>,
}

thread_local! {
    /// Whether places are being given further up the stack: a runtime that has ended drops what it is given, and that
    /// frees a place.
    static GIVING: Cell<bool> = const { Cell::new(false) };
}

impl Gate {
    const fn new(most: usize, patience: Duration) -> Self {
        let places = Places { taken: Vec::new(), waiting: VecDeque::new(), last: 0, watched: false };
        Self { most, patience, places: Mutex::new(places) }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&'static self, job: Job) {
        self.lock().waiting.push_back(job);
        self.give_places();
        let watch = {
            let mut places = self.lock();
            !places.waiting.is_empty() && !std::mem::replace(&mut places.watched, true)
        };
        if watch {
            spawn_on_own_thread(Box::pin(poll_fn(|_| self.relieve())));
        }
    }

    /// Starts what waits while there are places.
    fn give_places(&'static self) {
        if GIVING.replace(true) {
            return;
        }
        while let Some((job, number, token)) = self.next() {
            let Job { name, home, future } = job;
            home.spawn(Box::pin(Turn { gate: self, name, number, token, future: Some(future) }));
        }
        GIVING.set(false);
    }

    fn next(&self) -> Option<(Job, u64, Arc<Token>)> {
        let mut places = self.lock();
        if places.taken.len() >= self.most {
            return None;
        }
        let job = places.waiting.pop_front()?;
        places.last += 1;
        let (number, token) = (places.last, Arc::new(Token::default()));
        places.taken.push(Place { number, since: Instant::now(), token: Arc::clone(&token) });
        Some((job, number, token))
    }

    fn leave(&'static self, number: u64) {
        self.lock().taken.retain(|place| place.number != number);
        self.give_places();
    }

    /// Takes their places from hooks that take too long. Ready when nobody waits for a place any more.
    fn relieve(&'static self) -> Poll<()> {
        let late = {
            let mut places = self.lock();
            places.watched = !places.waiting.is_empty();
            if !places.watched {
                return Poll::Ready(());
            }
            let is_late = |place: &Place| place.since.elapsed() >= self.patience;
            let (late, rest) = std::mem::take(&mut places.taken).into_iter().partition(is_late);
            places.taken = rest;
            let late: Vec<Place> = late;
            late
        };
        late.iter().for_each(|place| place.token.cancel());
        self.give_places();
        Poll::Pending
    }
}

/// A release that has a place.
struct Turn {
    gate: &'static Gate,
    name: &'static str,
    number: u64,
    token: Arc<Token>,
    future: Option<BoxFuture<()>>,
}

impl Turn {
    /// Drops the hook's future and the target, whose `Drop`s may panic.
    fn end(&mut self) {
        let future = self.future.take();
        caught(self.name, || drop(future));
    }
}

impl Future for Turn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.token.register(cx);
        if this.token.is_cancelled() {
            tracing::error!(interface = this.name, patience = ?this.gate.patience, "a release hook took too long while others waited");
            this.end();
            return Poll::Ready(());
        }
        let Some(future) = &mut this.future else { return Poll::Ready(()) };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            this.end();
        }
        polled
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end();
        self.gate.leave(self.number);
    }
}

#[cfg(test)]
mod tests;
