use farcall::prelude::*;
use std::cell::Cell;

pub struct Counter {
    value: Cell<i64>,
}

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        self.value.get()
    }
}

fn main() {}
