//! The calls of this process that wait for a target, in the order in which they were made (R9).

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::{LocalRef, LocalSlot};
use crate::context::CallContext;
use crate::dispatch::{Found, OwnedArgs, run_owned};
use crate::sink::Sink;
use crate::spawn::spawn;
use crate::sync::{Mutex, MutexGuard, PoisonError, thread_local};

/// Calls run in one go by the task that serves a mailbox, before it lets others run.
const TURN: usize = 128;

/// A call that waits for its target.
pub(crate) struct Entry {
    /// What to run. Nothing for an echo: it goes back when its turn has come.
    call: Option<(Found, OwnedArgs, CallContext)>,
    sink: Sink,
}

impl Entry {
    #[inline]
    pub(crate) fn call(found: Found, args: OwnedArgs, context: CallContext, sink: Sink) -> Self {
        Self { call: Some((found, args, context)), sink }
    }

    pub(crate) fn echo(sink: Sink) -> Self {
        Self { call: None, sink }
    }
}

/// Calls that wait for a target.
#[derive(Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Made when it is first needed, so that a target which is only called from afar is small.
    entries: Option<Box<VecDeque<Entry>>>,
    /// Whether somebody runs entries now.
    running: bool,
    /// Whether a task will run what nobody awaits.
    scheduled: bool,
}

impl State {
    fn pop(&mut self) -> Option<Entry> {
        self.entries.as_mut()?.pop_front()
    }
}

thread_local! {
    /// Whether this thread runs a mailbox: a method that awaits another target then waits for that target's own
    /// runner, so that the stack does not grow with the length of a chain.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

impl Mailbox {
    /// The task that serves the mailbox ends if nothing waits: the next call schedules another.
    fn rest(&self) -> bool {
        let mut state = self.lock();
        state.scheduled = state.entries.as_ref().is_some_and(|entries| !entries.is_empty());
        !state.scheduled
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a call into the mailbox of its target.
pub(crate) fn push(local: &Arc<LocalRef>, entry: Entry) {
    let schedule = {
        let mut state = local.target().mailbox().lock();
        state.entries.get_or_insert_default().push_back(entry);
        !std::mem::replace(&mut state.scheduled, true)
    };
    if schedule {
        schedule_run(Arc::clone(local));
    }
}

fn schedule_run(local: Arc<LocalRef>) {
    spawn(Box::pin(async move {
        loop {
            run(&local, TURN, None);
            if local.target().mailbox().rest() {
                return;
            }
            yield_now().await;
        }
    }));
}

/// Whether this thread runs calls of a mailbox: what is polled then is polled for others.
pub(crate) fn is_running() -> bool {
    RUNNING.with(Cell::get)
}

/// Runs calls from the head of the queue, in the awaiting call's own poll, up to and with its own.
pub(crate) fn run_until_settled(local: &Arc<LocalRef>, slot: &LocalSlot) {
    if !RUNNING.with(Cell::get) {
        run(local, TURN, Some(slot));
    }
}

fn run(local: &Arc<LocalRef>, most: usize, until: Option<&LocalSlot>) {
    /// Gives the turn back also if something panics.
    struct Turn<'a>(&'a Mailbox, bool);
    impl Drop for Turn<'_> {
        fn drop(&mut self) {
            RUNNING.with(|running| running.set(self.1));
            self.0.lock().running = false;
        }
    }
    let mailbox = local.target().mailbox();
    let mut next = {
        let mut state = mailbox.lock();
        // A call that is not waiting here is run by somebody else already: whoever awaits it runs nobody's calls.
        let waits = |slot| {
            state.entries.iter().flat_map(|entries| entries.iter()).any(|entry| entry.sink.goes_to(slot))
        };
        if state.running || until.is_some_and(|slot| !waits(slot)) {
            return;
        }
        let Some(first) = state.pop() else { return };
        state.running = true;
        Some(first)
    };
    let turn = Turn(mailbox, RUNNING.with(|running| running.replace(true)));
    for _ in 0..most {
        let Some(entry) = next.take() else { break };
        let last = until.is_some_and(|slot| entry.sink.goes_to(slot));
        match entry.call {
            Some((found, args, context)) => run_owned(local.target(), found, (args, context), entry.sink),
            None => drop(entry.sink),
        }
        if last {
            break;
        }
        next = mailbox.lock().pop();
    }
    if let Some(entry) = next {
        mailbox.lock().entries.get_or_insert_default().push_front(entry);
    }
    drop(turn);
}

async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
