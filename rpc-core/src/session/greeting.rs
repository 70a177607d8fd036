//! What a side wants of the other, said in its greeting, and the main object that it gets for it.

use super::{Parts, Session};
use crate::codec::Capability;
use crate::error::{Error, ErrorKind};

/// What a side wants of its peer: the main object of this name. PROTOCOL.md §3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// Its name; empty for the main object of a side that has one.
    pub name: String,
    /// What whoever configured the connection says beside it; empty for nothing. Workers take a JSON object.
    pub props: String,
}

impl Greeting {
    /// Whether the greeting fits into the longest frame that every peer takes.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`], with the figure.
    pub fn check(&self) -> Result<(), Error> {
        let (bytes, limit) = (self.name.len() + self.props.len(), MOST_BYTES);
        if bytes > limit {
            let text =
                format!("the name and the props of a connection have {bytes} bytes; the limit is {limit}");
            return Err(Error::new(ErrorKind::Limit, text));
        }
        Ok(())
    }
}

/// Longest name and props, in bytes, together: every peer takes frames of 64 KiB.
const MOST_BYTES: usize = 60 * 1024;

/// How the main object of a session is found.
#[derive(Debug, Default)]
pub(super) enum Named {
    /// It was there from the start, or there is none.
    #[default]
    Fixed,
    /// The peer has not said what it wants.
    Unasked,
    /// The peer has said it, and nobody has looked it up.
    Asked(Box<Greeting>),
    /// There is no such object.
    Refused(Error),
}

impl<P: Parts> Session<P> {
    /// The peer has said what it wants.
    pub(super) fn ask(&mut self, name: &str, props: &str) {
        if let Named::Unasked = self.exports.named {
            let greeting = Greeting { name: name.to_owned(), props: props.to_owned() };
            self.exports.named = Named::Asked(Box::new(greeting));
        }
    }

    /// Whether a main object has to be looked up before the next frame is handled.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(self.exports.named, Named::Asked(_))
    }

    /// What the peer wants, to look it up.
    pub(crate) fn take_asked(&mut self) -> Option<Box<Greeting>> {
        match std::mem::take(&mut self.exports.named) {
            Named::Asked(greeting) => Some(greeting),
            other => {
                self.exports.named = other;
                None
            }
        }
    }

    /// Answers the peer's wish. What is not needed comes back, to be dropped without the lock.
    pub(crate) fn answer_wish(&mut self, main: Result<Capability, Error>) -> Option<Capability> {
        match main {
            Ok(main) if self.ended().is_some() => Some(main),
            Ok(main) => self.exports.set_main(main),
            Err(error) => {
                self.exports.named = Named::Refused(error);
                None
            }
        }
    }

    /// Why there is no main object.
    pub(super) fn no_main(&self) -> Error {
        match &self.exports.named {
            Named::Refused(error) => error.clone(),
            _ => Error::new(ErrorKind::Unsupported, "this side offers no main object"),
        }
    }
}
