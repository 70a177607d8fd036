//! [`Props`]: what whoever configures a binding says of it, and the callee reads.

use std::sync::Arc;

use farcall_core::error::{Error, ErrorKind};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::binding::{self, Bound, Source};

/// The props of a binding: a JSON object, empty if there are none, and the services in it. Rows 247, 248 and 251.
#[derive(Clone, Debug, Default)]
pub struct Props {
    said: Arc<Map<String, Value>>,
    bound: Bound,
}

impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        self.said == other.said && self.bound.is_same(&other.bound)
    }
}

impl Props {
    /// These. Services in them are written by [`binding`](crate::binding).
    ///
    /// # Errors
    /// They are no JSON object.
    pub fn of<P: Serialize>(props: &P) -> Result<Self, Error> {
        let (written, given) = binding::writing(|| serde_json::to_value(props));
        match written {
            Ok(Value::Object(said)) => {
                let bound = Bound { given: given.into(), source: None };
                Ok(Self::from_json(said, bound))
            }
            Ok(_) => Err(unfit("they are not an object with a name for each")),
            Err(error) => Err(unfit(&error.to_string())),
        }
    }

    pub(crate) fn from_json(said: Map<String, Value>, bound: Bound) -> Self {
        Self { said: Arc::new(said), bound }
    }

    /// Those that a table of a configuration file says.
    pub(crate) fn from_table(table: &toml::Table, source: &Arc<Source>) -> Self {
        let said: Map<_, _> = table.iter().map(|(name, value)| (name.clone(), json(value))).collect();
        if said.is_empty() {
            return Self::default();
        }
        Self::from_json(said, Bound { source: Some(Arc::downgrade(source)), ..Bound::default() })
    }

    /// Those that came in a greeting.
    pub(crate) fn from_text(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let said = serde_json::from_str(text).map_err(|error| unfit(&error.to_string()))?;
        Ok(Self::from_json(said, Bound::default()))
    }

    /// As they stand in a greeting.
    pub(crate) fn to_text(&self) -> String {
        if self.said.is_empty() { String::new() } else { Value::Object((*self.said).clone()).to_string() }
    }

    /// Whether the program gave services with them, which cannot leave the process.
    pub(crate) fn hold_services(&self) -> bool {
        !self.bound.given.is_empty()
    }

    /// Reads them.
    ///
    /// # Errors
    /// They are of another shape.
    pub fn read<P: DeserializeOwned>(&self) -> Result<P, Error> {
        let said = Value::Object((*self.said).clone());
        binding::reading(&self.bound, || P::deserialize(said)).map_err(|error| unfit(&error.to_string()))
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
