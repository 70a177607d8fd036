//! Where work goes that nobody polls: methods that were not ready at once, and the dropping of targets.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// A future that can be moved between threads.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs futures to their end. Set one with [`set_spawner`] when there is no tokio runtime.
pub type Spawner = fn(Pin<Box<dyn Future<Output = ()> + Send>>);

static SPAWNER: OnceLock<Spawner> = OnceLock::new();

/// Says what runs methods that were not ready at once, where no tokio runtime is current.
///
/// # Errors
/// Gives the spawner back if one was set already.
pub fn set_spawner(spawner: Spawner) -> Result<(), Spawner> {
    SPAWNER.set(spawner)
}

/// Hands a future to the current tokio runtime, else to the spawner that was set, else to one thread of our own.
pub(crate) fn spawn(future: BoxFuture<()>) {
    Home::here().spawn(future);
}

/// Where work goes that comes from here: kept with what is started later, and perhaps by others.
pub(crate) struct Home {
    #[cfg(feature = "tokio")]
    runtime: Option<tokio::runtime::Handle>,
}

impl Home {
    pub(crate) fn here() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            runtime: tokio::runtime::Handle::try_current().ok(),
        }
    }

    pub(crate) fn spawn(self, future: BoxFuture<()>) {
        #[cfg(feature = "tokio")]
        if let Some(runtime) = self.runtime {
            runtime.spawn(future);
            return;
        }
        match SPAWNER.get() {
            Some(spawner) => spawner(future),
            None => spawn_on_own_thread(future),
        }
    }
}

/// Drops something of a user's, not here and not now: the disposing side never waits, and a panic in a `Drop`
/// harms nobody (rows 151 and 152).
pub(crate) fn drop_later<T: Send + 'static>(name: &'static str, retired: T) {
    let retired = Retired::new(name, retired);
    spawn(Box::pin(async move { drop(retired) }));
}

/// Drops what it holds in its turn. A runtime that ends drops its tasks where it is given them: one target that
/// held the next, and so on, would else be a recursion.
pub(crate) struct Retired<T: Send + 'static>(&'static str, Option<T>);

impl<T: Send + 'static> Retired<T> {
    pub(crate) fn new(name: &'static str, retired: T) -> Self {
        Self(name, Some(retired))
    }

    /// What it holds until it is dropped.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.1.as_mut()
    }
}

/// Something to be dropped, and what it is called.
type Named = (&'static str, Box<dyn Send>);

thread_local! {
    /// What was let go while something else was being dropped.
    static WAITING: RefCell<Option<Vec<Named>>> = const { RefCell::new(None) };
}

impl<T: Send + 'static> Drop for Retired<T> {
    fn drop(&mut self) {
        let Some(retired) = self.1.take() else { return };
        // A thread that is ending has no queue any more.
        let Ok(nested) = WAITING.try_with(|waiting| waiting.borrow().is_some()) else {
            return drop_caught(self.0, retired);
        };
        if nested {
            let named: Named = (self.0, Box::new(retired));
            return WAITING.with_borrow_mut(|waiting| waiting.get_or_insert_default().push(named));
        }
        WAITING.set(Some(Vec::new()));
        drop_caught(self.0, retired);
        while let Some((name, next)) = WAITING.with_borrow_mut(|waiting| waiting.as_mut()?.pop()) {
            drop_caught(name, next);
        }
        WAITING.set(None);
    }
}

fn drop_caught<T>(name: &'static str, retired: T) {
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(retired)));
    if dropped.is_err() {
        tracing::error!(interface = name, "a target panicked while it was dropped");
    }
}

/// Hands a future to a thread that is started when it is first needed. It polls its futures one after another, again
/// and again, so that they need no waker.
pub(crate) fn spawn_on_own_thread(future: BoxFuture<()>) {
    static THREAD: OnceLock<Option<Sender<BoxFuture<()>>>> = OnceLock::new();
    let sender = THREAD.get_or_init(|| {
        let (sender, receiver) = channel::<BoxFuture<()>>();
        let run = move || {
            let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
            let mut running: Vec<BoxFuture<()>> = Vec::new();
            loop {
                running.extend(receiver.try_iter());
                running.retain_mut(|future| {
                    let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
                    !matches!(
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll)),
                        Ok(Poll::Ready(())) | Err(_)
                    )
                });
                if running.is_empty() {
                    match receiver.recv() {
                        Ok(future) => running.push(future),
                        Err(_) => return,
                    }
                } else {
                    std::thread::park_timeout(std::time::Duration::from_millis(1));
                }
            }
        };
        std::thread::Builder::new().name("farcall".to_owned()).spawn(run).ok().map(|_| sender)
    });
    let sent = sender.as_ref().map(|sender| sender.send(future));
    if !matches!(sent, Some(Ok(()))) {
        tracing::error!("farcall could not start its thread: a call is lost");
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
