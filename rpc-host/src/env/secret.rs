//! [`Secret`]: a variable that does not print itself.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A variable that prints neither itself nor, if it is of another type than was asked for, what it is. Row 10.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// A secret, for tests.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What serde says of a mismatch names the value.
        T::deserialize(deserializer)
            .map(Self)
            .map_err(|_| D::Error::custom("the secret is not of the type that is wanted"))
    }
}
