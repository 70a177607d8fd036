//! [`Sink`]: where the reply of a running method goes.

use std::sync::{Arc, Weak};
use std::task::{Context, Waker};

use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::handle::Handle;
use crate::local::{Gather, LocalSlot};
use crate::outcome::{Reply, Status};
use crate::relay::GatedCall;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, PoisonError};
use crate::waiting::{Awaited, Turn};

/// Where a reply goes. A sink that is dropped without one replies that the call was cancelled: nobody waits for
/// ever (row 285).
#[derive(Debug)]
pub(crate) struct Sink(Option<To>);

#[derive(Debug)]
enum To {
    /// The peer's call of this id on this connection.
    Connection(Connection, i64),
    /// A call of this process.
    Local(Arc<LocalSlot>),
    /// The peer's echo of this id: whatever comes of it says that it has come as far as the calls before it.
    Echo(Connection, i64),
    /// A call that was passed on through a gate.
    Gated(Arc<GatedCall>),
}

impl Sink {
    pub(crate) fn connection(connection: Connection, id: i64) -> Self {
        Self(Some(To::Connection(connection, id)))
    }

    pub(crate) fn local(slot: Arc<LocalSlot>) -> Self {
        Self(Some(To::Local(slot)))
    }

    /// Where an echo goes back to. It does when this is dropped.
    pub(crate) fn echo(connection: Connection, id: i64) -> Self {
        Self(Some(To::Echo(connection, id)))
    }

    /// Whether this is of an echo.
    pub(crate) fn is_echo(&self) -> bool {
        matches!(self.0, Some(To::Echo(..)))
    }

    pub(crate) fn gated(call: Arc<GatedCall>) -> Self {
        Self(Some(To::Gated(call)))
    }

    /// A sink whose replies nobody gets.
    pub(crate) fn nowhere() -> Self {
        Self(None)
    }

    /// The reply has been handed over already.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }

    pub(crate) fn send(mut self, reply: Reply) {
        self.deliver(reply);
    }

    pub(crate) fn fail(self, error: Error) {
        self.send(Reply::failed(error));
    }

    /// The call of this process that waits for a typed result, if that is where this goes.
    pub(crate) fn typed_slot(&self) -> Option<Arc<LocalSlot>> {
        match &self.0 {
            Some(To::Local(slot)) => Some(Arc::clone(slot)),
            _ => None,
        }
    }

    /// The connection whose peer made the call, if one did.
    pub(crate) fn peer(&self) -> Option<Connection> {
        match &self.0 {
            Some(To::Connection(connection, _)) => Some(connection.clone()),
            Some(To::Gated(call)) => call.peer(),
            _ => None,
        }
    }

    /// Whether the reply goes to this call of this process.
    pub(crate) fn goes_to(&self, wanted: &LocalSlot) -> bool {
        matches!(&self.0, Some(To::Local(slot)) if std::ptr::eq(&**slot, wanted))
    }

    /// Whether nobody waits for the reply any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        match &self.0 {
            Some(To::Local(slot)) => slot.is_cancelled(),
            Some(To::Gated(call)) => call.is_cancelled(),
            Some(To::Connection(..) | To::Echo(..)) | None => false,
        }
    }

    /// Says how the call behind this sink is cancelled from now on.
    pub(crate) fn set_running(&self, running: Running) {
        self.running_point().set(running);
    }

    /// Where to say that, also after the sink has gone.
    pub(crate) fn running_point(&self) -> RunningPoint {
        RunningPoint(match &self.0 {
            Some(To::Connection(connection, id)) => Some(To::Connection(connection.clone(), *id)),
            Some(To::Local(slot)) => Some(To::Local(Arc::clone(slot))),
            Some(To::Gated(call)) => Some(To::Gated(Arc::clone(call))),
            Some(To::Echo(..)) | None => None,
        })
    }

    fn deliver(&mut self, reply: Reply) {
        match self.0.take() {
            Some(To::Connection(connection, id)) => {
                if let Status::Failed(error) = &reply.status {
                    error.say();
                }
                connection.complete(id, reply);
            }
            Some(To::Local(slot)) => slot.settle_reply(reply),
            Some(To::Echo(connection, id)) => connection.echo_back(id),
            Some(To::Gated(call)) => call.reply(reply),
            None => {}
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.deliver(Reply::failed(Error::new(
                ErrorKind::Cancelled,
                "the call was given up by its callee",
            )));
        }
    }
}

/// See [`Sink::running_point`].
pub(crate) struct RunningPoint(Option<To>);

impl RunningPoint {
    pub(crate) fn set(self, running: Running) {
        match &self.0 {
            Some(To::Connection(connection, id)) => connection.set_running(*id, running),
            Some(To::Local(slot)) => slot.set_running(running),
            Some(To::Gated(call)) => call.set_running(running),
            Some(To::Echo(..)) | None => running.cancel(),
        }
    }
}

/// How a call that has not ended is cancelled.
#[derive(Debug)]
pub(crate) enum Running {
    /// It runs, or waits its turn, on this side.
    Task(Arc<Token>),
    /// It waits its turn at a target, and runs when that has come.
    Queued(Arc<Token>, Arc<Turn>),
    /// It was passed on: dropping the promise cancels it there.
    Forwarded(Handle),
    /// It waits for this call, under this number.
    Parked(Weak<LocalSlot>, u64),
    /// It waits for its arguments.
    Gathering(Weak<Gather>),
    /// It was passed on through a gate.
    Gated(Weak<GatedCall>),
    /// It is a stub that the peer has promised a part of this call of its own for; the last is what watches it.
    Watching(Connection, i64, usize),
}

impl Running {
    pub(crate) fn cancel(self) {
        // A call that waits may be the last thing that held the one it waits for, and so on.
        let mut next = Some(self);
        while let Some(running) = next.take() {
            match running {
                Self::Task(token) | Self::Queued(token, _) => token.cancel(),
                Self::Forwarded(handle) => drop(handle),
                Self::Parked(slot, ticket) => next = slot.upgrade().and_then(|slot| slot.give_up(ticket)),
                Self::Gathering(gather) => {
                    if let Some(gather) = gather.upgrade() {
                        gather.give_up();
                    }
                }
                Self::Gated(call) => next = call.upgrade().and_then(|call| call.give_up()),
                Self::Watching(connection, id, watcher) => connection.unwatch(id, watcher),
            }
        }
    }
}

/// Tells a running method that nobody wants its result. Its future is dropped on its own task (R13).
#[derive(Debug, Default)]
pub(crate) struct Token {
    cancelled: AtomicBool,
    waker: Mutex<Option<Waker>>,
    awaited: Awaited,
}

impl Token {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.wake();
    }

    /// Has the method polled again.
    pub(crate) fn wake(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// It is about to be polled: what it awaits will be seen then.
    pub(crate) fn awaits_nothing(&self) {
        self.awaited.clear();
    }

    pub(crate) fn awaits(&self, slot: &Arc<LocalSlot>) {
        self.awaited.add(slot);
    }

    /// The calls that it was found to await.
    pub(crate) fn awaited(&self) -> Vec<Arc<LocalSlot>> {
        self.awaited.all()
    }

    /// Remembers whom to wake. Call it before looking at [`is_cancelled`](Self::is_cancelled).
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let old = self.waker.lock().unwrap_or_else(PoisonError::into_inner).replace(waker);
        drop(old);
    }
}
