//! [`Fault`]: an error of any kind, as text.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::promise::NoPipeline;
use crate::schema::SchemaBuilder;
use crate::value::{IntoValue, RpcValue};

/// How many causes travel with a fault. They form a chain of boxes, and a peer must not choose its length.
const MAX_CAUSES: usize = 64;

/// An error of any kind, for methods whose callers need no typed error: its message, and the messages of the
/// errors that caused it.
///
/// [`Fault::new`] takes every error, also `anyhow::Error`, so that `map_err` is all that a method needs:
///
/// ```
/// use farcall_core::fault::Fault;
///
/// fn port(text: &str) -> Result<u16, Fault> {
///     if text.is_empty() {
///         return Err("no port is given".into());
///     }
///     text.parse().map_err(Fault::new)
/// }
///
/// assert_eq!(port("7000"), Ok(7000));
/// assert_eq!(port("").unwrap_err().to_string(), "no port is given");
/// assert_eq!(port("70000").unwrap_err().to_string(), "number too large to fit in target type");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    message: String,
    cause: Option<Box<Self>>,
}

impl Fault {
    /// The texts of an error and of its causes, of which the first 64 are kept.
    pub fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let error = error.into();
        let causes = std::iter::successors(error.source(), |&error| error.source());
        Self::from_parts(error.to_string(), causes.take(MAX_CAUSES).map(ToString::to_string).collect())
    }

    /// The message, without the causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    fn from_parts(message: String, causes: Vec<String>) -> Self {
        let wrap = |cause, message| Some(Box::new(Self { message, cause }));
        Self { message, cause: causes.into_iter().rev().fold(None, wrap) }
    }

    fn causes(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(self.cause.as_deref(), |fault| fault.cause.as_deref()).map(Self::message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self { message, cause: None }
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl From<Box<dyn StdError + Send + Sync>> for Fault {
    fn from(error: Box<dyn StdError + Send + Sync>) -> Self {
        Self::new(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.message, self.causes().collect::<Vec<_>>()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (message, causes) = <(String, Vec<String>)>::deserialize(deserializer)?;
        if causes.len() > MAX_CAUSES {
            let text = format!("a fault has {} causes, and {MAX_CAUSES} are allowed", causes.len());
            return Err(serde::de::Error::custom(text));
        }
        Ok(Self::from_parts(message, causes))
    }
}

impl IntoValue for Fault {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl RpcValue for Fault {
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.tuple_record::<Self>(|elements| {
            elements.element::<String>();
            elements.element::<Vec<String>>();
        });
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::{Fault, MAX_CAUSES};

    /// An error with so many causes.
    #[derive(Debug)]
    struct Chain(usize, Option<Box<Self>>);

    impl Chain {
        fn new(causes: usize) -> Self {
            (0..=causes).rev().fold(Self(causes, None), |cause, level| match level == causes {
                true => cause,
                false => Self(level, Some(Box::new(cause))),
            })
        }
    }

    impl std::fmt::Display for Chain {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "level {}", self.0)
        }
    }

    impl std::error::Error for Chain {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    fn travelled(fault: &Fault) -> Fault {
        postcard::from_bytes(&postcard::to_allocvec(fault).unwrap()).unwrap()
    }

    #[test]
    fn a_fault_keeps_the_chain_of_causes() {
        let fault = travelled(&Fault::new(Chain::new(2)));
        assert_eq!(fault.to_string(), "level 0");
        let cause = fault.source().unwrap();
        assert_eq!(cause.to_string(), "level 1");
        assert_eq!(cause.source().unwrap().to_string(), "level 2");
        assert!(cause.source().unwrap().source().is_none());
    }

    #[test]
    fn a_fault_takes_anything_that_is_an_error() {
        assert_eq!(Fault::from("text"), Fault::new("text"));
        assert_eq!(Fault::from("text".to_owned()).message(), "text");
        assert_eq!(Fault::new(Box::<dyn std::error::Error + Send + Sync>::from("text")).message(), "text");
        assert_eq!(Fault::from(std::io::Error::other("disk")).message(), "disk");
    }

    #[test]
    fn the_chain_has_a_limit_on_both_sides() {
        let fault = Fault::new(Chain::new(MAX_CAUSES + 9));
        assert_eq!(fault.causes().count(), MAX_CAUSES);
        assert_eq!(travelled(&fault), fault);
        let long = postcard::to_allocvec(&("message", vec!["cause"; MAX_CAUSES + 1])).unwrap();
        postcard::from_bytes::<Fault>(&long).unwrap_err();
    }
}
