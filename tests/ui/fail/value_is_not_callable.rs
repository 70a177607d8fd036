use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Hooks {
    pub count: u64,
    pub adder: RpcFn<fn(i64) -> i64>,
}

fn caller(hooks: Promise<Hooks>, number: Promise<i64>) {
    Promise::detach(hooks.adder().call(1));
    hooks.count().call();
    hooks.call(1);
    number.call(1);
}

fn main() {}
