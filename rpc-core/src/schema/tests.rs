use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{MAX_DEPTH, Schema, SchemaBuilder};
use crate::codec::{CapTable, Encoded, ValueDecoder, ValueEncoder};
use crate::error::{Error, ErrorKind};
use crate::promise::NoPipeline;
use crate::value::{IntoValue, Never, Plain, RpcValue};

/// What the derive prints for a type without accessors.
macro_rules! value {
    ($type:ty, |$schema:ident| $describe:expr) => {
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
    };
}

/// Stands for a stub: on the wire it is the index of its capability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cap(u32);
value!(Cap, |schema| schema.cap());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Company {
    name: String,
    mailbox: Cap,
    owner: Option<Box<Person>>,
    tags: BTreeMap<u16, Vec<i64>>,
}
value!(Company, |schema| schema.record::<Self>(|s| {
    s.field::<String>("name");
    s.field::<Cap>("mailbox");
    s.field::<Option<Box<Person>>>("owner");
    s.field::<BTreeMap<u16, Vec<i64>>>("tags");
}));

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Person {
    age: u8,
    phone: Option<Cap>,
}
value!(Person, |schema| schema.record::<Self>(|s| {
    s.field::<u8>("age");
    s.field::<Option<Cap>>("phone");
}));

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Line((i32, i32), (i32, i32)),
    Named { name: String, inner: Box<Self> },
}
value!(Shape, |schema| schema.choice::<Self>(|s| {
    s.unit_variant("Nothing");
    s.newtype_variant::<f64>("Circle");
    s.tuple_variant("Line", |s| {
        s.element::<(i32, i32)>();
        s.element::<(i32, i32)>();
    });
    s.record_variant("Named", |s| {
        s.field::<String>("name");
        s.field::<Box<Self>>("inner");
    });
}));

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct List {
    value: i64,
    next: Option<Box<Self>>,
}
value!(List, |schema| schema.record::<Self>(|s| {
    s.field::<i64>("value");
    s.field::<Option<Box<Self>>>("next");
}));

/// Nothing but options of itself: it has no level that is not an option.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Matryoshka(Option<Box<Self>>);
value!(Matryoshka, |schema| schema.newtype::<Option<Box<Self>>>());

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Forest(Vec<Self>);
value!(Forest, |schema| schema.newtype::<Vec<Self>>());

/// Has no values.
#[derive(Serialize, Deserialize)]
struct Endless(Box<Self>);
value!(Endless, |schema| schema.newtype::<Box<Self>>());

fn encode<T: RpcValue>(value: &T) -> Vec<u8> {
    let mut encoded = Encoded::default();
    value.encode(&mut ValueEncoder::new(&mut encoded, true)).unwrap();
    encoded.to_bytes().to_vec()
}

fn decode<T: RpcValue>(bytes: &[u8]) -> Result<T, Error> {
    let mut caps = CapTable::default();
    T::decode(&mut ValueDecoder::new(bytes, &mut caps, None, true))
}

/// The schema says how long the encoding is; no truncation and no wrong byte makes a walk panic, and what has been
/// cut off or passes the check with another length is seen by serde in the same way.
#[allow(clippy::needless_pass_by_value, reason = "a reference would be no better to read")]
fn holds_for<T: RpcValue>(value: T) {
    let schema = Schema::of::<T>();
    let bytes = encode(&value);
    assert_eq!(schema.check(&bytes).unwrap(), bytes.len(), "{bytes:?}");
    for length in 0..bytes.len() {
        schema.check(&bytes[..length]).unwrap_err();
    }
    for place in 0..bytes.len() {
        for byte in 0..=255 {
            let mut wrong = bytes.clone();
            wrong[place] = byte;
            if let (Err(error), true) = (schema.check(&wrong), decode::<T>(&wrong).is_ok()) {
                assert_eq!(error.kind(), ErrorKind::Limit, "{wrong:?}");
            }
            for path in [&[][..], &[0], &[1], &[2, 1], &[3, 0], &[900]] {
                let _ = schema.project_cap(&wrong, path);
                if let Ok(span) = schema.project_value(&wrong, path) {
                    assert!(span.end <= wrong.len());
                }
            }
        }
    }
}

fn company() -> Company {
    Company {
        name: "acme".to_owned(),
        mailbox: Cap(3),
        owner: Some(Box::new(Person { age: 40, phone: Some(Cap(300)) })),
        tags: BTreeMap::from([(1, vec![-1, 1 << 40]), (700, vec![])]),
    }
}

