//! [`Plain`]: any serde type as an opaque value.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{IntoValue, RpcValue, bounded};
use crate::codec::{read_opaque, write_opaque};
use crate::promise::NoPipeline;
use crate::schema::SchemaBuilder;

/// Any serde type as a value: for types of other crates that do not derive [`RpcValue`].
///
/// On the wire it is a byte string that nobody looks into: it has no pipeline, holds no stubs, and a change of
/// `T` does not change the signature of a method, so both sides must agree on `T` by other means. In process it
/// is copied as it would be on the wire. A `T` that holds a stub or a function is refused when it is sent: derive
/// [`RpcValue`] for it.
///
/// The bytes inside are postcard, which does not describe itself: a `T` that must be asked for its type, such as
/// `serde_json::Value` or an untagged enum, cannot be read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plain<T>(pub T);

impl<T> Deref for Plain<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Plain<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Plain<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Serialize> Serialize for Plain<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = write_opaque(&self.0, bounded::MAX_CALLS).map_err(serde::ser::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Plain<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(PlainVisitor(PhantomData)).map(Self)
    }
}

struct PlainVisitor<T>(PhantomData<fn() -> T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for PlainVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        read_opaque(|| bounded::from_bytes(bytes)).map_err(E::custom)
    }

    /// Formats without byte strings have sequences of numbers in their place.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<T, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = sequence.next_element()? {
            bytes.push(byte);
        }
        read_opaque(|| bounded::from_bytes(&bytes)).map_err(serde::de::Error::custom)
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> IntoValue for Plain<T> {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> RpcValue for Plain<T> {
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.keep();
        schema.opaque();
    }
}
