//! Stubs and functions anywhere in a value, in arguments and in results.

use std::collections::{BTreeMap, HashMap};

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open};

pub struct Numbered(u32);

#[rpc_target]
impl Numbered {
    pub fn number(&self) -> u32 {
        self.0
    }
}

type Number = RpcFn<fn() -> u32>;

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Slot {
    Empty,
    Stub(NumberedStub),
    Pair(u8, Number),
    Named { before: String, stub: Option<NumberedStub> },
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Inner<T> {
    pub label: String,
    pub held: T,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Everywhere {
    pub field: NumberedStub,
    pub text: String,
    pub tuple: (u8, NumberedStub, Number),
    pub option: Option<NumberedStub>,
    pub none: Option<Number>,
    pub list: Vec<Number>,
    pub map: BTreeMap<String, NumberedStub>,
    pub hash: HashMap<u32, Number>,
    pub nested: Inner<Vec<Inner<NumberedStub>>>,
    pub slots: [Slot; 4],
    pub boxed: Box<Inner<(Number,)>>,
}

/// A value with so many capabilities, numbered in the order of [`numbers`].
fn everywhere() -> Everywhere {
    let mut next = 0..;
    let mut count = || next.next().unwrap_or_default();
    let stub = |number: u32| Numbered(number).into_stub();
    let function = |number: u32| RpcFn::new(move || number);
    Everywhere {
        field: stub(count()),
        text: "between".to_owned(),
        tuple: (9, stub(count()), function(count())),
        option: Some(stub(count())),
        none: None,
        list: vec![function(count()), function(count())],
        map: BTreeMap::from(["a", "b"].map(|key| (key.to_owned(), stub(count())))),
        hash: HashMap::from([(8, function(count()))]),
        nested: Inner {
            label: String::new(),
            held: vec![
                Inner { label: "x".to_owned(), held: stub(count()) },
                Inner { label: "y".to_owned(), held: stub(count()) },
            ],
        },
        slots: [
            Slot::Stub(stub(count())),
            Slot::Empty,
            Slot::Pair(1, function(count())),
            Slot::Named { before: "z".to_owned(), stub: Some(stub(count())) },
        ],
        boxed: Box::new(Inner { label: String::new(), held: (function(count()),) }),
    }
}

/// What all of them answer.
async fn numbers(value: Everywhere) -> Result<Vec<u32>, Error> {
    assert_eq!((value.text.as_str(), value.none.is_none()), ("between", true));
    let mut calls = vec![value.field.number(), value.tuple.1.number(), value.tuple.2.call()];
    calls.extend(value.option.map(|stub| stub.number()));
    calls.extend(value.list.iter().map(|function| function.call()));
    calls.extend(value.map.values().map(|stub| stub.number()));
    calls.extend(value.hash.values().map(|function| function.call()));
    calls.extend(value.nested.held.iter().map(|inner| inner.held.number()));
    for slot in &value.slots {
        calls.extend(match slot {
            Slot::Empty | Slot::Named { stub: None, .. } => None,
            Slot::Stub(stub) | Slot::Named { stub: Some(stub), .. } => Some(stub.number()),
            Slot::Pair(_, function) => Some(function.call()),
        });
    }
    calls.push(value.boxed.held.0.call());
    let mut numbers = Vec::new();
    for call in calls {
        numbers.push(call.await?);
    }
    Ok(numbers)
}

pub struct Carrier;

#[rpc_target]
impl Carrier {
    pub fn make(&self) -> Everywhere {
        everywhere()
    }

    pub async fn read(&self, value: Everywhere) -> Result<Vec<u32>, Error> {
        numbers(value).await
    }

    pub fn pass(&self, value: Everywhere) -> Everywhere {
        value
    }
}

behaviours! {
    async fn r40_stubs_and_functions_anywhere_in_a_value(transport: Transport) {
        let (stub, _link) = open(transport, Carrier).await;
        let expected: Vec<u32> = (0..15).collect();
        assert_eq!(numbers(stub.make().await.unwrap()).await.unwrap(), expected, "in a result");
        assert_eq!(stub.read(everywhere()).await.unwrap(), expected, "in an argument");
        assert_eq!(numbers(stub.pass(everywhere()).await.unwrap()).await.unwrap(), expected, "there and back");
        assert_eq!(stub.read(stub.make()).await.unwrap(), expected, "in a promised argument");
        let handed_back = stub.make().await.unwrap();
        assert_eq!(stub.read(handed_back).await.unwrap(), expected, "in a result that goes home");
    }
}
