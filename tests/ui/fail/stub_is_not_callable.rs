use farcall::prelude::*;

pub struct Counter;
pub struct Api;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

#[rpc_target]
impl Api {
    pub fn counter(&self) -> Counter {
        Counter
    }
    pub fn apply(&self, f: RpcFn<fn() -> i64>) {
        drop(f);
    }
}

fn caller(api: ApiStub, counter: CounterStub) {
    counter.call();
    counter();
    api.counter().call();
    Promise::detach(api.apply(&counter));
}

fn main() {}
