use farcall::prelude::*;

macro_rules! methods {
    () => {
        pub fn hidden(&self) {}
    };
}

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
    methods!();
}

fn main() {}
