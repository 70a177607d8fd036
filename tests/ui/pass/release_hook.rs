#![deny(warnings)]
#![forbid(unsafe_code)]

use farcall::prelude::*;

pub struct Session {
    log: Vec<String>,
}

#[rpc_target]
impl Session {
    pub fn write(&mut self, line: String) {
        self.log.push(line);
    }

    /// Private, and not on the stub.
    #[rpc(on_release)]
    async fn close(&mut self) {
        self.log.clear();
    }
}

pub struct Guard<T: RpcValue + Sync>(T);

#[rpc_target]
impl<T: RpcValue + Sync> Guard<T> {
    pub fn ping(&self) {}

    #[cfg(any())]
    #[rpc(on_release)]
    fn never(&self) {}

    #[cfg(not(any()))]
    #[rpc(on_release)]
    fn gone(&self) {
        let _ = &self.0;
    }
}

#[rpc_target]
pub trait Store {
    fn get(&self, key: String) -> Option<String>;

    /// Implementors need not have one.
    #[rpc(on_release)]
    async fn flush(&mut self) {}
}

pub struct Empty;

#[rpc_target]
impl Store for Empty {
    fn get(&self, _key: String) -> Option<String> {
        None
    }
}

pub struct Full(u32);

#[rpc_target]
impl Store for Full {
    fn get(&self, key: String) -> Option<String> {
        Some(key)
    }

    async fn flush(&mut self) {
        self.0 = 0;
    }
}

fn main() {
    let _: SessionStub = Session { log: Vec::new() }.into_stub();
    let _: GuardStub<u32> = Guard(1).into_stub();
    let _: (StoreStub, StoreStub) = (Empty.into_stub(), Full(1).into_stub());
}