#[test]
fn r11_the_schema_ends_where_the_encoding_ends() {
    holds_for(());
    holds_for(true);
    holds_for((0u8, 1u16, 70_000u32, u64::MAX, u128::MAX, 12usize));
    holds_for((-1i8, i16::MIN, i32::MAX, i64::MIN, i128::MIN, -12isize));
    holds_for((1.5f32, f64::MAX, 'ß', '\u{10ffff}'));
    holds_for("täxt".to_owned());
    holds_for(Bytes::from_static(b"bytes"));
    holds_for(Plain(vec![Some(1u8), None]));
    holds_for(vec![(1u8, "a".to_owned()), (2, String::new())]);
    holds_for(VecDeque::from([1i64, 2, 3]));
    holds_for([[1u8; 3]; 4]);
    holds_for([vec![1u8], vec![], vec![300u16 as u8]]);
    holds_for(HashMap::from([("k".to_owned(), vec![Some(1u32), None])]));
    holds_for(BTreeSet::from([1u64, 1 << 50]));
    holds_for(vec![(); 900]);
    holds_for(BTreeMap::from([((), ())]));
    holds_for((Some(Some(Some(7u16))), Some(None::<u8>), None::<u8>));
    holds_for(Duration::new(5, 999_999_999));
    holds_for(std::time::SystemTime::now());
    holds_for("127.0.0.1:80".parse::<std::net::SocketAddr>().unwrap());
    holds_for("[::1]:80".parse::<std::net::SocketAddr>().unwrap());
    holds_for("::1".parse::<std::net::IpAddr>().unwrap());
    holds_for(company());
    holds_for(vec![Shape::Nothing, Shape::Circle(2.0), Shape::Line((1, -2), (300, 4))]);
    holds_for(Shape::Named { name: "n".to_owned(), inner: Box::new(Shape::Circle(0.0)) });
    holds_for(List { value: 1, next: Some(Box::new(List { value: -70_000, next: None })) });
    holds_for(Matryoshka(Some(Box::new(Matryoshka(Some(Box::new(Matryoshka(None))))))));
    holds_for(Forest(vec![Forest(vec![Forest(vec![])]), Forest(vec![])]));
}

#[test]
fn r7_paths_lead_to_values_and_capabilities() {
    let schema = Schema::of::<Company>();
    let (company, bytes) = (company(), encode(&company()));
    let part = |path: &[u16]| &bytes[schema.project_value(&bytes, path).unwrap()];
    assert_eq!(part(&[]), bytes);
    assert_eq!(part(&[0]), encode(&company.name));
    assert_eq!(part(&[1]), encode(&company.mailbox));
    assert_eq!(part(&[2]), encode(&company.owner));
    assert_eq!(part(&[2, 0]), [40]);
    assert_eq!(part(&[2, 1]), encode(&Some(Cap(300))));
    assert_eq!(part(&[3]), encode(&company.tags));
    assert_eq!(schema.project_cap(&bytes, &[1]), Ok(3));
    assert_eq!(schema.project_cap(&bytes, &[2, 1]), Ok(300));
    assert_eq!(Schema::of::<Option<Cap>>().project_cap(&[1, 9], &[]), Ok(9));
    assert_eq!(Schema::of::<(u8, Option<Box<Option<Cap>>>)>().project_cap(&[0, 1, 1, 9], &[1]), Ok(9));
}

#[test]
fn r7_paths_that_lead_nowhere_say_where() {
    let schema = Schema::of::<Company>();
    let mut company = company();
    let fails = |company: &Company, path: &[u16]| {
        let bytes = encode(company);
        let error = schema.project_cap(&bytes, path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadPath);
        assert!(!error.may_have_run());
        error.message().to_owned()
    };
    assert_eq!(fails(&company, &[]), "the result is a struct or tuple and cannot be called");
    assert_eq!(fails(&company, &[0]), "the field `name` is a string and cannot be called");
    assert_eq!(fails(&company, &[0, 1]), "the field `name` is a string and has no fields");
    assert_eq!(fails(&company, &[4]), "the result has 4 fields and none of index 4");
    company.owner.as_mut().unwrap().phone = None;
    assert_eq!(fails(&company, &[2, 1]), "the field `phone` is `None`");
    company.owner = None;
    assert_eq!(fails(&company, &[2, 1]), "the field `owner` is `None`");
    let bytes = encode(&company);
    assert_eq!(schema.project_value(&bytes, &[2, 1]).unwrap_err().kind(), ErrorKind::BadPath);
    assert_eq!(&bytes[schema.project_value(&bytes, &[2]).unwrap()], [0]);
}

