use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub unsafe fn raw(&self) -> i64 {
        0
    }
    pub extern "C" fn foreign(&self) -> i64 {
        0
    }
}

fn main() {}
