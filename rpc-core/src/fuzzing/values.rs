//! Values with capabilities, from bytes that nobody wrote.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::choices::Choices;
use super::local;
use crate::codec::{CapTable, Capability, Encoded, ValueDecoder, ValueEncoder};
use crate::error::Error;
use crate::function::RpcFn;
use crate::promise::NoPipeline;
use crate::schema::{Schema, SchemaBuilder};
use crate::value::{IntoValue, Plain, RpcValue};

/// A value as deep as its bytes say, with a capability at each level.
struct Nested(Option<Box<Level>>);

type Level = (RpcFn<fn()>, Nested);

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

impl IntoValue for Nested {
    type Value = Self;

    fn into_value(self) -> Self {
        self
    }
}

impl RpcValue for Nested {
    type Pipeline = NoPipeline;

    fn describe(schema: &mut SchemaBuilder) {
        schema.record::<Self>(|fields| fields.field::<Option<Box<Level>>>("next"));
    }
}

type Functions = BTreeMap<String, Vec<RpcFn<fn(u8) -> u8>>>;
type Numbers = (u8, i64, u128, f32, Option<char>, [u16; 3], Duration);
type Value =
    (Option<Nested>, Functions, Vec<(Bytes, Option<RpcFn<fn()>>)>, Box<Numbers>, Vec<()>, Plain<String>);

static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of::<Value>);

fn read(body: &Bytes, caps: usize) -> Result<Value, Error> {
    SCHEMA.check_untrusted(body)?;
    let mut table = CapTable::new((0..caps).map(|_| local()).collect::<Vec<Capability>>());
    let mut decoder = ValueDecoder::new(body, &mut table, Some(body), true);
    let value = Value::decode(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}

fn write(value: &Value) -> Encoded {
    let mut encoded = Encoded::default();
    value.encode(&mut ValueEncoder::new(&mut encoded, true)).expect("what was read can be written");
    encoded
}

/// What [`values`] takes for a value, to begin with.
pub fn example() -> Vec<u8> {
    let function = || RpcFn::new(|n: u8| n);
    let hook = || RpcFn::new(|| ());
    let nested = Nested(Some(Box::new((hook(), Nested(Some(Box::new((hook(), Nested(None)))))))));
    let value: Value = (
        Some(nested),
        BTreeMap::from([("ab".to_owned(), vec![function(), function()]), (String::new(), Vec::new())]),
        vec![(Bytes::from_static(b"xyz"), Some(hook())), (Bytes::new(), None)],
        Box::new((1, -2, 3, 0.5, Some('ß'), [4, 500, 6], Duration::new(7, 8))),
        vec![(); 3],
        Plain("text".to_owned()),
    );
    [vec![7, 0, 1], write(&value).to_bytes().to_vec()].concat()
}

/// Reads bytes as a value that comes with some capabilities, walks them along paths, and writes and reads again what
/// came of it. Tells whether they were a value.
pub fn values(data: &[u8]) -> bool {
    let mut choices = Choices(data);
    let caps = choices.below(8);
    let paths = [choices.path(), choices.path(), &[2, 0, 1]];
    let body = Bytes::copy_from_slice(choices.0);
    let _ = SCHEMA.check(&body);
    for path in paths {
        let _ = SCHEMA.project_cap(&body, path);
        if let Ok(span) = SCHEMA.project_value(&body, path) {
            assert!(span.start <= span.end && span.end <= body.len(), "{span:?} of {}", body.len());
        }
    }
    let Ok(value) = read(&body, caps) else { return false };
    assert_eq!(SCHEMA.check(&body).ok(), Some(body.len()), "the walk ends where the value ends");
    let written = write(&value);
    assert!(written.caps.len() <= caps, "no capability is there twice");
    let bytes = written.to_bytes();
    let again = read(&bytes, written.caps.len()).expect("what was written can be read");
    assert_eq!(write(&again).to_bytes(), bytes);
    true
}
