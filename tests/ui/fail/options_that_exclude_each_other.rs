use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    #[rpc(get)]
    pub fn with_parameter(&self, n: i64) -> i64 {
        n
    }
    #[rpc(get)]
    pub fn exclusive(&mut self) -> i64 {
        0
    }
    #[rpc(get, call)]
    pub fn both(&self) -> i64 {
        0
    }
    #[rpc(call, rename = "run")]
    pub fn renamed(&self) -> i64 {
        0
    }
    #[rpc(skip, get)]
    pub fn skipped(&self) -> i64 {
        0
    }
    #[rpc(get)]
    fn private(&self) -> i64 {
        0
    }
}

fn main() {}
