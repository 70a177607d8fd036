//! [`BoundMethod`]: a method that was taken off its stub (row 22), and how it is found out which one that is.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Relay, depth_before};
use crate::arg::PROMISE_OF_SOME;
use crate::bell::Ringer;
use crate::codec::Encoded;
use crate::error::{Error, ErrorKind};
use crate::handle::{Handle, Repr};
use crate::interface::{Interface, MethodId, MethodInfo};
use crate::local::{LocalSlot, Parked};
use crate::weak::Look;

/// A function that is a method of a stub: its calls are the stub's calls of that method.
pub(crate) struct BoundMethod {
    target: Handle,
    /// The method `call` of the function.
    function: &'static Interface,
    method: &'static MethodInfo,
    depth: usize,
    /// Those who wait, without holding it, for it to go.
    watched: OnceLock<Ringer>,
}

impl std::fmt::Debug for BoundMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of {:?}", self.method.name, self.target)
    }
}

impl BoundMethod {
    /// A function of the interface `function` that calls `method` on `target`, if they take and return the same.
    pub(crate) fn bind(target: &Handle, function: &'static Interface, method: &'static MethodInfo) -> Handle {
        let same = function.method(0).is_some_and(|call| call.has_signature_of(method));
        if !same {
            let text = format!("the method `{}` takes or returns other types than the function", method.name);
            return Handle::broken(Error::new(ErrorKind::SignatureMismatch, text));
        }
        match depth_before(target) {
            Ok(depth) => {
                let target = target.clone();
                let bound = Self { target, function, method, depth, watched: OnceLock::new() };
                Handle(Repr::Relay(Arc::new(Relay::Method(bound))))
            }
            Err(error) => Handle::broken(error),
        }
    }

    pub(super) fn target(&self) -> &Handle {
        &self.target
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The id of the method for what was called as the function.
    fn translate(&self, method: MethodId) -> Result<MethodId, Error> {
        self.function.find(method).map(|(_, present)| self.method.id(present))
    }

    pub(super) fn call(&self, method: MethodId, encoded: Box<Encoded>) -> Handle {
        match self.translate(method) {
            Ok(id) => crate::stub::send_encoded(&self.target, id, self.method, encoded),
            Err(error) => Handle::broken(error),
        }
    }

    pub(super) fn send(&self, parked: Parked) -> Option<(Handle, Parked)> {
        let target = self.target.clone();
        if parked.sink.is_echo() {
            return parked.go_on(target);
        }
        match self.translate(parked.method) {
            Ok(method) => Parked { method, info: Some(self.method), ..parked }.go_on(target),
            Err(error) => {
                parked.sink.fail(error);
                None
            }
        }
    }

    /// It breaks with the stub.
    pub(super) fn look(&self) -> Look {
        let gone = self.watched.get_or_init(Ringer::default).hearing();
        Look::Before(vec![gone], self.target.downgrade())
    }

    pub(super) fn same_method(&self, other: &Self) -> bool {
        std::ptr::eq(self.method, other.method) && self.target.same_target(&other.target)
    }
}

/// What a method is called on to learn which one it is: it is given placeholders as arguments, and nothing is sent.
#[derive(Default)]
pub(crate) struct Probe {
    seen: Mutex<Option<(&'static MethodInfo, Box<Encoded>)>>,
}

/// Stands for an argument.
pub(crate) fn placeholder() -> Handle {
    Handle(Repr::LocalCall(LocalSlot::new(None, None).1))
}

impl Probe {
    pub(super) fn call(&self, info: &'static MethodInfo, encoded: Box<Encoded>) -> Handle {
        let old = self.seen.lock().unwrap_or_else(PoisonError::into_inner).replace((info, encoded));
        drop(old);
        Handle::broken(Error::new(ErrorKind::Unsupported, "a method that is being bound gives no result"))
    }

    /// The method that was called, if it was given these arguments as they are and nothing else.
    pub(crate) fn method(&self, given: &[Handle]) -> Result<&'static MethodInfo, Error> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let not_a_method = || {
            let text = "only a method of the stub itself can be bound, such as `CounterStub::increment`; \
                        for anything else write a closure";
            Error::new(ErrorKind::Unsupported, text)
        };
        let (info, encoded) = seen.ok_or_else(not_a_method)?;
        // A placeholder is a promised argument, or, where the parameter is a stub, a capability.
        let mut caps = encoded.caps.iter();
        let mut promises = encoded.promises.iter().peekable();
        let same = given.iter().enumerate().all(|(param, given)| {
            let found =
                match promises.next_if(|promise| usize::from(promise.param & !PROMISE_OF_SOME) == param) {
                    Some(promise) => Some(&promise.handle),
                    None => caps.next().map(|cap| &cap.handle),
                };
            found.is_some_and(|found| found.same_target(given))
        });
        let nothing_else = info.params_count() == given.len()
            && caps.next().is_none()
            && promises.next().is_none()
            && encoded.len() == encoded.caps.len();
        if same && nothing_else { Ok(info) } else { Err(not_a_method()) }
    }
}
