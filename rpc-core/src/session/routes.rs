//! Where calls go, and how frames name what they refer to: a slot may hold a capability, wait for an answer, or have
//! settled to something on either side.

use super::imports::{Import, State};
use super::{Cap, Parts, Session, SlotKey};
use crate::codec::{Capability, Encoded};
use crate::error::{Error, ErrorKind};
use crate::outcome::Outcome;
use crate::schema::Schema;
use crate::wire::{Path, WireCap, flag};

/// Where a call on a part of a slot goes.
pub(super) enum Route {
    Wire(i64, Path),
    Local(Capability),
    Lined,
}

impl<P: Parts> Session<P> {
    /// Where a call on a part of a slot goes.
    #[inline]
    pub(super) fn route(&mut self, key: SlotKey, path: &Path) -> Result<Route, Error> {
        let Some(import) = self.imports.get_mut(key) else {
            return Err(Error::new(ErrorKind::Disposed, "the stub refers to nothing any more"));
        };
        import.widen();
        match &mut import.state {
            State::Lined { .. } | State::Value { .. } => Ok(Route::Lined),
            State::Capability { id, .. } => Ok(Route::Wire(*id, Path::EMPTY)),
            State::Waiting(waiting) => {
                waiting.pipe(path);
                let id = waiting.id;
                self.mark_referenced(key);
                Ok(Route::Wire(id, path.clone()))
            }
            State::Settled { id, outcome, .. } => {
                if let Some(error) = outcome.upstream_error() {
                    return Err(error);
                }
                match project(import.schema, outcome, path)? {
                    Cap::Import(other) => {
                        let other = *other;
                        self.route(other, &Path::EMPTY)
                    }
                    Cap::Hosted(capability) => Ok(Route::Local(capability.clone())),
                    Cap::Broken(error) => Err(error.upstream()),
                    Cap::Pending(..) => Ok(Route::Wire(*id, path.clone())),
                }
            }
        }
    }

    /// What is known to lie at a part of a result.
    pub(super) fn settled_cap(&self, key: SlotKey, path: &Path) -> Option<&Cap> {
        match self.imports.get(key)? {
            Import { state: State::Settled { outcome, .. }, schema, .. } => {
                project(*schema, outcome, path).ok()
            }
            _ => None,
        }
    }

    /// The same, as a capability of its own. `None`: there is no more to know than what led here.
    pub(crate) fn resolve(&mut self, key: SlotKey, path: &Path) -> Option<Cap> {
        let cap = match self.settled_cap(key, path)? {
            cap @ (Cap::Import(_) | Cap::Hosted(_)) => cap.duplicate(),
            Cap::Pending(..) | Cap::Broken(_) => return None,
        };
        self.hold_caps(std::slice::from_ref(&cap));
        Some(cap)
    }

    /// A frame will refer to this call: its answer need not be sent, and must be kept (R2).
    #[inline]
    pub(super) fn mark_referenced(&mut self, key: SlotKey) {
        if let Some(Import { state: State::Waiting(waiting), .. }) = self.imports.get_mut(key) {
            waiting.referenced = true;
            if !waiting.polled && waiting.send && self.out.patch(waiting.mark, 0, flag::SEND) {
                waiting.send = false;
            }
        }
    }

    /// What to write for a capability that is a slot of this session. `None`: it has no id yet.
    pub(crate) fn reference(&mut self, key: SlotKey, path: &Path) -> Option<WireCap> {
        let import = self.imports.get_mut(key)?;
        import.widen();
        match &import.state {
            State::Lined { .. } | State::Value { .. } => None,
            State::Capability { id, .. } => Some(WireCap::Import(*id)),
            State::Waiting(waiting) => {
                let cap = WireCap::Answer(waiting.id, path.clone());
                self.mark_referenced(key);
                Some(cap)
            }
            State::Settled { id, outcome, forget } => match project(import.schema, outcome, path) {
                Ok(Cap::Import(other)) => {
                    let other = *other;
                    self.reference(other, &Path::EMPTY)
                }
                _ if *forget => None,
                _ => Some(WireCap::Answer(*id, path.clone())),
            },
        }
    }

    /// The call whose result, or a part of it, an argument stands for. `None`: it has no id yet, or the callee
    /// has forgotten it.
    pub(crate) fn promise_id(&mut self, key: SlotKey) -> Option<i64> {
        let id = match &self.imports.get(key)?.state {
            State::Waiting(waiting) => waiting.id,
            State::Settled { id, forget: false, .. } | State::Value { id, forget: false, .. } => *id,
            _ => return None,
        };
        self.mark_referenced(key);
        Some(id)
    }

    /// Whether the promises among the arguments can still be referred to.
    #[inline]
    pub(super) fn check_promises(&self, encoded: &Encoded) -> Result<(), Error> {
        for promise in &encoded.promises {
            let super::Place::Here(other, path) = promise.handle.place(self.id) else { continue };
            if path.steps().len() > self.limits.path_steps {
                let (steps, limit) = (path.steps().len(), self.limits.path_steps);
                let text =
                    format!("the path of an argument has {steps} steps; the limit `path_steps` is {limit}");
                return Err(Error::new(ErrorKind::Limit, text));
            }
            let gone = || Error::new(ErrorKind::Disposed, "a promise among the arguments is gone");
            match self.imports.get(other).map(|import| &import.state) {
                Some(
                    State::Lined { .. }
                    | State::Waiting(_)
                    | State::Settled { forget: false, .. }
                    | State::Value { forget: false, .. },
                ) => {}
                Some(State::Settled { outcome, .. }) => {
                    return Err(outcome.upstream_error().unwrap_or_else(gone));
                }
                Some(State::Capability { .. }) => {
                    return Err(Error::new(ErrorKind::Unsupported, "a stub is not a promise"));
                }
                Some(State::Value { .. }) | None => return Err(gone()),
            }
        }
        Ok(())
    }
}

/// Finds the capability at `path` of a settled result.
pub(super) fn project<'a>(
    schema: Option<&'static Schema>,
    outcome: &'a Outcome<Cap>,
    path: &Path,
) -> Result<&'a Cap, Error> {
    let Outcome::Value(answer) = outcome else {
        return Err(Error::new(ErrorKind::Upstream, "the call that this one builds on failed"));
    };
    let schema =
        schema.ok_or_else(|| Error::new(ErrorKind::Unsupported, "the result has no known interface"))?;
    let index = schema.project_cap(answer.body.as_slice(), path.steps())?;
    answer.caps.get(index as usize).ok_or_else(|| {
        Error::new(ErrorKind::BadPath, "the result does not have the capability that it names")
    })
}
