use farcall::prelude::*;
use std::cell::Cell;

#[rpc_target]
pub trait Counter {
    async fn value(&self) -> i64;
}

pub struct Mine(Cell<i64>);

#[rpc_target]
impl Counter for Mine {
    async fn value(&self) -> i64 {
        self.0.get()
    }
}

fn main() {}
