//! Where stubs, functions and calls come from: recorded for connections that were asked to, for whoever looks for a
//! leak.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Connections that record. It is read by every call, so it stands alone.
static RECORDERS: AtomicUsize = AtomicUsize::new(0);

/// Whether any connection of this process records where things come from.
#[inline]
pub(crate) fn recording() -> bool {
    RECORDERS.load(Ordering::Relaxed) > 0
}

/// Has sites recorded for as long as it lives.
#[derive(Debug)]
pub(crate) struct Recorder(());

impl Recorder {
    pub(crate) fn new() -> Self {
        RECORDERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        RECORDERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How something came to be held over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// A call of this side: its promise is held.
    Called,
    /// It was an argument of a call of this side.
    Passed,
    /// It came in the result of a call of this side.
    Obtained,
    /// A method of this side returned it.
    Returned,
    /// A method of this side got it as an argument.
    Received,
}

/// Where something that is held over a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Site {
    /// How it came to be held.
    pub origin: Origin,
    /// The method that was called, or that returned or received it, by its name on the wire.
    pub method: Option<&'static str>,
    /// Where the call was made: a place in the program's own source.
    pub at: Option<&'static Location<'static>>,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.origin {
            Origin::Called => "called",
            Origin::Passed => "passed to",
            Origin::Obtained => "obtained from",
            Origin::Returned => "returned by",
            Origin::Received => "received by",
        })?;
        match self.method {
            Some(method) => write!(f, " `{method}`")?,
            None => f.write_str(" a method")?,
        }
        match self.at {
            Some(at) => write!(f, " at {}:{}:{}", at.file(), at.line(), at.column()),
            None => Ok(()),
        }
    }
}
