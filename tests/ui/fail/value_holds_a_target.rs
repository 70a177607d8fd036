use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Holder {
    pub counter: Counter,
}

fn main() {}
