//! A target with `#[rpc(call)]` is a function with properties of its own.
use farcall::prelude::*;

pub struct Adder {
    base: i64,
}

#[rpc_target]
impl Adder {
    #[rpc(call)]
    pub fn run(&self, a: i64, b: i64) -> i64 {
        self.base + a + b
    }
    #[rpc(get)]
    pub fn base(&self) -> i64 {
        self.base
    }
}

pub struct Api;

#[rpc_target]
impl Api {
    pub async fn apply(&self, f: RpcFn<fn(i64, i64) -> i64>) -> Result<i64, Error> {
        f.call(1, 2).await
    }
    pub fn adder(&self) -> Adder {
        Adder { base: 0 }
    }
}

async fn caller(api: ApiStub, adder: AdderStub) -> Result<(), Box<dyn std::error::Error>> {
    adder.call(1, 2).await?;
    api.adder().call(1, 2).await?;
    api.adder().base().await?;
    api.apply(&adder).await?;
    api.apply(adder).await?;
    api.apply(Adder { base: 1 }).await?;
    api.apply(|a: i64, b: i64| a * b).await?;
    Ok(())
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let api = Api.into_stub();
        caller(api.clone(), Adder { base: 5 }.into_stub()).await.unwrap();
        assert_eq!(api.apply(Adder { base: 5 }).await.unwrap(), 8);
        assert_eq!(api.apply(|a: i64, b: i64| a * b).await.unwrap(), 2);
    });
}
