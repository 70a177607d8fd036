#![deny(unused_must_use)]
use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
    #[must_use = "the ticket is the only way back"]
    pub fn ticket(&self) -> i64 {
        0
    }
}

fn caller(counter: CounterStub) {
    counter.value();
    counter.ticket();
    Promise::detach(counter.value());
}

fn main() {}
