#![deny(deprecated)]
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

pub struct Counter;

#[rpc_target]
impl Counter {
    #[deprecated = "use `total`"]
    pub fn value(&self) -> Total {
        Total { sum: 0 }
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Total {
    #[deprecated = "use `all`"]
    pub sum: i64,
}

fn caller(counter: CounterStub) {
    Promise::detach(counter.value().sum());
}

fn main() {}
