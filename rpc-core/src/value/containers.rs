//! Containers: `Box` and `Option`, which pipelines see through, sequences, arrays, maps and sets.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};

use super::{IntoValue, RpcValue};
use crate::codec::{ValueDecoder, ValueEncoder};
use crate::error::{Error, ErrorKind};
use crate::handle::Handle;
use crate::promise::NoPipeline;
use crate::schema::SchemaBuilder;

impl<T: IntoValue> IntoValue for Box<T> {
    type Value = Box<T::Value>;

    fn into_value(self) -> Self::Value {
        Box::new((*self).into_value())
    }
}

impl<T: RpcValue> RpcValue for Box<T> {
    type Pipeline = T::Pipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.newtype::<T>();
    }

    fn encode(&self, encoder: &mut ValueEncoder<'_>) -> Result<(), Error> {
        (**self).encode(encoder)
    }

    fn decode(decoder: &mut ValueDecoder<'_>) -> Result<Self, Error> {
        T::decode(decoder).map(Self::new)
    }

    fn from_promise(handle: Handle) -> Result<Self, Handle> {
        T::from_promise(handle).map(Self::new)
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    type Value = Option<T::Value>;

    fn into_value(self) -> Self::Value {
        self.map(IntoValue::into_value)
    }
}

impl<T: RpcValue> RpcValue for Option<T> {
    type Pipeline = T::Pipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.option::<Self, T>();
    }

    fn encode(&self, encoder: &mut ValueEncoder<'_>) -> Result<(), Error> {
        match self {
            None => encoder.varint(0),
            Some(value) => {
                encoder.varint(1);
                value.encode(encoder)?;
            }
        }
        Ok(())
    }

    fn decode(decoder: &mut ValueDecoder<'_>) -> Result<Self, Error> {
        let tag = decoder.rest().first().copied();
        match tag {
            Some(0 | 1) => {
                // As short as it is, it is its own varint.
                decoder.varint()?;
                if tag == Some(0) { Ok(None) } else { T::decode(decoder).map(Some) }
            }
            _ => {
                let text = "a value could not be decoded: there is neither `None` nor `Some`";
                Err(Error::new(ErrorKind::BadArguments, text))
            }
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Sequences, whose elements are converted one by one.
macro_rules! sequences {
    ($($sequence:ident)*) => {$(
        impl<T: IntoValue> IntoValue for $sequence<T> {
            type Value = $sequence<T::Value>;

            fn into_value(self) -> Self::Value {
                self.into_iter().map(IntoValue::into_value).collect()
            }
        }

        impl<T: RpcValue> RpcValue for $sequence<T> {
            type Pipeline = NoPipeline;

            fn describe(schema: &mut SchemaBuilder) {
                schema.seq::<Self, T>();
            }
        }
    )*};
}

sequences!(Vec VecDeque);

/// The lengths for which serde knows arrays.
macro_rules! arrays {
    ($($length:literal)*) => {$(
        impl<T: IntoValue> IntoValue for [T; $length] {
            type Value = [T::Value; $length];

            fn into_value(self) -> Self::Value {
                self.map(IntoValue::into_value)
            }
        }

        impl<T: RpcValue> RpcValue for [T; $length] {
            type Pipeline = NoPipeline;

            fn describe(schema: &mut SchemaBuilder) {
                schema.array::<Self, T>($length);
            }
        }
    )*};
}

arrays! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
}

impl<K, V, S> IntoValue for HashMap<K, V, S>
where
    K: RpcValue + Eq + Hash,
    V: IntoValue,
    S: BuildHasher + Default + Send + 'static,
{
    type Value = HashMap<K, V::Value, S>;

    fn into_value(self) -> Self::Value {
        self.into_iter().map(|(key, value)| (key, value.into_value())).collect()
    }
}

impl<K, V, S> RpcValue for HashMap<K, V, S>
where
    K: RpcValue + Eq + Hash,
    V: RpcValue,
    S: BuildHasher + Default + Send + 'static,
{
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.map::<Self, K, V>();
    }
}

impl<K: RpcValue + Ord, V: IntoValue> IntoValue for BTreeMap<K, V> {
    type Value = BTreeMap<K, V::Value>;

    fn into_value(self) -> Self::Value {
        self.into_iter().map(|(key, value)| (key, value.into_value())).collect()
    }
}

impl<K: RpcValue + Ord, V: RpcValue> RpcValue for BTreeMap<K, V> {
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.map::<Self, K, V>();
    }
}

impl<T, S> IntoValue for HashSet<T, S>
where
    T: RpcValue + Eq + Hash,
    S: BuildHasher + Default + Send + 'static,
{
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl<T, S> RpcValue for HashSet<T, S>
where
    T: RpcValue + Eq + Hash,
    S: BuildHasher + Default + Send + 'static,
{
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.seq::<Self, T>();
    }
}

impl<T: RpcValue + Ord> IntoValue for BTreeSet<T> {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl<T: RpcValue + Ord> RpcValue for BTreeSet<T> {
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.seq::<Self, T>();
    }
}
