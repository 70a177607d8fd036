//! Two exported `impl`s of one type have two stubs, one of them named by hand.
use farcall::prelude::*;

pub struct Store<T>(Vec<T>);

#[rpc_target(stub = "NumberStoreStub")]
impl Store<i64> {
    pub fn sum(&self) -> i64 {
        self.0.iter().sum()
    }
}

#[rpc_target(stub = TextStoreStub)]
impl Store<String> {
    pub fn joined(&self) -> String {
        self.0.concat()
    }
}

async fn caller(numbers: NumberStoreStub, texts: TextStoreStub) -> Result<(), Error> {
    numbers.sum().await?;
    texts.joined().await?;
    Ok(())
}

fn main() {
    let _ = caller;
}
