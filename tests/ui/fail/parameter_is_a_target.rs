use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

pub struct Api;

#[rpc_target]
impl Api {
    pub fn take(&self, counter: Counter) {
        drop(counter);
    }
}

fn main() {}
