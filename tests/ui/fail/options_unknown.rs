use farcall::prelude::*;
use serde::{Deserialize, Serialize};

pub struct Counter;

#[rpc_target(name = "Counter")]
impl Counter {
    #[rpc(getter)]
    pub fn value(&self) -> i64 {
        0
    }
    #[rpc]
    pub fn other(&self) {}
    #[rpc(rename)]
    pub fn third(&self) {}
    #[rpc(rename = "")]
    pub fn fourth(&self) {}
}

#[derive(Serialize, Deserialize, RpcValue)]
#[rpc(rename = "Item")]
pub struct Value {
    #[rpc(skip)]
    pub field: u8,
}

fn main() {}
