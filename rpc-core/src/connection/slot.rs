//! [`SlotRef`]: a handle on a slot of a connection's imports, and what can be done with it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Connection, Forward};
use crate::codec::{Capability, Encoded};
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::interface::{MethodId, MethodInfo};
use crate::local::{Gather, Parked};
use crate::outcome::{Body, Outcome};
use crate::schema::Schema;
use crate::session::{Called, Place, Polled, SlotKey};
use crate::sink::{Running, Sink};
use crate::wire::Path;

/// A counted handle on a slot: the result of a call, a part of it, or a capability of the peer.
pub(crate) struct SlotRef {
    connection: Connection,
    /// `NOWHERE` once the slot was given up with its outcome.
    key: SlotKey,
    pub(crate) path: Path,
}

impl std::fmt::Debug for SlotRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {:?}", self.connection, self.key)
    }
}

impl SlotRef {
    /// Takes over one handle on the slot.
    #[inline]
    pub(crate) fn new(connection: Connection, key: SlotKey, path: Path) -> Self {
        Self { connection, key, path }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The slot. One that was given up finds nothing.
    #[inline]
    pub(crate) fn key(&self) -> SlotKey {
        self.key
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.connection.id() == other.connection.id() && self.key() == other.key() && self.path == other.path
    }

    /// Another handle on the slot, for a part of it.
    pub(crate) fn part(&self, path: Path) -> Self {
        let key = self.key();
        self.connection.with(|state| state.session.hold(key));
        Self { connection: self.connection.clone(), key: self.key, path }
    }

    /// The method of the call, for people.
    pub(crate) fn method(&self) -> Option<&'static str> {
        self.connection.with(|state| state.session.method_of(self.key))
    }

    pub(crate) fn detach(&self) {
        let key = self.key();
        self.connection.with(|state| state.session.detach(key));
    }

    /// Whether a call with these arguments can be sent as it is: every promise among them is one of this
    /// connection.
    #[inline]
    pub(crate) fn hosts(&self, encoded: &Encoded) -> bool {
        let id = self.connection.id();
        encoded.promises.iter().all(|promise| matches!(promise.handle.place(id), Place::Here(..)))
    }

    /// Sends a call, whose result can be awaited. The arguments are used up unless an error comes back.
    #[inline]
    pub(crate) fn call(
        &self,
        method: MethodId,
        info: &'static MethodInfo,
        encoded: &mut Box<Encoded>,
    ) -> Handle {
        let target = (self.key(), &self.path);
        if let Err(error) = encoded.write_metadata() {
            return Handle::broken(error);
        }
        let called = self.connection.with(|state| {
            let plain = if self.path.is_empty() {
                state.session.call_plain(target.0, method.0, encoded, &info.result)
            } else {
                None
            };
            match plain {
                Some(key) => Ok(Called::Sent(key)),
                None => state.session.call(target, method.0, encoded, Some(&info.result)),
            }
        });
        match called {
            Ok(Called::Sent(key)) => Handle(Repr::Slot(Self::new(self.connection.clone(), key, Path::EMPTY))),
            Ok(Called::Local(capability)) => {
                let encoded = std::mem::replace(encoded, crate::pool::take());
                crate::stub::call_encoded(&capability.handle, method, info, encoded)
            }
            Err(error) => Handle::broken(error),
        }
    }

    /// Sends a call whose outcome is passed on. Where it does not go over the connection, it comes back with where it
    /// goes.
    pub(crate) fn forward(&self, parked: Parked) -> Option<(Handle, Parked)> {
        if parked.sink.is_echo() {
            // All calls before it were sent, or wait in line, where what it says comes behind them.
            let home = self.connection.with(|state| state.session.home(self.key(), &self.path))?;
            return parked.go_on(home.handle);
        }
        if !self.hosts(&parked.encoded) {
            let target = Handle(Repr::Shared(Arc::new(self.part(self.path.clone()))));
            Gather::start(target, parked);
            return None;
        }
        let Parked { method, info, mut encoded, sink, hops } = parked;
        if let Err(error) = encoded.write_metadata() {
            sink.fail(error);
            return None;
        }
        let target = (self.key(), &self.path);
        let schema = info.map(|info| &info.result);
        let running = sink.running_point();
        let mut sink = Some(sink);
        let called = self.connection.with(|state| {
            let called = state.session.call(target, method.0, &mut encoded, schema)?;
            // For a target of this side the sink goes there: dropped here, it would reply under the lock.
            if let Called::Sent(key) = &called {
                if let Some(waiter) = state.session.waiter_mut(*key)
                    && let Some(sink) = sink.take()
                {
                    waiter.forward(Forward::Reply(sink, info));
                }
                // Two handles for a moment, so that the answer is kept: parts of it may be asked for.
                state.session.hold(*key);
                state.session.poll(*key);
                state.session.release(*key);
            }
            Ok(called)
        });
        match (called, sink) {
            (Ok(Called::Sent(key)), _) => {
                crate::pool::give(encoded);
                let handle = Handle(Repr::Slot(Self::new(self.connection.clone(), key, Path::EMPTY)));
                running.set(Running::Forwarded(handle));
            }
            (Ok(Called::Local(capability)), Some(sink)) => {
                return Parked { method, info, encoded, sink, hops }.go_on(capability.handle);
            }
            (Err(error), Some(sink)) => sink.fail(error),
            (_, None) => {}
        }
        None
    }

