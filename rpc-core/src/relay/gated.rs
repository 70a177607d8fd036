//! [`Gated`]: a reference that passes calls on until it is revoked.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::gate::{Gate, Side};
use super::{GatedCall, Relay, depth_before};
use crate::bell::Ringer;
use crate::codec::{Capability, Encoded};
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::interface::{Interface, MethodId, MethodInfo};
use crate::local::{Gather, Parked};
use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::session::{SlotKey, TargetKey};
use crate::sink::Sink;
use crate::weak::Look;
use crate::wire::Path;

/// A reference through a [`Gate`]: to a target on the other side of it, or to the promise of one.
pub(crate) struct Gated {
    pub(super) gate: Arc<Gate>,
    /// The side on which lives what it refers to.
    pub(super) side: Side,
    depth: usize,
    /// The interface of the stub, where it is known.
    interface: Option<&'static Interface>,
    known: Option<TargetKey>,
    /// Its place in the books of the gate.
    key: OnceLock<SlotKey>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Gone once it was revoked or its outcome taken, and while it is polled.
    inner: Option<Arc<Handle>>,
    polled: bool,
    /// It was revoked, and had turned out to be what came from the side on which it is held.
    home: Option<Handle>,
    /// Rings when it comes back from being polled, or goes for good.
    watched: Option<Ringer>,
    /// The task that awaits the promise.
    waker: Option<Waker>,
    /// Calls that wait for the promise as an argument.
    gathers: Vec<(Weak<Gather>, u8)>,
}

impl std::fmt::Debug for Gated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.inner() {
            Ok(inner) => write!(f, "revocable, {inner:?}"),
            Err(reason) => write!(f, "broken: {reason}"),
        }
    }
}

/// Puts a gate before what `handle` refers to, which lives on this side of it. A target has one relay at a time.
pub(super) fn wrap(
    gate: &Arc<Gate>,
    handle: Handle,
    interface: Option<&'static Interface>,
    side: Side,
) -> Handle {
    let target = handle.target_key();
    if let Some(relay) = gate.find(side, &target) {
        return Handle(Repr::Relay(relay));
    }
    enter(gate, handle.into_shared(), interface, side, Some(target)).unwrap_or_else(Handle::broken)
}

/// Puts a gate before a promise that was just made. Its call may have run although the gate was revoked meanwhile.
fn wrap_promise(gate: &Arc<Gate>, handle: Handle, side: Side) -> Handle {
    enter(gate, handle, None, side, None).unwrap_or_else(|_| Handle::broken(gate.struck()))
}

fn enter(
    gate: &Arc<Gate>,
    handle: Handle,
    interface: Option<&'static Interface>,
    side: Side,
    known: Option<TargetKey>,
) -> Result<Handle, Error> {
    if let Repr::Broken(_) = handle.0 {
        return Ok(handle);
    }
    let depth = match depth_before(&handle) {
        Ok(depth) => depth,
        Err(error) => return Ok(Handle::broken(error)),
    };
    let relay = Arc::new(Relay::Gated(Gated {
        gate: Arc::clone(gate),
        side,
        depth,
        interface,
        known,
        key: OnceLock::new(),
        state: Mutex::new(State { inner: Some(Arc::new(handle)), ..State::default() }),
    }));
    if let Relay::Gated(gated) = &*relay {
        let key = gate.enter(&relay, gated.known())?;
        gated.key.get_or_init(|| key);
    }
    Ok(Handle(Repr::Relay(relay)))
}

impl Gated {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Option<(Side, TargetKey)> {
        self.known.clone().map(|target| (self.side, target))
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// What it refers to, unless it was revoked.
    pub(super) fn inner(&self) -> Result<Arc<Handle>, Error> {
        if let Some(reason) = self.gate.reason() {
            return Err(reason.clone());
        }
        self.lock().inner.clone().ok_or_else(|| match self.gate.reason() {
            Some(reason) => reason.clone(),
            None => Error::new(ErrorKind::Disposed, "the promise was used up already"),
        })
    }

