use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

async fn caller(counter: CounterStub) {
    let _ = tokio::spawn(counter.value()).await;
}

fn main() {}
