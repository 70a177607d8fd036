//! [`Handle`]: an untyped live reference, local or remote, that may not be here yet.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::address::AddressRef;
use crate::codec::Capability;
use crate::connection::{Connection, SlotRef};
use crate::dispatch::{OwnedArgs, Target, WireArgs};
use crate::error::{Error, ErrorKind};
use crate::interface::MethodInfo;
use crate::limits::{MAX_HOPS, PROMISED_PATH_STEPS};
use crate::local::{Entry, Gather, LocalHandle, LocalPolled, LocalRef, Parked, push};
use crate::outcome::Outcome;
use crate::relay::Relay;
use crate::session::{Place, TargetKey};
use crate::sink::{Running, Sink};
use crate::wire::Path;

/// What a stub, or a promise, refers to. `Clone` is another reference to the same thing, dropping the last one
/// releases it.
pub struct Handle(pub(crate) Repr);

pub(crate) enum Repr {
    /// A slot of a connection's table of imports. What a call gives: it costs no allocation.
    Slot(SlotRef),
    /// The same, shared: what clones of it are. Cloning it takes no lock.
    Shared(Arc<SlotRef>),
    /// A target of this process.
    Local(Arc<LocalRef>),
    /// The result of a call of this process, or a stub promised to it.
    LocalCall(LocalHandle),
    /// What is looked up for each call.
    Address(Arc<AddressRef>),
    /// What stands before another reference, and passes calls on.
    Relay(Arc<Relay>),
    /// Nothing: every call fails for this reason.
    Broken(Error),
}

impl Handle {
    /// A handle on which every call fails.
    pub fn broken(error: Error) -> Self {
        Self(Repr::Broken(error))
    }

    pub(crate) fn local(target: Arc<dyn Target>) -> Self {
        Self(Repr::Local(LocalRef::new(target)))
    }

    /// The part of a promised value that a field index leads to.
    pub fn field(&self, index: u16) -> Self {
        let longer = |path: &Path| match path.steps().len() {
            PROMISED_PATH_STEPS => {
                let text = format!("a promise of a part more than {PROMISED_PATH_STEPS} steps into a value");
                Err(Error::new(ErrorKind::Limit, text))
            }
            _ => Ok(path.then(index)),
        };
        let part = |slot: &SlotRef| longer(&slot.path).map(|path| Repr::Slot(slot.part(path)));
        Self(match &self.0 {
            Repr::Slot(slot) => part(slot).unwrap_or_else(Repr::Broken),
            Repr::Shared(slot) => part(slot).unwrap_or_else(Repr::Broken),
            Repr::LocalCall(local) => {
                longer(&local.path).map_or_else(Repr::Broken, |path| Repr::LocalCall(local.part(path)))
            }
            Repr::Local(_) | Repr::Address(_) => {
                Repr::Broken(Error::new(ErrorKind::BadPath, "a stub has no fields"))
            }
            Repr::Relay(relay) => return relay.field(index),
            Repr::Broken(error) => Repr::Broken(error.upstream()),
        })
    }

    /// Lets the call behind this promise run although nobody waits for it.
    pub(crate) fn detach(&self) {
        match &self.0 {
            Repr::Slot(slot) => slot.detach(),
            Repr::Shared(slot) => slot.detach(),
            Repr::LocalCall(local) => local.detach(),
            Repr::Relay(relay) => relay.detach(),
            Repr::Local(_) | Repr::Address(_) | Repr::Broken(_) => {}
        }
    }

    /// The same, in a form that can be kept in the tables of a session: cloning it takes no lock.
    pub(crate) fn into_shared(self) -> Self {
        match self.0 {
            Repr::Slot(slot) => Self(Repr::Shared(Arc::new(slot))),
            other => Self(other),
        }
    }

    /// The same, as a handle of one's own that can be awaited.
    #[inline]
    pub(crate) fn into_own(self) -> Self {
        match self.0 {
            Repr::Shared(slot) => Self(Repr::Slot(slot.part(slot.path.clone()))),
            Repr::Relay(relay) => relay.into_own(),
            other => Self(other),
        }
    }

    /// Where it lives, seen from the session with this number. Takes no lock and runs no foreign code.
    pub(crate) fn place(&self, session: u64) -> Place {
        match &self.0 {
            Repr::Slot(slot) if slot.connection().id() == session => {
                Place::Here(slot.key(), slot.path.clone())
            }
            Repr::Shared(slot) if slot.connection().id() == session => {
                Place::Here(slot.key(), slot.path.clone())
            }
            Repr::Slot(_) | Repr::Broken(_) => Place::Elsewhere(None),
            Repr::Shared(slot) => Place::Elsewhere(Some(Arc::as_ptr(slot) as usize)),
            Repr::Local(local) => Place::Elsewhere(Some(Arc::as_ptr(local.target()).cast::<()>() as usize)),
            Repr::LocalCall(local) if local.path.is_empty() => Place::Elsewhere(Some(local.identity())),
            Repr::LocalCall(_) => Place::Elsewhere(None),
            Repr::Address(address) => Place::Elsewhere(Some(address.identity())),
            Repr::Relay(relay) => Place::Elsewhere(Some(Arc::as_ptr(relay) as usize)),
        }
    }