    /// Whether it was revoked, or used up; else what it stands before, and how to wait until either changes.
    pub(super) fn look(&self) -> Look {
        let closed = match self.gate.look() {
            Ok(closed) => closed,
            Err(reason) => {
                return self.home().map_or(Look::Broken(reason), |home| Look::Elsewhere(home.downgrade()));
            }
        };
        let (inner, changed) = {
            let mut state = self.lock();
            match &state.inner {
                None if !state.polled => return Look::Broken(Reason::released()),
                inner => (inner.clone(), state.watched.get_or_insert_default().hearing()),
            }
        };
        let hearings = vec![closed, changed];
        match inner {
            Some(inner) => Look::Before(hearings, inner.downgrade()),
            None => Look::Waits(hearings),
        }
    }

    /// What it refers to, if that came from the side on which it is held: where calls had to wait for others, a stub is
    /// wrapped before it is known that it comes home. It is its holder's own, whatever becomes of the gate.
    fn home(&self) -> Option<Handle> {
        let state = self.lock();
        // Not a promise: what is called through one is a part of the call that was made through the gate.
        self.known.as_ref()?;
        if let Some(home) = &state.home {
            return Some(home.clone());
        }
        let inner = state.inner.clone()?;
        drop(state);
        self.comes_home(&inner)
    }

    fn comes_home(&self, inner: &Handle) -> Option<Handle> {
        let inner = inner.resolved();
        let Repr::Relay(relay) = &inner.0 else { return None };
        match &**relay {
            Relay::Gated(other) if Arc::ptr_eq(&self.gate, &other.gate) && self.side != other.side => {
                let home = other.lock().inner.clone();
                home.map(|home| (*home).clone())
            }
            _ => None,
        }
    }

    /// It is about to be cut: what has come home through it stays.
    pub(super) fn keep_home(&self) {
        if let Some(home) = self.home() {
            let old = self.lock().home.replace(home);
            drop(old);
        }
    }

    /// It was revoked: gives up what it refers to, and tells whoever waits.
    pub(super) fn cut(&self) {
        let State { inner, waker, gathers, watched, .. } = {
            let mut state = self.lock();
            let home = state.home.take();
            std::mem::replace(&mut *state, State { home, ..State::default() })
        };
        if !gathers.is_empty() {
            let error = self.gate.struck().upstream();
            for (gather, param) in gathers {
                if let Some(gather) = gather.upgrade() {
                    gather.fill(param, Err(error.clone()));
                }
            }
        }
        drop((inner, watched));
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn call(
        &self,
        method: MethodId,
        info: &'static MethodInfo,
        mut encoded: Box<Encoded>,
    ) -> Handle {
        let inner = match self.inner() {
            Ok(inner) => inner,
            Err(reason) => {
                let Some(home) = self.home() else { return Handle::broken(reason) };
                return crate::stub::send_encoded(&home, method, info, encoded);
            }
        };
        self.cross_in(&mut encoded);
        let result = crate::stub::send_encoded(&inner, method, info, encoded);
        wrap_promise(&self.gate, result, self.side)
    }

    pub(super) fn send(&self, mut parked: Parked) -> Option<(Handle, Parked)> {
        let inner = match self.inner() {
            Ok(inner) => (*inner).clone(),
            Err(reason) => {
                if let Some(home) = self.home() {
                    return parked.go_on(home);
                }
                parked.sink.fail(reason);
                return None;
            }
        };
        // What is no call has nothing that could be taken back, and keeps its place among the calls.
        if parked.sink.is_echo() {
            return parked.go_on(inner);
        }
        self.cross_in(&mut parked.encoded);
        // The schema of the result is needed to find stubs in it.
        let find = |interface: &'static Interface| {
            interface.find(parked.method).ok().and_then(|(index, _)| interface.method(index))
        };
        parked.info = parked.info.or_else(|| self.interface.and_then(find));
        match GatedCall::start(&self.gate, self.side, parked.sink) {
            Some(sink) => Parked { sink, ..parked }.go_on(inner),
            None => {
                crate::pool::give(parked.encoded);
                None
            }
        }
    }

