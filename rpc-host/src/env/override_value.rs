//! Values that come as text, from environment variables, and values that are not there.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _, Visitor, value};
use serde::{Deserializer, forward_to_deserialize_any};

/// Reads a variable from text: as the text, if that is what the type takes, else as a value of a configuration file.
pub(super) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let as_text = T::deserialize(toml::Value::String(text.to_owned()));
    let Err(first) = as_text else { return as_text.map_err(|error: toml::de::Error| error.to_string()) };
    let parsed = text.parse::<toml::Value>().ok().or_else(|| {
        let table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
        table.get("value").cloned()
    });
    match parsed {
        Some(value) if !value.is_str() => T::deserialize(value).map_err(|error| error.to_string()),
        _ => Err(first.to_string()),
    }
}

/// Reads a variable that is not there: an `Option` is `None`, anything else is missing.
pub(super) fn from_nothing<T: DeserializeOwned>() -> Option<T> {
    T::deserialize(Absent).ok()
}

/// A value that is not there.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, value::Error> {
        Err(value::Error::custom(Missing))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Missing;

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is missing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_taken_as_it_is_where_text_is_wanted_and_read_as_a_value_where_not() {
        assert_eq!(from_text::<String>("5").as_deref(), Ok("5"));
        assert_eq!(from_text::<String>("\"quoted\"").as_deref(), Ok("\"quoted\""));
        assert_eq!(from_text::<u16>("7000"), Ok(7000));
        assert_eq!(from_text::<Option<bool>>("true"), Ok(Some(true)));
        assert_eq!(from_text::<Vec<String>>("[\"a\", \"b\"]"), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert!(from_text::<u16>("many").is_err());
        assert!(from_text::<u16>("70000").is_err());
    }

    #[test]
    fn only_an_option_may_be_missing() {
        assert_eq!(from_nothing::<Option<String>>(), Some(None));
        assert_eq!(from_nothing::<String>(), None);
        assert_eq!(from_nothing::<Vec<String>>(), None);
    }
}
