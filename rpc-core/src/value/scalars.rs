//! Values without parts that a promise could lead to: numbers, text, times and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, SystemTime};

use super::{IntoValue, RpcValue};
use crate::codec::{ValueDecoder, ValueEncoder};
use crate::error::Error;
use crate::promise::NoPipeline;
use crate::schema::SchemaBuilder;

/// Each entry: a type, and the schema of what serde writes for it where the format is not for humans.
macro_rules! scalars {
    ($($type:ty: |$schema:ident| $describe:expr;)*) => {$(
        impl IntoValue for $type {
            type Value = Self;

            fn into_value(self) -> Self {
                self
            }
        }

        impl RpcValue for $type {
            type Pipeline = NoPipeline;

            fn describe($schema: &mut SchemaBuilder) {
                $describe;
            }
        }
    )*};
}

/// Numbers of two to eight bytes, which are most arguments: written and read without a detour through serde, to the
/// same bytes. Each entry: a type, its kind and bits, its longest varint in bytes, and the way to the raw number
/// and back.
macro_rules! numbers {
    ($($type:ty: $kind:ident $bits:literal $most:literal, $to:expr, $from:expr;)*) => {$(
        impl IntoValue for $type {
            type Value = Self;

            fn into_value(self) -> Self {
                self
            }
        }

        impl RpcValue for $type {
            type Pipeline = NoPipeline;

            fn describe(schema: &mut SchemaBuilder) {
                schema.$kind($bits);
            }

            #[inline]
            fn encode(&self, encoder: &mut ValueEncoder<'_>) -> Result<(), Error> {
                encoder.varint($to(*self));
                Ok(())
            }

            #[inline]
            fn decode(decoder: &mut ValueDecoder<'_>) -> Result<Self, Error> {
                let raw = decoder.varint_of($most)?;
                Self::try_from($from(raw)).map_err(|_| decoder.bad_number())
            }
        }
    )*};
}

#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn unzigzag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

numbers! {
    u16: unsigned 16 3, u64::from, std::convert::identity;
    u32: unsigned 32 5, u64::from, std::convert::identity;
    u64: unsigned 64 10, std::convert::identity, std::convert::identity;
    usize: unsigned 64 10, |value| value as u64, std::convert::identity;
    i16: signed 16 3, |value| zigzag(i64::from(value)), unzigzag;
    i32: signed 32 5, |value| zigzag(i64::from(value)), unzigzag;
    i64: signed 64 10, zigzag, unzigzag;
    isize: signed 64 10, |value| zigzag(value as i64), unzigzag;
}

scalars! {
    bool: |schema| schema.bool();
    u8: |schema| schema.unsigned(8);
    u128: |schema| schema.unsigned(128);
    i8: |schema| schema.signed(8);
    i128: |schema| schema.signed(128);
    f32: |schema| schema.float(32);
    f64: |schema| schema.float(64);
    char: |schema| schema.char();
    String: |schema| schema.string();
    (): |schema| schema.unit();
    Duration: |schema| schema.record::<Self>(|fields| {
        fields.field::<u64>("secs");
        fields.field::<u32>("nanos");
    });
    SystemTime: |schema| schema.record::<Self>(|fields| {
        fields.field::<u64>("secs_since_epoch");
        fields.field::<u32>("nanos_since_epoch");
    });
    Ipv4Addr: |schema| schema.array::<Self, u8>(4);
    Ipv6Addr: |schema| schema.array::<Self, u8>(16);
    IpAddr: |schema| schema.choice::<Self>(|variants| {
        variants.newtype_variant::<Ipv4Addr>("V4");
        variants.newtype_variant::<Ipv6Addr>("V6");
    });
    SocketAddrV4: |schema| schema.tuple_record::<Self>(|elements| {
        elements.element::<Ipv4Addr>();
        elements.element::<u16>();
    });
    SocketAddrV6: |schema| schema.tuple_record::<Self>(|elements| {
        elements.element::<Ipv6Addr>();
        elements.element::<u16>();
    });
    SocketAddr: |schema| schema.choice::<Self>(|variants| {
        variants.newtype_variant::<SocketAddrV4>("V4");
        variants.newtype_variant::<SocketAddrV6>("V6");
    });
}
