use farcall::prelude::*;

pub struct Counter;

impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

fn made() -> CounterStub {
    Counter.into_stub()
}

fn served() {
    let number = 5_i64;
    number.into_stub();
    drop(farcall::Endpoint::new().offer(Counter));
}

fn main() {}
