//! One type under two contracts and with an `impl` of its own: one of them says what it is when returned by value.
use farcall::prelude::*;

#[rpc_target]
pub trait Counter {
    async fn increment(&self, amount: i64) -> i64;
}

#[rpc_target]
pub trait Audit {
    fn entries(&self) -> Vec<String>;
}

pub struct Both;

#[rpc_target]
impl Counter for Both {
    async fn increment(&self, amount: i64) -> i64 {
        amount
    }
}

#[rpc_target(secondary)]
impl Audit for Both {
    fn entries(&self) -> Vec<String> {
        Vec::new()
    }
}

pub struct Api;

#[rpc_target]
impl Api {
    pub fn counter(&self) -> Both {
        Both
    }
    pub fn audit(&self) -> AuditStub {
        Both.into_stub()
    }
    pub fn take(&self, counter: CounterStub, audit: AuditStub) {
        drop((counter, audit));
    }
}

async fn caller(api: ApiStub) -> Result<(), Error> {
    api.counter().increment(1).await?;
    api.audit().entries().await?;
    api.take(Both, Both).await?;
    Ok(())
}

fn main() {
    let _ = caller;
}
