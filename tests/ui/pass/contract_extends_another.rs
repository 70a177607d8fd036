//! `trait Admin: Counter`: its stub has the methods of both, and goes where the other is due.
use farcall::prelude::*;

mod papi {
    use farcall::prelude::*;

    #[rpc_target]
    pub trait Counter {
        async fn increment(&mut self, amount: i64) -> i64;
    }
}

use papi::Counter;

#[rpc_target]
pub trait Admin: Counter {
    fn clear(&mut self);
    fn spawn(&mut self) -> AdminStub;
}

pub trait Describe {
    fn describe(&self) -> String;
}

#[rpc_target(extends = "Admin")]
pub trait Root: Describe + Admin {
    async fn halt(&mut self);
}

#[rpc_target(extends = "")]
pub trait Plain: Describe {
    fn plain(&self) -> u8;
}

pub struct Boss(i64);

#[rpc_target(secondary)]
impl Counter for Boss {
    async fn increment(&mut self, amount: i64) -> i64 {
        self.0 += amount;
        self.0
    }
}

#[rpc_target]
impl Admin for Boss {
    fn clear(&mut self) {
        self.0 = 0;
    }
    fn spawn(&mut self) -> AdminStub {
        Boss(0).into_stub()
    }
}

impl Describe for Boss {
    fn describe(&self) -> String {
        String::new()
    }
}

#[rpc_target(secondary)]
impl Root for Boss {
    async fn halt(&mut self) {}
}

#[rpc_target(secondary)]
impl Plain for Boss {
    fn plain(&self) -> u8 {
        1
    }
}

pub struct Api;

#[rpc_target]
impl Api {
    pub fn take(&self, counter: papi::CounterStub) {
        drop(counter);
    }
    pub fn boss(&self) -> Boss {
        Boss(1)
    }
}

async fn caller(api: ApiStub, admin: AdminStub, root: RootStub) -> Result<(), Error> {
    let n: i64 = admin.increment(1).await? + api.boss().increment(2).await? + admin.spawn().increment(1).await?;
    root.halt().await?;
    root.clear().await?;
    root.increment(n).await?;
    api.take(&admin).await?;
    api.take(admin).await?;
    api.take(Boss(1)).await?;
    let boss: AdminStub = api.boss().await?;
    boss.clear().await?;
    Ok(())
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        caller(Api.into_stub(), Boss(0).into_stub(), Boss(0).into_stub()).await.unwrap();
        let root: RootStub = Boss(1).into_stub();
        assert_eq!(root.increment(2).await.unwrap(), 3);
        root.clear().await.unwrap();
        assert_eq!(root.increment(2).await.unwrap(), 2);
    });
}
