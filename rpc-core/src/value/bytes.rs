//! Byte strings, which are moved and never copied element by element.

use bytes::Bytes;

use super::{IntoValue, RpcValue};
use crate::codec::{ValueDecoder, ValueEncoder};
use crate::error::Error;
use crate::promise::NoPipeline;
use crate::schema::SchemaBuilder;

impl IntoValue for Bytes {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

/// As an argument, as a result, and in `Option`, `Box` and tuples of these, a large payload shares the memory
/// of the message. In fields of structs and in collections it is copied once.
impl RpcValue for Bytes {
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.bytes();
    }

    fn encode(&self, encoder: &mut ValueEncoder<'_>) -> Result<(), Error> {
        encoder.bytes(self.clone());
        Ok(())
    }

    fn decode(decoder: &mut ValueDecoder<'_>) -> Result<Self, Error> {
        decoder.bytes()
    }
}
