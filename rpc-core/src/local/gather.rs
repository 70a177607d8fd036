//! [`Gather`]: a call that is made when the promises among its arguments have settled (R3a).

use std::sync::Arc;

use bytes::Bytes;

use super::Parked;
use crate::codec::{Capability, FilledArg};
use crate::error::Error;
use crate::handle::{Handle, Repr};
use crate::relay::Relay;
use crate::sink::Running;
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// A call that waits for its arguments, where its target cannot do the waiting: the promises are not calls on
/// the target's own connection.
pub(crate) struct Gather {
    state: Mutex<State>,
}

struct State {
    missing: usize,
    job: Option<(Handle, Parked)>,
    /// The promises, which must not be given up before they have settled.
    held: Vec<Handle>,
    /// What the values of some come through, the outermost first.
    relays: Vec<(u8, Arc<Relay>)>,
}

impl Gather {
    /// Makes the call on `target` as soon as its promised arguments are there.
    pub(crate) fn start(target: Handle, mut parked: Parked) {
        let promises = std::mem::take(&mut parked.encoded.promises);
        let held = promises.iter().map(|promise| promise.handle.clone()).collect();
        let running = parked.sink.running_point();
        let state = State { missing: promises.len(), job: Some((target, parked)), held, relays: Vec::new() };
        let gather = Arc::new(Self { state: Mutex::new(state) });
        running.set(Running::Gathering(Arc::downgrade(&gather)));
        for promise in promises {
            gather.wait_for(promise.param, promise.handle);
        }
    }

    fn wait_for(self: &Arc<Self>, param: u8, promise: Handle) {
        let mut promise = promise;
        while let Repr::Relay(relay) = promise.0 {
            promise = match relay.promised(self, param) {
                Ok(inner) => inner,
                Err(error) => return self.fill(param, Err(error)),
            };
            self.lock().relays.push((param, relay));
        }
        match &promise.0 {
            Repr::LocalCall(local) => {
                local.subscribe(Arc::clone(self), param);
            }
            Repr::Slot(slot) => slot.subscribe(Arc::clone(self), param),
            Repr::Shared(slot) => slot.subscribe(Arc::clone(self), param),
            Repr::Broken(error) => self.fill(param, Err(error.upstream())),
            Repr::Local(_) | Repr::Relay(_) | Repr::Address(_) => {
                let error = Error::new(crate::error::ErrorKind::Unsupported, "a stub is not a promise");
                self.fill(param, Err(error));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the capabilities of a value go through what its promise stood behind.
    fn cross(&self, param: u8, caps: &mut Vec<Capability>) {
        if caps.is_empty() {
            return;
        }
        let of_param = |(of, relay): &(u8, Arc<Relay>)| (*of == param).then(|| Arc::clone(relay));
        let relays: Vec<_> = self.lock().relays.iter().filter_map(of_param).collect();
        for relay in relays.iter().rev() {
            relay.cross_out(caps);
        }
    }

    /// Nobody wants the call any more.
    pub(crate) fn give_up(&self) {
        let left = {
            let mut state = self.lock();
            (state.job.take(), std::mem::take(&mut state.held))
        };
        drop(left);
    }

    /// One promise has settled.
    pub(crate) fn fill(&self, param: u8, mut value: Result<(Bytes, Vec<Capability>), Error>) {
        if let Ok((_, caps)) = &mut value {
            self.cross(param, caps);
        }
        let (job, held, failed) = {
            let mut state = self.lock();
            let failed = match value {
                Ok((body, caps)) => {
                    state.missing -= 1;
                    if let Some((_, parked)) = &mut state.job {
                        parked.encoded.filled.push(FilledArg { param, body, caps });
                    }
                    None
                }
                Err(error) => Some(error),
            };
            if failed.is_none() && state.missing > 0 {
                return;
            }
            (state.job.take(), std::mem::take(&mut state.held), failed)
        };
        drop(held);
        match (job, failed) {
            (Some((_, parked)), Some(error)) => parked.sink.fail(error),
            (Some((target, mut parked)), None) => {
                if !parked.sink.is_cancelled() {
                    parked.encoded.filled.sort_by_key(|filled| filled.param);
                    target.send(parked);
                }
            }
            (None, _) => {}
        }
    }
}
