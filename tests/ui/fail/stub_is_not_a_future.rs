use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

async fn caller(counter: CounterStub, adder: RpcFn<fn(i64) -> i64>) {
    let _ = counter.await;
    let _ = adder.await;
}

fn main() {}