    pub(super) fn pass_result(&self, sink: Sink, info: &'static MethodInfo) {
        match self.inner() {
            Ok(inner) => {
                if let Some(sink) = GatedCall::start(&self.gate, self.side, sink) {
                    (*inner).clone().pass_result(sink, info);
                }
            }
            Err(_) => sink.fail(self.gate.struck()),
        }
    }

    pub(super) fn field(&self, index: u16) -> Handle {
        match self.inner() {
            Ok(inner) => wrap_promise(&self.gate, inner.field(index), self.side),
            Err(reason) => Handle::broken(reason.upstream()),
        }
    }

    /// Another handle on the same promise, which nobody else has.
    pub(super) fn another(&self) -> Handle {
        match self.inner() {
            Ok(inner) => wrap_promise(&self.gate, (*inner).clone().into_own(), self.side),
            Err(_) => Handle::broken(self.gate.struck()),
        }
    }

    pub(super) fn poll(&self, cx: &mut Context<'_>, first: bool) -> Poll<(Outcome<Capability>, Path)> {
        let failed = |error| Poll::Ready((Outcome::Failed(error), Path::EMPTY));
        // It is taken out, because polling it may run a method, and that may revoke this.
        let Some(mut inner) = self.take_out() else { return failed(self.gate.struck()) };
        // A call that was just made through another handle may still have it.
        let own = match Arc::get_mut(&mut inner) {
            Some(own) => own,
            None => {
                inner = Arc::new((*inner).clone().into_own());
                match Arc::get_mut(&mut inner) {
                    Some(own) => own,
                    None => return failed(Error::new(ErrorKind::Internal, "a promise is not its own")),
                }
            }
        };
        if let Poll::Ready((outcome, path)) = own.poll_outcome(cx, first) {
            self.put_back(None);
            if self.gate.reason().is_some() {
                return failed(self.gate.struck());
            }
            let cross = |cap: Capability| self.gate.cross_cap(cap, self.side);
            return Poll::Ready((outcome.map_caps(cross), path));
        }
        if self.put_back(Some((inner, cx.waker().clone()))) {
            Poll::Pending
        } else {
            failed(self.gate.struck())
        }
    }

    /// Takes out what it refers to, to poll it.
    fn take_out(&self) -> Option<Arc<Handle>> {
        let mut state = self.lock();
        let inner = state.inner.take();
        state.polled = inner.is_some();
        inner
    }

    /// It was polled: puts back what it refers to, with who is to be woken when it is cut. Tells whether it is still
    /// good for anything.
    fn put_back(&self, pending: Option<(Arc<Handle>, Waker)>) -> bool {
        let (left, watched) = {
            let mut state = self.lock();
            state.polled = false;
            let left = match pending {
                Some((inner, waker)) if self.gate.reason().is_none() => {
                    state.inner = Some(inner);
                    Ok(state.waker.replace(waker))
                }
                left => Err(left),
            };
            (left, state.watched.take())
        };
        drop(watched);
        left.is_ok()
    }

    pub(super) fn poll_sent(&self, cx: &Context<'_>) -> Poll<()> {
        self.inner().map_or(Poll::Ready(()), |inner| inner.poll_sent(cx))
    }

    pub(super) fn promised(&self, gather: &Arc<Gather>, param: u8) -> Result<Handle, Error> {
        let upstream = || self.gate.struck().upstream();
        let mut state = self.lock();
        let inner = state.inner.clone().ok_or_else(upstream)?;
        state.gathers.retain(|(gather, _)| gather.strong_count() > 0);
        state.gathers.push((Arc::downgrade(gather), param));
        drop(state);
        Ok((*inner).clone())
    }

    pub(super) fn resolved(&self) -> Option<Handle> {
        match self.inner() {
            Ok(inner) => self.comes_home(&inner),
            Err(_) => self.home(),
        }
    }

    pub(super) fn same_target(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gate, &other.gate)
            && self.side == other.side
            && matches!((self.inner(), other.inner()), (Ok(a), Ok(b)) if a.same_target(&b))
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        if let Some(key) = self.key.get() {
            self.gate.leave(*key, self.known());
        }
    }
}
