use farcall::prelude::*;

#[rpc_target]
pub struct Counter;

#[rpc_target]
fn function() {}

#[rpc_target]
impl &'static str {
    pub fn value(&self) {}
}

#[rpc_target(secondary, contract = "Counter")]
impl Counter {
    pub fn value(&self) {}
}

fn main() {}
