//! Contracts: traits whose implementors are targets, extended and generic ones, and generic targets.

use std::collections::HashMap;

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open};

mod contract {
    use farcall::prelude::*;

    #[rpc_target]
    pub trait Counter {
        async fn increment(&mut self, amount: i64) -> i64;
        #[rpc(get)]
        fn value(&self) -> i64;
        /// Written in terms of the others.
        async fn twice(&mut self, amount: i64) -> i64 {
            self.increment(amount).await;
            self.increment(amount).await
        }
    }

    #[rpc_target]
    pub trait Admin: Counter {
        fn reset(&mut self, to: i64) -> i64;
    }

    #[rpc_target]
    pub trait Store<K: RpcValue, V: RpcValue> {
        fn put(&mut self, key: K, value: V) -> Option<V>;
        fn get(&self, key: K) -> Option<V>;
    }
}

use contract::{AdminStub, CounterStub, StoreStub};

/// Counts up.
#[derive(Default)]
pub struct Up(i64);

#[rpc_target]
impl contract::Counter for Up {
    async fn increment(&mut self, amount: i64) -> i64 {
        tokio::task::yield_now().await;
        self.0 += amount;
        self.0
    }

    fn value(&self) -> i64 {
        self.0
    }
}

/// Counts down, and can be reset.
#[derive(Default)]
pub struct Down(i64);

#[rpc_target(secondary)]
impl contract::Counter for Down {
    async fn increment(&mut self, amount: i64) -> i64 {
        self.0 -= amount;
        self.0
    }

    fn value(&self) -> i64 {
        self.0
    }
}

#[rpc_target]
impl contract::Admin for Down {
    fn reset(&mut self, to: i64) -> i64 {
        std::mem::replace(&mut self.0, to)
    }
}

/// Has what the contract has, and is no implementation of it.
#[derive(Default)]
pub struct Inherent(i64);

#[rpc_target]
impl Inherent {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.0 += amount;
        self.0
    }

    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.0
    }

    pub fn twice(&mut self, amount: i64) -> i64 {
        self.increment(2 * amount)
    }
}

pub struct Registry;

#[rpc_target]
impl Registry {
    pub fn down(&self) -> Down {
        Down(0)
    }

    pub fn any(&self, up: bool) -> CounterStub {
        if up { Up(0).into_stub() } else { Down(0).into_stub() }
    }

    pub async fn drive(&self, counter: CounterStub) -> Result<i64, Error> {
        counter.increment(4).await
    }

    pub fn memory(&self) -> Memory<String, Vec<u8>> {
        Memory(HashMap::new())
    }

    pub fn slot(&self) -> Slot<String> {
        Slot { held: "first".to_owned(), earlier: None }
    }
}

pub struct Memory<K, V>(HashMap<K, V>);

#[rpc_target]
impl<K, V> contract::Store<K, V> for Memory<K, V>
where
    K: RpcValue + Eq + std::hash::Hash,
    V: RpcValue + Clone,
{
    fn put(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    fn get(&self, key: K) -> Option<V> {
        self.0.get(&key).cloned()
    }
}

/// A generic value that holds itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Version<T> {
    pub value: T,
    pub before: Option<Box<Self>>,
}

/// A generic target.
pub struct Slot<T> {
    held: T,
    earlier: Option<Box<Version<T>>>,
}

#[rpc_target]
impl<T: RpcValue + Clone> Slot<T> {
    pub fn swap(&mut self, value: T) -> Version<T> {
        let old = std::mem::replace(&mut self.held, value);
        let version = Version { value: old, before: self.earlier.take() };
        self.earlier = Some(Box::new(version.clone()));
        version
    }

    pub fn twin(&self) -> Self {
        Self { held: self.held.clone(), earlier: None }
    }
}

behaviours! {
    async fn r77_methods_of_a_super_contract_are_callable(transport: Transport) {
        let (stub, _link) = open(transport, Registry).await;
        let admin: AdminStub = stub.down().await.unwrap();
        assert_eq!(admin.increment(3).await.unwrap(), -3);
        assert_eq!(admin.value().await.unwrap(), -3);
        assert_eq!(admin.reset(10).await.unwrap(), -3);
        assert_eq!(admin.twice(1).await.unwrap(), 8);
        assert_eq!(stub.down().increment(5).await.unwrap(), -5, "also while it is a promise");
        assert_eq!(stub.drive(&admin).await.unwrap(), 4, "it goes where a counter is due");
        assert_eq!(stub.drive(admin).await.unwrap(), 0);
    }

    async fn one_contract_has_many_implementations(transport: Transport) {
        let (stub, _link) = open(transport, Registry).await;
        let (up, down) = (stub.any(true).await.unwrap(), stub.any(false).await.unwrap());
        assert_eq!(up.increment(2).await.unwrap(), 2);
        assert_eq!(down.increment(2).await.unwrap(), -2);
        assert_eq!(up.twice(2).await.unwrap(), 6, "a provided method runs at the callee");
        assert_eq!(down.value().await.unwrap(), -2);
        assert_eq!(stub.drive(Up(1)).await.unwrap(), 5);
        assert_eq!(stub.drive(Down(1)).await.unwrap(), -3);
    }

    async fn generic_contracts_and_targets_keep_their_types(transport: Transport) {
        let (stub, _link) = open(transport, Registry).await;
        let store: StoreStub<String, Vec<u8>> = stub.memory().await.unwrap();
        assert_eq!(store.put("a", vec![1]).await.unwrap(), None);
        assert_eq!(store.put("a", vec![2, 3]).await.unwrap(), Some(vec![1]));
        assert_eq!(store.get("a").await.unwrap(), Some(vec![2, 3]));
        let slot = stub.slot().await.unwrap();
        let first = slot.swap("second").await.unwrap();
        assert_eq!(first, Version { value: "first".to_owned(), before: None });
        let second = slot.swap("third").await.unwrap();
        assert_eq!(second, Version { value: "second".to_owned(), before: Some(Box::new(first)) });
        let twin: SlotStub<String> = slot.twin().await.unwrap();
        assert_eq!(twin.swap("x").await.unwrap(), Version { value: "third".to_owned(), before: None });
        let value: String = stub.slot().swap("x").value().await.unwrap();
        assert_eq!(value, "first");
    }
}

behaviours! { wire
    async fn a_contract_and_an_equal_impl_block_are_one_on_the_wire(transport: Transport) {
        let (stub, link) = open(transport, Inherent(0)).await;
        assert_eq!(stub.increment(1).await.unwrap(), 1);
        let counter: CounterStub = farcall::main_stub(link.client.as_ref().unwrap());
        assert_eq!(counter.increment(2).await.unwrap(), 3);
        assert_eq!(counter.twice(2).await.unwrap(), 7);
        assert_eq!(counter.value().await.unwrap(), 7);
    }
}
