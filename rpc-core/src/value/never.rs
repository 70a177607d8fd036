//! The value that does not exist.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{IntoValue, RpcValue};
use crate::promise::NoPipeline;
use crate::schema::SchemaBuilder;

/// A type without values: the own error of a method that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Never {}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("there is no value of this type"))
    }
}

impl IntoValue for Never {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl RpcValue for Never {
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.choice::<Self>(|_| {});
    }
}
