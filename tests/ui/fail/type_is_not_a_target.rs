use farcall::prelude::*;

pub struct Counter;

impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

pub struct Api;

#[rpc_target]
impl Api {
    pub fn counter(&self) -> Counter {
        Counter
    }
}

fn main() {}
