//! A contract that is imported under another name: the option says how it was declared.
use farcall::prelude::*;

mod papi {
    use farcall::prelude::*;

    #[rpc_target(stub = "Client")]
    pub trait Counter {
        async fn increment(&self, amount: i64) -> i64;
    }
}

use papi::Counter as C;

pub struct Mine;

#[rpc_target(contract = "Counter")]
impl C for Mine {
    async fn increment(&self, amount: i64) -> i64 {
        amount
    }
}

#[rpc_target(extends = "Counter")]
pub trait More: C {
    fn more(&self) -> i64;
}

async fn caller(client: papi::Client, more: MoreStub) -> Result<i64, Error> {
    Ok(client.increment(1).await? + more.increment(2).await? + more.more().await?)
}

fn main() {
    let _ = caller;
    let _: fn(Mine) -> papi::Client = Mine::into_stub;
}
