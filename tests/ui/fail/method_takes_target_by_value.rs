use farcall::prelude::*;
use std::sync::Arc;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn finish(self) -> i64 {
        0
    }
    pub fn shared(self: Arc<Self>) -> i64 {
        0
    }
}

fn main() {}
