//! A method is bound as a function of its own types only.
use farcall::prelude::*;

pub struct Counter(i64);

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.0 += amount;
        self.0
    }

    fn reset(&mut self) {
        self.0 = 0;
    }
}

fn bound(counter: &CounterStub) {
    let _: RpcFn<fn(String) -> i64> = RpcFn::bind(counter, CounterStub::increment);
    let _: RpcFn<fn(i64) -> String> = RpcFn::bind(counter, CounterStub::increment);
    let _: RpcFn<fn() -> i64> = RpcFn::bind(counter, CounterStub::increment);
    let _: RpcFn<fn()> = RpcFn::bind(counter, CounterStub::reset);
}

fn main() {
    let _ = bound;
}
