use farcall::prelude::*;

pub struct Bad {
    name: String,
}

#[rpc_target]
impl Bad {
    pub fn new() -> Self {
        Bad { name: String::new() }
    }
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn generic<T>(&self, item: T, other: u8) -> u8 {
        drop(item);
        other
    }
    pub fn consume(self) {}
    pub fn into(&self) {}
    pub fn fine(&self, amount: i64) -> i64 {
        amount
    }
}

// The type, its methods and its stub are all still there: nothing below is an error.
async fn caller(stub: BadStub) -> Result<i64, Error> {
    let bad = Bad::new();
    let _ = bad.name();
    let name: String = stub.name().await?;
    let n: u8 = stub.generic("x", name.len()).await?;
    stub.consume().await?;
    stub.fine(i64::from(n)).await
}

fn main() {}
