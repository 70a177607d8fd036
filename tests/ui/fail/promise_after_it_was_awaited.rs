use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

async fn caller(counter: CounterStub) -> Result<(), Error> {
    let awaited = counter.value();
    awaited.await?;
    awaited.await?;
    let detached = counter.value();
    Promise::detach(detached);
    detached.await?;
    Ok(())
}

fn main() {}
