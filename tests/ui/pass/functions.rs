//! Closures and functions go where an `RpcFn` is due, in both directions.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Hooks {
    pub on_start: Option<RpcFn<fn() -> ()>>,
    pub adder: RpcFn<fn(i64, i64) -> i64>,
}

pub struct Api;

#[rpc_target]
impl Api {
    pub async fn each(&self, f: RpcFn<fn(i64) -> i64>) -> Result<i64, Error> {
        f.call(1).await
    }
    pub fn make(&self, n: i64) -> RpcFn<fn(i64) -> i64> {
        RpcFn::new(move |x: i64| x + n)
    }
    pub fn hooks(&self) -> Hooks {
        Hooks { on_start: None, adder: RpcFn::new(|a: i64, b: i64| a + b) }
    }
}

fn double(n: i64) -> i64 {
    n * 2
}

async fn caller(api: ApiStub) -> Result<(), Error> {
    let mut count = 0;
    let f = move |n: i64| {
        count += n;
        count
    };
    Promise::detach(api.each(f));
    Promise::detach(api.each(double));
    Promise::detach(api.each(|n| n + 1));
    Promise::detach(api.each(api.make(3)));
    Promise::detach(api.each(RpcFn::new_async(async |n: i64| n)));
    let three: i64 = api.make(1).call(2).await?;
    let sum: i64 = api.hooks().adder().call(three, 4).await?;
    let _ = sum;
    Ok(())
}

fn main() {
    let _ = caller;
}
