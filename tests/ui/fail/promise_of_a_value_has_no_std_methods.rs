use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Record {
    pub number: i64,
}

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
    pub fn record(&self) -> Record {
        Record { number: 1 }
    }
}

fn caller(counter: CounterStub) {
    let value = counter.value();
    let _copy = value.clone();
    let _same = value.eq(&value);
    let record = counter.record();
    let _copy = record.clone();
    let _same = record == record;
}

fn main() {}
