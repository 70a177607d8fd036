use farcall::prelude::*;

pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
    fn audit(&self) {}
    pub(crate) fn inspect(&self) {}
    #[rpc(skip)]
    pub fn hidden(&self) {}
}

fn caller(counter: CounterStub) {
    counter.audit();
    counter.inspect();
    counter.hidden();
}

fn main() {}
