//! [`GatedCall`]: a call that was passed on through a gate and whose reply is to come back through it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::gate::{Gate, Side};
use crate::connection::Connection;
use crate::error::Error;
use crate::local::Runner;
use crate::outcome::Reply;
use crate::session::SlotKey;
use crate::sink::{Running, Sink};

/// Stands between a call and its caller: it turns what comes back, and ends both when the gate is revoked.
pub(crate) struct GatedCall {
    gate: Arc<Gate>,
    /// Where the reply comes from.
    side: Side,
    /// The connection whose peer made the call, if one did.
    peer: Option<Connection>,
    key: OnceLock<SlotKey>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where the reply goes. Gone once there was one, or the gate was revoked.
    caller: Option<Sink>,
    /// How the call is cancelled.
    running: Option<Running>,
    cancelled: bool,
}

impl std::fmt::Debug for GatedCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("gated call")
    }
}

impl GatedCall {
    /// Gives the sink for a call that is passed on for this one. `None`: the gate was revoked, and the caller was told.
    pub(super) fn start(gate: &Arc<Gate>, side: Side, caller: Sink) -> Option<Sink> {
        let (point, peer) = (caller.running_point(), caller.peer());
        let state = State { caller: Some(caller), ..State::default() };
        let call = Arc::new(Self {
            gate: Arc::clone(gate),
            side,
            peer,
            key: OnceLock::new(),
            state: Mutex::new(state),
        });
        match gate.enter_call(&call) {
            Ok(key) => call.key.get_or_init(|| key),
            Err(reason) => {
                let caller = call.lock().caller.take();
                if let Some(caller) = caller {
                    caller.fail(reason);
                }
                return None;
            }
        };
        point.set(Running::Gated(Arc::downgrade(&call)));
        Some(Sink::gated(call))
    }

    /// The same for a call of which the target is on the inside.
    pub(crate) fn start_inside(gate: &Arc<Gate>, caller: Sink) -> Option<Sink> {
        Self::start(gate, Side::Inside, caller)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reply has come.
    pub(crate) fn reply(&self, mut reply: Reply) {
        let State { caller, running, .. } = std::mem::take(&mut *self.lock());
        drop(running);
        if let Some(caller) = caller {
            self.gate.cross_reply(&mut reply, self.side);
            caller.send(reply);
        }
    }

    /// The gate was revoked.
    pub(super) fn cut(&self, reason: Error) {
        let (caller, running) = {
            let mut state = self.lock();
            state.cancelled = true;
            (state.caller.take(), state.running.take())
        };
        if let Some(caller) = caller {
            caller.fail(reason);
        }
        if let Some(running) = running {
            running.cancel();
        }
    }

    /// Nobody waits for it any more. Comes back how it is cancelled.
    pub(crate) fn give_up(&self) -> Option<Running> {
        let mut state = self.lock();
        state.cancelled = true;
        state.running.take()
    }

    /// What it waits for.
    pub(crate) fn runner(&self) -> Runner {
        match &self.lock().running {
            Some(Running::Task(token)) => Runner::Task(Arc::clone(token)),
            Some(Running::Queued(token, turn)) => Runner::Queued(Arc::clone(token), Arc::clone(turn)),
            Some(Running::Gated(call)) => call.upgrade().map_or(Runner::Unknown, Runner::Gated),
            _ => Runner::Unknown,
        }
    }

    /// The connection whose peer made the call, if one did.
    pub(crate) fn peer(&self) -> Option<Connection> {
        self.peer.clone()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Says how the call is cancelled from now on.
    pub(crate) fn set_running(&self, running: Running) {
        let (old, refused) = {
            let mut state = self.lock();
            if state.cancelled || state.caller.is_none() {
                (None, Some(running))
            } else {
                (state.running.replace(running), None)
            }
        };
        drop(old);
        if let Some(refused) = refused {
            refused.cancel();
        }
    }
}

impl Drop for GatedCall {
    fn drop(&mut self) {
        if let Some(key) = self.key.get() {
            self.gate.leave_call(*key);
        }
    }
}
