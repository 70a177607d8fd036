use farcall::prelude::*;

pub struct Counter;
pub struct Session;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

#[rpc_target]
impl Session {
    pub fn whoami(&self) -> String {
        String::new()
    }
}

fn caller(counter: CounterStub, promised: Promise<CounterStub>, adder: RpcFn<fn(i64) -> i64>) {
    let _session: SessionStub = counter;
    let _counter: CounterStub = promised;
    let _session: SessionStub = adder;
}

fn main() {}