    /// What it turned out to be, if that is known.
    pub(crate) fn resolved(&self) -> Option<Handle> {
        self.connection.resolve(self.key(), &self.path).map(|capability| capability.handle)
    }

    /// Makes the outcome, or a part of it, the reply of another call, when it is there.
    pub(crate) fn pass_result(&self, sink: Sink, info: &'static MethodInfo) {
        let key = self.key();
        let mut sink = Some(sink);
        let settled = self.connection.with(|state| {
            // Two handles for a moment, as for a call that is forwarded.
            state.session.hold(key);
            let polled = state.session.poll(key);
            state.session.release(key);
            match polled {
                Polled::Settled { outcome, schema, .. } => Some((outcome, schema)),
                Polled::Pending => {
                    if let Some(waiter) = state.session.waiter_mut(key)
                        && let Some(sink) = sink.take()
                    {
                        waiter.forward(Forward::Part(sink, info, self.path.clone()));
                    }
                    None
                }
            }
        });
        if let (Some((outcome, schema)), Some(sink)) = (settled, sink) {
            let outcome = self.connection.take_result(key, outcome);
            super::pass_on(Forward::Part(sink, info, self.path.clone()), outcome, schema);
        }
    }

    fn give_up(&mut self) {
        let key = std::mem::replace(&mut self.key, SlotKey::NOWHERE);
        self.connection.with(|state| {
            state.session.release(key);
            state.look_whether_idle();
        });
    }

    /// Waits until the call has left for the transport.
    pub(crate) fn poll_sent(&self, cx: &Context<'_>) -> Poll<()> {
        self.connection.poll_sent(self.key(), cx)
    }

    /// Passes the outcome on as an argument of a call, when it is there.
    pub(crate) fn subscribe(&self, gather: Arc<Gather>, param: u8) {
        let key = self.key();
        let mut gather = Some(gather);
        let settled = self.connection.with(|state| {
            state.session.hold(key);
            let polled = state.session.poll(key);
            state.session.release(key);
            match polled {
                Polled::Settled { outcome, schema, .. } => Some((outcome, schema)),
                Polled::Pending => {
                    if let (Some(waiter), Some(gather)) = (state.session.waiter_mut(key), gather.take()) {
                        waiter.forward(Forward::Arg(gather, param, self.path.clone()));
                    }
                    None
                }
            }
        });
        if let (Some((outcome, _)), Some(gather)) = (settled, gather) {
            let mut outcome = self.connection.take_result(key, outcome);
            crate::naming::name_result(&mut outcome);
            gather.fill(param, outcome.arg_at(&self.path));
        }
    }

    /// Takes the value of a call that has settled with plain data, if this is the only handle on it.
    #[inline]
    pub(crate) fn take_plain(&mut self) -> Option<(Body, Option<&'static Schema>)> {
        let key = self.key;
        let taken = self.connection.with(|state| {
            let taken = state.session.take_plain(key);
            state.look_whether_idle();
            taken
        })?;
        self.key = SlotKey::NOWHERE;
        Some(taken)
    }

    /// Why its outcome cannot be awaited here, if that is seen.
    #[inline]
    pub(crate) fn blocked(&self) -> Option<Error> {
        crate::waiting::blocked(self.connection.id())
    }

    /// Asks for the outcome of a call for the first time. `true`: it has not settled, and its task will be woken.
    #[inline]
    pub(crate) fn wait(&self, cx: &Context<'_>) -> bool {
        let waker = cx.waker().clone();
        let key = self.key;
        let left = self.connection.with(|state| match state.session.wait(key) {
            Some(waiter) => Ok(waiter.waker.replace(waker)),
            None => Err(waker),
        });
        left.is_ok()
    }

    /// Asks for the outcome.
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Outcome<Capability>> {
        let key = self.key;
        if key == SlotKey::NOWHERE {
            let error = Error::new(ErrorKind::Disposed, "the promise was used up already");
            return Poll::Ready(Outcome::Failed(error));
        }
        let (polled, left) = self.poll_once(key, cx, None);
        drop(left);
        let polled = match polled {
            Some(polled) => polled,
            // Another task waits now: its waker is cloned without the lock, then put in place.
            None => self.poll_once(key, cx, Some(cx.waker().clone())).0.unwrap_or(Polled::Pending),
        };
        match polled {
            Polled::Pending => Poll::Pending,
            Polled::Settled { outcome, removed, .. } => {
                if removed {
                    self.key = SlotKey::NOWHERE;
                }
                Poll::Ready(self.connection.take_result(key, outcome))
            }
        }
    }

    /// One look under the lock. `None`: a waker is needed and none was given. What was replaced comes back.
    #[inline]
    fn poll_once(
        &self,
        key: SlotKey,
        cx: &Context<'_>,
        waker: Option<Waker>,
    ) -> (Option<Polled>, Option<Waker>) {
        self.connection.with(|state| {
            let polled = state.session.poll(key);
            if !matches!(polled, Polled::Pending) {
                state.look_whether_idle();
                return (Some(polled), waker);
            }
            let Some(waiter) = state.session.waiter_mut(key) else { return (Some(polled), waker) };
            match waker {
                Some(waker) => (Some(polled), waiter.waker.replace(waker)),
                None if waiter.waker.as_ref().is_some_and(|old| old.will_wake(cx.waker())) => {
                    (Some(polled), None)
                }
                None => (None, None),
            }
        })
    }
}

impl Drop for SlotRef {
    #[inline]
    fn drop(&mut self) {
        if self.key != SlotKey::NOWHERE {
            self.give_up();
        }
    }
}
