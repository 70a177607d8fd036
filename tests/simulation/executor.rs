//! Tasks without threads or time: a task runs when the schedule picks it, and only after it was woken. Each run of a
//! simulation has a thread, and so an executor, of its own.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Executor {
    tasks: Vec<Task>,
    ready: Arc<Mutex<Vec<usize>>>,
}

struct Task {
    name: String,
    work: Option<Work>,
    waker: Waker,
    alarm: Arc<Alarm>,
    /// It has ended, or was aborted.
    over: bool,
}

/// Puts a task on the list of those that may run, once.
struct Alarm {
    id: usize,
    rung: Mutex<bool>,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        if !std::mem::replace(&mut *self.rung.lock().unwrap(), true) {
            self.ready.lock().unwrap().push(self.id);
        }
    }
}

thread_local! {
    static EXECUTOR: RefCell<Executor> = RefCell::default();
}

/// Adds a task, which may run at once.
pub fn spawn(name: impl Into<String>, work: Work) -> usize {
    let (id, waker) = EXECUTOR.with_borrow_mut(|executor| {
        let id = executor.tasks.len();
        let alarm = Arc::new(Alarm { id, rung: Mutex::new(false), ready: Arc::clone(&executor.ready) });
        let waker = Waker::from(Arc::clone(&alarm));
        let task = Task { name: name.into(), work: Some(work), waker: waker.clone(), alarm, over: false };
        executor.tasks.push(task);
        (id, waker)
    });
    waker.wake();
    id
}

/// What the library spawns: methods that were not ready at once, mailboxes, and drops.
pub fn spawn_for_library(work: Work) {
    spawn("library", work);
}

/// How many tasks may run.
pub fn ready() -> usize {
    EXECUTOR.with_borrow(|executor| executor.ready.lock().unwrap().len())
}

/// Runs the n-th of the tasks that may run, once.
pub fn run(place: usize) -> String {
    let (id, name, work, waker) = EXECUTOR.with_borrow_mut(|executor| {
        let id = executor.ready.lock().unwrap().swap_remove(place);
        let task = &mut executor.tasks[id];
        *task.alarm.rung.lock().unwrap() = false;
        (id, task.name.clone(), task.work.take(), task.waker.clone())
    });
    let Some(mut work) = work else { return name };
    let pending = work.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending;
    let left = EXECUTOR.with_borrow_mut(|executor| {
        let task = &mut executor.tasks[id];
        if pending && !task.over {
            task.work = Some(work);
            return None;
        }
        task.over = true;
        Some(work)
    });
    // What a task holds may be anything, and is dropped where it may spawn another.
    drop(left);
    name
}

/// Ends a task. `false`: it had ended already.
pub fn abort(id: usize) -> bool {
    let work = EXECUTOR.with_borrow_mut(|executor| {
        let task = &mut executor.tasks[id];
        if std::mem::replace(&mut task.over, true) { None } else { Some(task.work.take()) }
    });
    work.is_some()
}

/// Tasks that have not ended.
pub fn unfinished() -> Vec<String> {
    EXECUTOR.with_borrow(|executor| {
        executor.tasks.iter().filter(|task| !task.over).map(|task| task.name.clone()).collect()
    })
}

/// Leaves everything as it is, after a run that went wrong: what is dropped in disorder says nothing.
pub fn leave() {
    std::mem::forget(EXECUTOR.take());
}
