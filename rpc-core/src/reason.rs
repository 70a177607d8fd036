//! [`Reason`]: why a stub broke.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Why a stub broke: a closed set, so that a `match` can be complete. Row 162.
///
/// A stub breaks once and stays broken (row 163). The error in each of them is the one that later calls on the stub
/// fail with, none of which run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The connection was lost, or one of its sides closed it: connect again.
    Disconnected(Error),
    /// One side ended the connection for a fault of the other: the rules of the protocol were broken, or a limit that
    /// ends sessions was passed. The kind of the error says which.
    Aborted(Error),
    /// The stub was promised, and there is none: the call that was to give it failed, or gave none at that place.
    Rejected(Error),
    /// Who gave the stub has taken it back.
    Revoked(Error),
    /// The last stub of this side was dropped. Only a [`WeakStub`](crate::weak::WeakStub) lives to see it.
    Released(Error),
}

impl Reason {
    /// The reason of a stub whose connection has ended with this error.
    pub(crate) fn of_end(error: &Error) -> Self {
        let error = error.clone().did_not_run();
        match error.kind() {
            ErrorKind::Disconnected => Self::Disconnected(error),
            _ => Self::Aborted(error),
        }
    }

    /// The reason of a promised stub that is none, on which calls fail with this error. What failed for want of a
    /// connection says so.
    pub(crate) fn of_rejection(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Disconnected => Self::Disconnected(error),
            _ => Self::Rejected(error),
        }
    }

    pub(crate) fn released() -> Self {
        Self::Released(Error::new(ErrorKind::Disposed, "the last stub of this side was dropped"))
    }

    /// What calls on the stub fail with.
    pub fn error(&self) -> &Error {
        let (Self::Disconnected(error)
        | Self::Aborted(error)
        | Self::Rejected(error)
        | Self::Revoked(error)
        | Self::Released(error)) = self;
        error
    }

    /// What happened, in words.
    pub fn message(&self) -> &str {
        self.error().message()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Disconnected(_) => "disconnected",
            Self::Aborted(_) => "aborted",
            Self::Rejected(_) => "rejected",
            Self::Revoked(_) => "revoked",
            Self::Released(_) => "released",
        };
        write!(f, "{what}: {}", self.message())
    }
}

impl std::error::Error for Reason {}
