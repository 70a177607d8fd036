//! A generic contract, implemented for fixed and for free arguments.
use farcall::prelude::*;
use std::collections::HashMap;

mod api {
    use farcall::prelude::*;

    #[rpc_target]
    pub trait Store<K, V>
    where
        K: RpcValue,
        V: RpcValue,
    {
        async fn get(&self, key: K) -> Option<V>;
        async fn keys(&self) -> Vec<K>;
    }

    #[rpc_target]
    pub trait Admin<K: RpcValue>: Store<K, u64> + Send + std::fmt::Debug {
        async fn compact(&self, keys: Vec<K>) -> u64;
    }
}

#[derive(Debug)]
pub struct Fixed;

#[rpc_target]
impl api::Store<String, String> for Fixed {
    async fn get(&self, key: String) -> Option<String> {
        Some(key)
    }
    async fn keys(&self) -> Vec<String> {
        Vec::new()
    }
}

#[derive(Debug)]
pub struct Free<K, X>(HashMap<K, u64>, X);

#[rpc_target(secondary)]
impl<K, X> api::Store<K, u64> for Free<K, X>
where
    K: RpcValue + Sync + std::hash::Hash + Eq + Clone,
    X: Send + Sync + 'static,
{
    async fn get(&self, key: K) -> Option<u64> {
        self.0.get(&key).copied()
    }
    async fn keys(&self) -> Vec<K> {
        self.0.keys().cloned().collect()
    }
}

#[rpc_target]
impl<K, X> api::Admin<K> for Free<K, X>
where
    K: RpcValue + Sync + std::hash::Hash + Eq + Clone + std::fmt::Debug,
    X: Send + Sync + std::fmt::Debug + 'static,
{
    async fn compact(&self, keys: Vec<K>) -> u64 {
        keys.len() as u64
    }
}

async fn caller(fixed: api::StoreStub<String, String>, free: api::AdminStub<u8>) -> Result<(), Error> {
    let text: Option<String> = fixed.get("a").await?;
    let number: Option<u64> = free.get(1).await?;
    let count: u64 = free.compact(free.keys()).await?;
    drop((text, number, count));
    Ok(())
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let free = Free(HashMap::from([(1, 10)]), ());
        caller(Fixed.into_stub(), free.into_stub()).await.unwrap();
    });
    let _: fn(Fixed) -> api::StoreStub<String, String> = Fixed::into_stub;
    let _: fn(Free<u8, ()>) -> api::AdminStub<u8> = Free::into_stub;
}
