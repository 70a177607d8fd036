//! [`Props`]: what whoever configures a binding says of it, and the callee reads.

use std::sync::Arc;

use farcall_core::error::{Error, ErrorKind};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The props of a binding: a JSON object, empty if there are none. Rows 247 and 248.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Props(Arc<Map<String, Value>>);

impl Props {
    /// These.
    ///
    /// # Errors
    /// They are no JSON object.
    pub fn of<P: Serialize>(props: &P) -> Result<Self, Error> {
        match serde_json::to_value(props) {
            Ok(Value::Object(props)) => Ok(Self(Arc::new(props))),
            Ok(_) => Err(unfit("they are not an object with a name for each")),
            Err(error) => Err(unfit(&error.to_string())),
        }
    }

    /// Those that a table of a configuration file says.
    pub(crate) fn from_table(table: &toml::Table) -> Self {
        Self(Arc::new(table.iter().map(|(name, value)| (name.clone(), json(value))).collect()))
    }

    /// Those that came in a greeting.
    pub(crate) fn from_text(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text)
            .map(|props| Self(Arc::new(props)))
            .map_err(|error| unfit(&error.to_string()))
    }

    /// As they stand in a greeting.
    pub(crate) fn to_text(&self) -> String {
        if self.0.is_empty() { String::new() } else { Value::Object((*self.0).clone()).to_string() }
    }

    /// Reads them.
    ///
    /// # Errors
    /// They are of another shape.
    pub fn read<P: DeserializeOwned>(&self) -> Result<P, Error> {
        P::deserialize(Value::Object((*self.0).clone())).map_err(|error| unfit(&error.to_string()))
    }
}

fn unfit(text: &str) -> Error {
    Error::new(ErrorKind::BadArguments, format!("the props of the binding do not fit: {text}"))
}

/// A value of a file as JSON: what JSON has no form for becomes text.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => serde_json::Number::from_f64(*number)
            .map_or_else(|| Value::String(number.to_string()), Value::Number),
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(json).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
    }
}

/// The props of an entrypoint that declares none: any will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoProps;

impl<'de> Deserialize<'de> for NoProps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
