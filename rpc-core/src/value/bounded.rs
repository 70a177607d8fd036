//! Decoding types that have no schema from bytes of a stranger.
//!
//! serde recurses as deep as the bytes say, and believes them when they announce elements that take no bytes. What
//! has a schema is checked by it first; what is inside a [`Plain`](super::Plain) has none, so it is decoded
//! through these adapters, which stand between every type and its deserializer and count.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use crate::schema::{MAX_DEPTH, MAX_EMPTY_ELEMENTS};

/// Options and newtypes count here, as they do not in a schema: on average one in each level.
pub(super) const MAX_CALLS: usize = 2 * MAX_DEPTH;

/// Decodes a value that fills `bytes`.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, postcard::Error> {
    // Every element that takes bytes is paid for by one of its own: of those bytes that announce the length of
    // a sequence inside it, none is an element of that sequence.
    let elements = Cell::new(bytes.len() as u64 + MAX_EMPTY_ELEMENTS);
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    let value = T::deserialize(Bounded {
        inner: &mut deserializer,
        bounds: Bounds { calls: 0, elements: &elements },
    })?;
    match deserializer.finalize()? {
        [] => Ok(value),
        rest => Err(postcard::Error::custom(format_args!("{} bytes are left over", rest.len()))),
    }
}

/// What a part of a value may still cost.
#[derive(Clone, Copy)]
struct Bounds<'b> {
    /// How deep it is.
    calls: usize,
    /// How many elements of sequences and maps may still come, in the whole value.
    elements: &'b Cell<u64>,
}

impl Bounds<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.calls >= MAX_CALLS {
            return Err(E::custom(format_args!("a value is nested deeper than {MAX_CALLS} levels")));
        }
        Ok(Self { calls: self.calls + 1, ..self })
    }

    fn count_element<E: serde::de::Error>(self) -> Result<(), E> {
        let left = self.elements.get().checked_sub(1);
        self.elements
            .set(left.ok_or_else(|| E::custom("a value has more elements than its bytes can hold"))?);
        Ok(())
    }
}

/// One of serde's things, with bounds around it.
struct Bounded<'b, T> {
    inner: T,
    bounds: Bounds<'b>,
}

/// A visitor; of a sequence or map whose length the bytes say, the elements are counted.
struct BoundedVisitor<'b, V> {
    inner: V,
    bounds: Bounds<'b>,
    counts: bool,
}

/// Access to elements or entries.
struct BoundedAccess<'b, A> {
    inner: A,
    bounds: Bounds<'b>,
    counts: bool,
}

macro_rules! forward_deserializer {
    ($($method:ident($($argument:ident: $type:ty),*) $counts:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = BoundedVisitor { inner: visitor, bounds: self.bounds, counts: $counts };
            self.inner.$method($($argument,)* visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    forward_deserializer! {
        deserialize_any() true;
        deserialize_bool() false;
        deserialize_i8() false;
        deserialize_i16() false;
        deserialize_i32() false;
        deserialize_i64() false;
        deserialize_i128() false;
        deserialize_u8() false;
        deserialize_u16() false;
        deserialize_u32() false;
        deserialize_u64() false;
        deserialize_u128() false;
        deserialize_f32() false;
        deserialize_f64() false;
        deserialize_char() false;
        deserialize_str() false;
        deserialize_string() false;
        deserialize_bytes() false;
        deserialize_byte_buf() false;
        deserialize_option() false;
        deserialize_unit() false;
        deserialize_unit_struct(name: &'static str) false;
        deserialize_newtype_struct(name: &'static str) false;
        deserialize_seq() true;
        deserialize_tuple(length: usize) false;
        deserialize_tuple_struct(name: &'static str, length: usize) false;
        deserialize_map() true;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) false;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) false;
        deserialize_identifier() false;
        deserialize_ignored_any() true;
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward_visitor {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for BoundedVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_visitor! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Bounded { inner: deserializer, bounds: self.bounds.deeper()? })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Bounded { inner: deserializer, bounds: self.bounds.deeper()? })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let bounds = self.bounds.deeper()?;
        self.inner.visit_seq(BoundedAccess { inner: access, bounds, counts: self.counts })
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let bounds = self.bounds.deeper()?;
        self.inner.visit_map(BoundedAccess { inner: access, bounds, counts: self.counts })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Bounded { inner: access, bounds: self.bounds.deeper()? })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Bounded { inner: deserializer, bounds: self.bounds })
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for BoundedAccess<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let element = self.inner.next_element_seed(Bounded { inner: seed, bounds: self.bounds })?;
        if self.counts && element.is_some() {
            self.bounds.count_element()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for BoundedAccess<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let key = self.inner.next_key_seed(Bounded { inner: seed, bounds: self.bounds })?;
        if self.counts && key.is_some() {
            self.bounds.count_element()?;
        }
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Bounded { inner: seed, bounds: self.bounds })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'b, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let bounds = self.bounds;
        let (value, variant) = self.inner.variant_seed(Bounded { inner: seed, bounds })?;
        Ok((value, Bounded { inner: variant, bounds }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Bounded { inner: seed, bounds: self.bounds })
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner
            .tuple_variant(length, BoundedVisitor { inner: visitor, bounds: self.bounds, counts: false })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner
            .struct_variant(fields, BoundedVisitor { inner: visitor, bounds: self.bounds, counts: false })
    }
}
