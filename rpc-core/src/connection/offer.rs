//! What a side offers as its main object: one for everybody, or what the peer asks for by name.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Connection;
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};
use crate::handle::Handle;
use crate::interface::Interface;
use crate::session::{Exports, Greeting};
use crate::stub::{IntoStub, Stub};

/// Finds the main object for what the peer wants. It runs once, without the connection's lock.
pub type LookUp = Box<dyn FnOnce(&Connection, &Greeting) -> Result<MainObject, Error> + Send>;

/// What a side offers to its peer from the start: a target, or a stub that may lead anywhere.
#[derive(Clone, Debug)]
pub struct MainObject {
    handle: Handle,
    interface: &'static Interface,
}

impl MainObject {
    /// This target, or what this stub refers to.
    pub fn new<S: Stub>(main: impl IntoStub<S>) -> Self {
        Self::of(main.into_stub().into_handle(), S::interface())
    }

    /// What this handle refers to, of this interface.
    pub fn of(handle: Handle, interface: &'static Interface) -> Self {
        Self { handle, interface }
    }

    /// It, without its interface.
    pub fn into_handle(self) -> Handle {
        self.handle
    }

    fn into_capability(self) -> Capability {
        Capability { handle: self.handle.into_shared(), interface: Some(self.interface) }
    }
}

/// What a side offers as its main object, object 0.
pub enum Offer {
    /// Nothing.
    Nothing,
    /// This, whatever the peer asks for.
    Main(MainObject),
    /// What this gives for the peer's greeting; the error is that of each call on it. It runs once, before the first
    /// call is delivered, and must not block.
    ByName(LookUp),
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Main(_) => "Main",
            Self::ByName(_) => "ByName",
        })
    }
}

impl Offer {
    pub(super) fn into_exports(self) -> (Exports, Option<LookUp>) {
        match self {
            Self::Nothing => (Exports::new(None), None),
            Self::Main(main) => (Exports::new(Some(main.into_capability())), None),
            Self::ByName(look_up) => (Exports::by_name(), Some(look_up)),
        }
    }
}

impl Connection {
    /// The peer has said what it wants: looks it up, before anything else of the peer is handled.
    #[cold]
    pub(super) fn look_up(&self) {
        let (asked, look_up) = self.with(|state| (state.session.take_asked(), state.look_up.take()));
        let (Some(asked), Some(look_up)) = (asked, look_up) else { return };
        let found = catch_unwind(AssertUnwindSafe(|| look_up(self, &asked))).unwrap_or_else(|_| {
            tracing::error!(wanted = asked.name, "looking up a main object panicked");
            Err(Error::new(ErrorKind::Internal, "looking up the main object panicked").did_not_run())
        });
        let left = self.with(|state| state.session.answer_wish(found.map(MainObject::into_capability)));
        drop(left);
    }

    /// Whether both are the same connection.
    pub fn is(&self, other: &Self) -> bool {
        self.id() == other.id()
    }

    /// Calls of this side that have not been answered, and those that wait to be sent.
    pub fn calls_in_flight(&self) -> usize {
        self.lock().session.calls_in_flight()
    }

    /// Whether calls made now can reach the peer: it is not known to have left, or to be leaving.
    pub fn takes_calls(&self) -> bool {
        !self.is_over() && self.lock().session.takes_calls()
    }
}
