//! Values without parts that a promise could lead to: numbers, text, times and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, SystemTime};

use super::{IntoValue, RpcValue};
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

scalars! {
    bool: |schema| schema.bool();
    u8: |schema| schema.unsigned(8);
    u16: |schema| schema.unsigned(16);
    u32: |schema| schema.unsigned(32);
    u64: |schema| schema.unsigned(64);
    u128: |schema| schema.unsigned(128);
    usize: |schema| schema.unsigned(64);
    i8: |schema| schema.signed(8);
    i16: |schema| schema.signed(16);
    i32: |schema| schema.signed(32);
    i64: |schema| schema.signed(64);
    i128: |schema| schema.signed(128);
    isize: |schema| schema.signed(64);
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