    /// What calls to the same target have in common, seen from the tables of a session: those through one stub do,
    /// before and after its promise has settled.
    pub(crate) fn target_key(&self) -> TargetKey {
        let slot = |slot: &SlotRef| TargetKey::Slot(slot.connection().id(), slot.key(), slot.path.clone());
        match &self.0 {
            Repr::Relay(relay) => TargetKey::Local(Arc::as_ptr(relay) as usize, Path::EMPTY),
            Repr::Slot(at) => slot(at),
            Repr::Shared(at) => slot(at),
            Repr::Local(local) => {
                TargetKey::Local(Arc::as_ptr(local.target()).cast::<()>() as usize, Path::EMPTY)
            }
            Repr::LocalCall(local) => TargetKey::Local(local.identity(), local.path.clone()),
            Repr::Address(address) => TargetKey::Local(address.identity(), Path::EMPTY),
            Repr::Broken(_) => TargetKey::Broken,
        }
    }

    /// Whether both refer to the same target, as far as can be told from here.
    pub(crate) fn same_target(&self, other: &Self) -> bool {
        let (this, other) = (self.resolved(), other.resolved());
        match (&this.0, &other.0) {
            (Repr::Local(a), Repr::Local(b)) => a.same_target(b),
            (Repr::LocalCall(a), Repr::LocalCall(b)) => a.identity() == b.identity() && a.path == b.path,
            (Repr::Address(a), Repr::Address(b)) => a.identity() == b.identity(),
            (Repr::Slot(a), Repr::Slot(b)) => a.same(b),
            (Repr::Slot(a), Repr::Shared(b)) | (Repr::Shared(b), Repr::Slot(a)) => a.same(b),
            (Repr::Shared(a), Repr::Shared(b)) => a.same(b),
            (Repr::Relay(a), Repr::Relay(b)) => Arc::ptr_eq(a, b) || a.same_target(b),
            _ => false,
        }
    }

    /// What a promise turned out to be, as far as that is known; a clone of everything else.
    pub(crate) fn resolved(&self) -> Self {
        let mut resolved: Option<Self> = None;
        for _ in 0..MAX_HOPS {
            let next = match &resolved.as_ref().unwrap_or(self).0 {
                Repr::LocalCall(local) => local.settled_target(),
                Repr::Slot(slot) => slot.resolved(),
                Repr::Shared(slot) => slot.resolved(),
                Repr::Relay(relay) => relay.resolved(),
                Repr::Local(_) | Repr::Address(_) | Repr::Broken(_) => None,
            };
            match next {
                Some(next) => resolved = Some(next),
                None => break,
            }
        }
        resolved.unwrap_or_else(|| self.clone())
    }

    /// Makes a call whose arguments are encoded, and whose reply goes to its sink.
    pub(crate) fn send(&self, parked: Parked) {
        let mut next = self.send_or_go_on(parked);
        // A promise that has settled leads on to what it settled to, and so on along a chain of any length.
        while let Some((handle, parked)) = next {
            next = handle.send_or_go_on(parked);
        }
    }

    fn send_or_go_on(&self, parked: Parked) -> Option<(Self, Parked)> {
        match &self.0 {
            Repr::Broken(error) => parked.sink.fail(error.upstream()),
            Repr::Address(address) => match address.current().0 {
                Repr::Broken(error) => parked.sink.fail(error),
                current => return Some((Self(current), parked)),
            },
            Repr::LocalCall(local) => return local.call(parked),
            Repr::Slot(slot) => return slot.forward(parked),
            Repr::Shared(slot) => return slot.forward(parked),
            Repr::Relay(relay) => return relay.send(parked),
            Repr::Local(local) if parked.sink.is_echo() => push(local, Entry::echo(parked.sink)),
            Repr::Local(_) if !parked.encoded.promises.is_empty() => Gather::start(self.clone(), parked),
            Repr::Local(local) => match local.target().find(parked.method) {
                Err(error) => parked.sink.fail(error.calling(parked.info.map(|info| info.name))),
                Ok(found) => {
                    let Parked { mut encoded, sink, .. } = parked;
                    let args = OwnedArgs::Wire(Box::new(WireArgs {
                        body: encoded.to_bytes(),
                        present: found.present,
                        caps: std::mem::take(&mut encoded.caps),
                        filled: std::mem::take(&mut encoded.filled),
                    }));
                    let context = std::mem::take(&mut encoded.context);
                    crate::pool::give(encoded);
                    push(local, Entry::call(found, args, context, sink));
                }
            },
        }
        None
    }