fn list(length: usize) -> Vec<u8> {
    let mut bytes = [0, 1].repeat(length - 1);
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn r11_nesting_is_limited_to_64_levels() {
    let lists = Schema::of::<List>();
    assert_eq!(lists.check(&list(MAX_DEPTH)), Ok(2 * MAX_DEPTH));
    assert_eq!(lists.check(&list(MAX_DEPTH + 1)).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(lists.check(&[1; 4 << 20]).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(Schema::of::<Matryoshka>().check(&[1; 4 << 20]).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(Schema::of::<Forest>().check(&[1; 4 << 20]).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(lists.project_cap(&[1; 4 << 20], &[1, 1, 1, 0]).unwrap_err().kind(), ErrorKind::BadPath);
    assert_eq!(lists.project_cap(&[1; 4 << 20], &[2; 64]).unwrap_err().kind(), ErrorKind::BadPath);
}

#[test]
fn r11_announced_lengths_are_not_believed() {
    let four_billion = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let units = Schema::of::<Vec<()>>();
    assert_eq!(units.check(&four_billion).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(units.check(&[0x80, 0x80, 4]), Ok(3), "65536 are allowed");
    assert_eq!(units.check(&[0x81, 0x80, 4]).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(
        Schema::of::<HashMap<(), [(); 3]>>().check(&four_billion).unwrap_err().kind(),
        ErrorKind::Limit
    );
    for schema in [Schema::of::<Vec<u8>>(), Schema::of::<Vec<String>>(), Schema::of::<BTreeMap<u8, ()>>()] {
        assert_eq!(schema.check(&four_billion).unwrap_err().kind(), ErrorKind::BadArguments);
        assert_eq!(schema.check(&[0xff; 10]).unwrap_err().kind(), ErrorKind::BadArguments);
    }
    assert_eq!(
        Schema::of::<Vec<(u32, f64)>>().check(&[2, 0, 0, 0, 0]).unwrap_err().kind(),
        ErrorKind::BadArguments
    );
}

#[test]
fn numbers_must_fit() {
    assert_eq!(Schema::of::<u16>().check(&[0xff, 0xff, 3]), Ok(3));
    Schema::of::<u16>().check(&[0xff, 0xff, 4]).unwrap_err();
    Schema::of::<u16>().check(&[0xff, 0xff, 0x83, 0]).unwrap_err();
    Schema::of::<u64>().check(&[0xff; 10]).unwrap_err();
    Schema::of::<u128>().check(&[0xff; 30]).unwrap_err();
    Schema::of::<Cap>().check(&[0xff, 0xff, 0xff, 0xff, 0x10]).unwrap_err();
    Schema::of::<Shape>().check(&[4]).unwrap_err();
    Schema::of::<Option<u8>>().check(&[2, 0]).unwrap_err();
}

#[test]
fn r11_only_types_that_do_not_bound_themselves_are_checked() {
    assert!(Schema::of::<List>().needs_check());
    assert!(Schema::of::<Matryoshka>().needs_check());
    assert!(Schema::of::<Forest>().needs_check());
    assert!(Schema::of::<Shape>().needs_check());
    assert!(Schema::of::<(u8, Option<Vec<()>>)>().needs_check());
    assert!(Schema::of::<BTreeMap<(), ()>>().needs_check());
    assert!(!Schema::of::<Company>().needs_check());
    assert!(!Schema::of::<Vec<Vec<Option<u8>>>>().needs_check());
    assert!(!Schema::of::<HashMap<String, ()>>().needs_check());
    assert!(!Schema::of::<Plain<u8>>().needs_check(), "it bounds itself");
}

#[test]
fn t6_capabilities_and_copies_are_known_of_the_whole() {
    assert!(Schema::of::<Company>().has_caps());
    assert!(Schema::of::<Vec<Option<Cap>>>().has_caps());
    assert!(!Schema::of::<(String, Shape, List)>().has_caps());
    assert!(Schema::of::<Company>().moves());
    assert!(!Schema::of::<Vec<(u8, Plain<String>)>>().moves());
}

#[test]
fn types_without_values_have_schemas() {
    Schema::of::<Never>().check(&[0; 9]).unwrap_err();
    Schema::of::<Endless>().check(&[0; 9]).unwrap_err();
    assert_eq!(Schema::of::<Option<Never>>().check(&[0]), Ok(1));
    Schema::of::<Vec<Never>>().check(&[1, 0, 0, 0, 0]).unwrap_err();
    assert_eq!(Schema::of::<Vec<Endless>>().check(&[0]), Ok(1));
}
