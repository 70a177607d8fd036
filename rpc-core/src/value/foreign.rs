//! Types of well-known crates, each behind a feature of its own.

#![cfg_attr(
    not(any(feature = "chrono", feature = "uuid", feature = "url", feature = "json")),
    allow(unused, reason = "each feature uses its part")
)]

use super::{IntoValue, RpcValue};
use crate::promise::NoPipeline;
use crate::schema::SchemaBuilder;

/// Each entry: a type, and the schema of what serde writes for it where the format is not for humans.
macro_rules! foreign {
    ($($feature:literal $type:ty: |$schema:ident| $describe:expr;)*) => {$(
        #[cfg(feature = $feature)]
        impl IntoValue for $type {
            type Value = Self;

            fn into_value(self) -> Self {
                self
            }
        }

        #[cfg(feature = $feature)]
        impl RpcValue for $type {
            type Pipeline = NoPipeline;

            fn describe($schema: &mut SchemaBuilder) {
                $describe;
            }
        }
    )*};
}

foreign! {
    "uuid" uuid::Uuid: |schema| schema.bytes();
    "url" url::Url: |schema| schema.string();
    "chrono" chrono::DateTime<chrono::Utc>: |schema| schema.string();
    "chrono" chrono::DateTime<chrono::FixedOffset>: |schema| schema.string();
    "chrono" chrono::NaiveDateTime: |schema| schema.string();
    "chrono" chrono::NaiveDate: |schema| schema.string();
    "chrono" chrono::NaiveTime: |schema| schema.string();
    "json" Json: |schema| schema.string();
}

/// A `serde_json::Value`, which travels as its text: the encoding of other values does not describe itself, so it
/// could not be read back.
#[cfg(feature = "json")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Json(pub serde_json::Value);

#[cfg(feature = "json")]
impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Self(value)
    }
}

#[cfg(feature = "json")]
impl serde::Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(&self.0).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

#[cfg(feature = "json")]
impl<'de> serde::Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The parser refuses text that is nested more than 128 levels deep.
        serde_json::from_str(&text).map(Self).map_err(serde::de::Error::custom)
    }
}
