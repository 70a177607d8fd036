//! A method of a stub is a function where its types are those of the function, whatever the stub and its methods are called.
use farcall::prelude::*;

pub struct Counter(i64);

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.0 += amount;
        self.0
    }

    pub fn bind(&self, label: String, other: Option<CounterStub>) -> Result<CounterStub, Fault> {
        let _ = label;
        other.ok_or_else(|| Fault::new("none"))
    }

    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.0
    }
}

#[rpc_target]
pub trait Named {
    async fn name(&self, prefix: String) -> String;
}

pub struct Generic<T>(T);

#[rpc_target]
impl<T: RpcValue + Clone + Sync> Generic<T> {
    pub fn get(&self, default: Vec<T>) -> T {
        default.into_iter().next().unwrap_or(self.0.clone())
    }
}

pub struct Service;

#[rpc_target]
impl Service {
    pub fn each(&self, function: RpcFn<fn(i64) -> i64>) {
        let _ = function;
    }

    pub fn maybe(&self, function: Option<RpcFn<fn() -> i64>>) {
        let _ = function;
    }
}

fn bound(counter: &CounterStub, named: &NamedStub, generic: &GenericStub<u8>, service: &ServiceStub) {
    let _: RpcFn<fn(i64) -> i64> = RpcFn::bind(counter, CounterStub::increment);
    let _ = RpcFn::<fn() -> i64>::bind(counter, CounterStub::value);
    let _: RpcFn<fn(String, Option<CounterStub>) -> Result<CounterStub, Fault>> = RpcFn::bind(counter, CounterStub::bind);
    let _: RpcFn<fn(String) -> String> = RpcFn::bind(named, NamedStub::name);
    let _: RpcFn<fn(Vec<u8>) -> u8> = RpcFn::bind(generic, GenericStub::get);
    // Where a function is due, its signature is known.
    Promise::detach(service.each(RpcFn::bind(counter, CounterStub::increment)));
    Promise::detach(service.maybe(RpcFn::bind(counter, CounterStub::value)));
}

fn main() {
    let _ = bound;
}
