//! Writing values by serde, and counting how deep they are: serde recurses as deep as a value is, so that one which is
//! too deep must fail before it has used up the stack (R11).

use postcard::ser_flavors::Flavor;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::refuse;
use crate::error::ErrorKind;

type Result<T> = postcard::Result<T>;

/// Writes `value` to `out`; its parts may stand within each other this deep, options and newtypes counted.
#[inline]
pub(super) fn write<T: Serialize + ?Sized>(
    out: impl Flavor,
    value: &T,
    most: usize,
    refusal: &'static str,
) -> Result<()> {
    let mut nested = Nested { inner: postcard::Serializer { output: out }, left: most, refusal };
    value.serialize(&mut nested)
}

/// A serializer that counts.
struct Nested<F: Flavor> {
    inner: postcard::Serializer<F>,
    /// How much deeper it may go.
    left: usize,
    /// What is said when it may not.
    refusal: &'static str,
}

impl<F: Flavor> Nested<F> {
    #[inline]
    fn enter(&mut self) -> Result<()> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                refuse(ErrorKind::Limit, self.refusal);
                Err(postcard::Error::SerdeSerCustom)
            }
        }
    }

    /// Writes what stands within what was just begun, and is all that does.
    #[inline]
    fn within<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.enter()?;
        value.serialize(&mut *self)?;
        self.left += 1;
        Ok(())
    }
}

macro_rules! delegate {
    ($($method:ident($($argument:ident: $Type:ty),*);)*) => {$(
        #[inline]
        fn $method(self, $($argument: $Type),*) -> Result<()> {
            (&mut self.inner).$method($($argument),*)
        }
    )*};
}

/// Begins something with parts, which `postcard` does by writing a number or nothing.
macro_rules! begin {
    ($($method:ident($($argument:ident: $Type:ty),*);)*) => {$(
        #[inline]
        fn $method(self, $($argument: $Type),*) -> Result<Self> {
            self.enter()?;
            (&mut self.inner).$method($($argument),*)?;
            Ok(self)
        }
    )*};
}

impl<F: Flavor> Serializer for &mut Nested<F> {
    type Ok = ();
    type Error = postcard::Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    delegate! {
        serialize_bool(v: bool);
        serialize_i8(v: i8);
        serialize_i16(v: i16);
        serialize_i32(v: i32);
        serialize_i64(v: i64);
        serialize_i128(v: i128);
        serialize_u8(v: u8);
        serialize_u16(v: u16);
        serialize_u32(v: u32);
        serialize_u64(v: u64);
        serialize_u128(v: u128);
        serialize_f32(v: f32);
        serialize_f64(v: f64);
        serialize_char(v: char);
        serialize_str(v: &str);
        serialize_bytes(v: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        // What an option begins with.
        (&mut self.inner).serialize_u8(1)?;
        self.within(value)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<()> {
        self.within(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        (&mut self.inner).serialize_unit_variant(name, index, variant)?;
        self.within(value)
    }

    begin! {
        serialize_seq(length: Option<usize>);
        serialize_tuple(length: usize);
        serialize_tuple_struct(name: &'static str, length: usize);
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, length: usize);
        serialize_map(length: Option<usize>);
        serialize_struct(name: &'static str, length: usize);
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, length: usize);
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<()> {
        (&mut self.inner).collect_str(value)
    }
}

/// The parts of something, one after another, with nothing between them.
macro_rules! parts {
    ($($Trait:ident: $($method:ident($($name:ident: $Name:ty)?)),*;)*) => {$(
        impl<F: Flavor> $Trait for &mut Nested<F> {
            type Ok = ();
            type Error = postcard::Error;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, $($name: $Name,)? value: &T) -> Result<()> {
                    value.serialize(&mut **self)
                }
            )*

            #[inline]
            fn end(self) -> Result<()> {
                self.left += 1;
                Ok(())
            }
        }
    )*};
}

parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeMap: serialize_key(), serialize_value();
    SerializeStruct: serialize_field(_key: &'static str);
    SerializeStructVariant: serialize_field(_key: &'static str);
}
