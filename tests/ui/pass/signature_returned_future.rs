//! `fn f(&self) -> impl Future<Output = T>` is an async method that gives a `T`.
use farcall::prelude::*;
use std::future::Future;

pub struct Clock;

#[rpc_target]
impl Clock {
    pub fn now(&self, zone: String) -> impl Future<Output = u64> + Send {
        async move { zone.len() as u64 }
    }
}

async fn caller(clock: ClockStub) -> Result<u64, Error> {
    clock.now("UTC").await
}

fn main() {
    let _ = caller;
}
