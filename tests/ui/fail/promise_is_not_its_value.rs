use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

fn caller(counter: CounterStub) -> Result<(), Error> {
    let value: i64 = counter.value();
    let other: i64 = counter.value()?;
    let sum = counter.value() + 1;
    drop((value, other, sum));
    Ok(())
}

fn main() {}
