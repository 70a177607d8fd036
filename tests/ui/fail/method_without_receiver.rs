use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn new() -> Self {
        Counter
    }
    pub fn value(&self) -> i64 {
        0
    }
}

fn main() {
    let _counter = Counter::new();
}