    /// Makes the outcome of this promise the reply of another call, as bytes and capabilities.
    pub(crate) fn pass_result(self, sink: Sink, info: &'static MethodInfo) {
        let running = sink.running_point();
        match &self.0 {
            Repr::LocalCall(local) => local.pass_result(sink, info),
            Repr::Slot(slot) => slot.pass_result(sink, info),
            Repr::Shared(slot) => slot.pass_result(sink, info),
            // It says itself how it is cancelled.
            Repr::Relay(relay) => return relay.pass_result(sink, info),
            Repr::Broken(error) => return sink.fail(error.clone()),
            Repr::Local(_) | Repr::Address(_) => {
                return sink.fail(Error::new(ErrorKind::Unsupported, "a stub is not a promise"));
            }
        }
        running.set(Running::Forwarded(self));
    }

    /// Asks for the outcome of a call whose arguments were encoded. It is to be decoded at the path.
    pub(crate) fn poll_outcome(
        &mut self,
        cx: &mut Context<'_>,
        first: bool,
    ) -> Poll<(Outcome<Capability>, Path)> {
        let failed = |kind, text| (Outcome::Failed(Error::new(kind, text)), Path::EMPTY);
        match &mut self.0 {
            Repr::Slot(slot) if first && slot.wait(cx) => Poll::Pending,
            Repr::Slot(slot) => slot.poll(cx).map(|outcome| (outcome, slot.path.clone())),
            Repr::LocalCall(local) => local.poll(cx, first).map(|polled| match polled {
                LocalPolled::Kept(outcome) => (outcome, local.path.clone()),
                LocalPolled::Typed(_) => failed(ErrorKind::Internal, "a typed result was asked for as bytes"),
            }),
            Repr::Relay(relay) => relay.poll(cx, first),
            Repr::Shared(_) | Repr::Local(_) | Repr::Address(_) => {
                Poll::Ready(failed(ErrorKind::Unsupported, "a stub is not a promise"))
            }
            Repr::Broken(error) => Poll::Ready((Outcome::Failed(error.clone()), Path::EMPTY)),
        }
    }

    /// The method of the call behind this promise, for people.
    pub(crate) fn method(&self) -> Option<&'static str> {
        match &self.0 {
            Repr::Slot(slot) => slot.method(),
            Repr::Shared(slot) => slot.method(),
            Repr::LocalCall(local) => local.method(),
            Repr::Relay(relay) => relay.before()?.method(),
            Repr::Local(_) | Repr::Address(_) | Repr::Broken(_) => None,
        }
    }

    /// Waits until the call behind this promise has left this side's buffers.
    pub(crate) fn poll_sent(&self, cx: &Context<'_>) -> Poll<()> {
        match &self.0 {
            Repr::Slot(slot) => slot.poll_sent(cx),
            Repr::Shared(slot) => slot.poll_sent(cx),
            Repr::Relay(relay) => relay.poll_sent(cx),
            Repr::Local(_) | Repr::LocalCall(_) | Repr::Address(_) | Repr::Broken(_) => Poll::Ready(()),
        }
    }

    /// The connection that this is a reference over.
    pub(crate) fn connection(&self) -> Option<Connection> {
        match &self.0 {
            Repr::Slot(slot) => Some(slot.connection().clone()),
            Repr::Shared(slot) => Some(slot.connection().clone()),
            Repr::Relay(relay) => relay.connection(),
            Repr::Address(address) => address.connection(),
            Repr::Local(_) | Repr::LocalCall(_) | Repr::Broken(_) => None,
        }
    }
}

impl Clone for Handle {
    #[inline]
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Repr::Slot(slot) => Repr::Shared(Arc::new(slot.part(slot.path.clone()))),
            Repr::Shared(slot) => Repr::Shared(Arc::clone(slot)),
            Repr::Local(local) => Repr::Local(Arc::clone(local)),
            Repr::LocalCall(local) => Repr::LocalCall(local.part(local.path.clone())),
            Repr::Address(address) => Repr::Address(Arc::clone(address)),
            Repr::Relay(relay) => Repr::Relay(Arc::clone(relay)),
            Repr::Broken(error) => Repr::Broken(error.clone()),
        })
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Slot(slot) => slot.fmt(f),
            Repr::Shared(slot) => slot.fmt(f),
            Repr::Local(local) => local.fmt(f),
            Repr::LocalCall(local) => local.fmt(f),
            Repr::Address(address) => address.fmt(f),
            Repr::Relay(relay) => relay.fmt(f),
            Repr::Broken(error) => write!(f, "broken: {error}"),
        }
    }
}
