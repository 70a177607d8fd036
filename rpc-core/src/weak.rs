//! [`WeakStub`]: a stub that keeps nothing alive, and how a stub is watched until it breaks.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};

use crate::address::AddressRef;
use crate::bell::Hearing;
use crate::connection::{Connection, SlotRef};
use crate::error::Error;
use crate::handle::{Handle, Repr};
use crate::limits::MAX_HOPS;
use crate::local::{LocalRef, LocalSlot, knot};
use crate::reason::Reason;
use crate::relay::Relay;
use crate::session::SlotKey;
use crate::stub::Stub;
use crate::wire::Path;

/// A stub that keeps neither its target nor its connection, made by [`Stub::downgrade`]. It is good for as long as this
/// side holds the stub that it was made of, or a clone of that.
pub struct WeakStub<S> {
    handle: WeakHandle,
    /// Why it is broken, once somebody has learnt it: the same for all clones and for good (row 163).
    reason: Arc<OnceLock<Reason>>,
    stub: PhantomData<fn() -> S>,
}

impl<S: Stub> WeakStub<S> {
    pub(crate) fn new(stub: &S) -> Self {
        Self { handle: stub.handle().downgrade(), reason: Arc::default(), stub: PhantomData }
    }

    /// The stub, if this side still holds it. It may be a broken one.
    pub fn upgrade(&self) -> Option<S> {
        self.handle.upgrade().map(S::from_handle)
    }

    /// [`Stub::closed`] without holding the stub: also when the last stub of this side is dropped, this ends. It gives
    /// the same reason every time. A promise that has settled is watched for what it has become.
    pub fn closed(&self) -> impl Future<Output = Reason> + Send + use<S> {
        let (handle, reason) = (self.handle.clone(), Arc::clone(&self.reason));
        async move {
            if let Some(reason) = reason.get() {
                return reason.clone();
            }
            let found = handle.closed().await;
            reason.get_or_init(|| found).clone()
        }
    }
}

impl<S> Clone for WeakStub<S> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), reason: Arc::clone(&self.reason), stub: PhantomData }
    }
}

impl<S> fmt::Debug for WeakStub<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakStub").field(&self.handle.upgrade()).finish()
    }
}

/// A [`Handle`] that holds nothing.
#[derive(Clone)]
pub(crate) enum WeakHandle {
    Slot(Connection, SlotKey, Path),
    Local(Weak<LocalRef>),
    LocalCall(Weak<LocalSlot>, Path),
    Relay(Weak<Relay>),
    Address(Weak<AddressRef>),
    Broken(Error),
}

/// What is known of a stub.
pub(crate) enum Look {
    Broken(Reason),
    /// It is whole, or not here yet. When any of these is heard, it is to be looked at again.
    Waits(Vec<Hearing>),
    /// It is a promise that turned out to be this.
    Elsewhere(WeakHandle),
    /// It stands before this, and breaks with it. When any of these is heard, it is to be looked at again.
    Before(Vec<Hearing>, WeakHandle),
}

impl Handle {
    pub(crate) fn downgrade(&self) -> WeakHandle {
        let slot =
            |slot: &SlotRef| WeakHandle::Slot(slot.connection().clone(), slot.key(), slot.path.clone());
        match &self.0 {
            Repr::Slot(found) => slot(found),
            Repr::Shared(found) => slot(found),
            Repr::Local(local) => WeakHandle::Local(Arc::downgrade(local)),
            Repr::LocalCall(local) => WeakHandle::LocalCall(local.downgrade(), local.path.clone()),
            Repr::Relay(relay) => WeakHandle::Relay(Arc::downgrade(relay)),
            Repr::Address(address) => WeakHandle::Address(Arc::downgrade(address)),
            Repr::Broken(error) => WeakHandle::Broken(error.clone()),
        }
    }
}

impl WeakHandle {
    fn upgrade(&self) -> Option<Handle> {
        match self {
            Self::Slot(connection, key, path) => connection.upgrade(*key, path),
            Self::Local(local) => local.upgrade().map(|local| Handle(Repr::Local(local))),
            Self::LocalCall(slot, path) => {
                slot.upgrade()?.another(path.clone()).map(|local| Handle(Repr::LocalCall(local)))
            }
            Self::Relay(relay) => relay.upgrade().map(|relay| Handle(Repr::Relay(relay))),
            Self::Address(address) => address.upgrade().map(|address| Handle(Repr::Address(address))),
            Self::Broken(error) => Some(Handle::broken(error.clone())),
        }
    }

    /// Waits until it breaks.
    pub(crate) async fn closed(self) -> Reason {
        let mut handle = self;
        loop {
            match handle.look_through() {
                Ok(reason) => return reason,
                Err(hearings) => Any(hearings).await,
            }
        }
    }

    /// Looks at it, and at everything that it stands before, as far as a call on it would go. A promise that has
    /// settled becomes what it has settled to.
    fn look_through(&mut self) -> Result<Reason, Vec<Hearing>> {
        let mut hearings = Vec::new();
        let mut behind: Option<Self> = None;
        for _ in 0..=MAX_HOPS {
            match behind.as_ref().unwrap_or(self).look() {
                // What stands before it held it, and is heard of: it has just let it go.
                Look::Broken(Reason::Released(_)) if behind.is_some() => return Err(hearings),
                Look::Broken(reason) => return Ok(reason),
                Look::Waits(more) => {
                    hearings.extend(more);
                    return Err(hearings);
                }
                Look::Elsewhere(next) if behind.is_none() => *self = next,
                Look::Elsewhere(next) => behind = Some(next),
                Look::Before(more, next) => {
                    hearings.extend(more);
                    behind = Some(next);
                }
            }
        }
        Ok(Reason::of_rejection(knot()))
    }

    pub(crate) fn look(&self) -> Look {
        match self {
            Self::Slot(connection, key, path) => connection.look(*key, path),
            Self::Local(local) => match local.upgrade() {
                Some(local) => local.look(),
                None => Look::Broken(Reason::released()),
            },
            Self::LocalCall(slot, path) => match slot.upgrade() {
                Some(slot) => slot.look(path),
                None => Look::Broken(Reason::released()),
            },
            Self::Relay(relay) => match relay.upgrade() {
                Some(relay) => relay.look(),
                None => Look::Broken(Reason::released()),
            },
            Self::Address(address) => match address.upgrade() {
                Some(address) => address.look(),
                None => Look::Broken(Reason::released()),
            },
            Self::Broken(error) => Look::Broken(Reason::of_rejection(error.upstream())),
        }
    }
}

/// Waits for the first of them.
struct Any(Vec<Hearing>);

impl Future for Any {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let heard = self.0.iter_mut().any(|hearing| Pin::new(hearing).poll(cx).is_ready());
        if heard { Poll::Ready(()) } else { Poll::Pending }
    }
}
