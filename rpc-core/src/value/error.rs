//! [`Error`] as a value: a method may return one, or pass one on as data (row 42).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{IntoValue, RpcValue};
use crate::error::{Error, ErrorKind};
use crate::promise::NoPipeline;
use crate::schema::SchemaBuilder;

/// Kind, kind of the origin, message, may have run.
type Fields = (u8, u8, String, bool);

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.kind().code(), self.origin().code(), self.message(), self.may_have_run()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, origin, message, may_have_run) = Fields::deserialize(deserializer)?;
        let known =
            |code| ErrorKind::from_code(code).ok_or_else(|| D::Error::custom("unknown kind of error"));
        Ok(Self::from_wire(known(kind)?, known(origin)?, message, may_have_run, None))
    }
}

impl IntoValue for Error {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl RpcValue for Error {
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        Fields::describe(schema);
    }
}
