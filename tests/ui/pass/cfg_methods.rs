//! A method under a `cfg` that is off leaves nothing behind, wherever it stands among the others.
#![deny(warnings)]
use farcall::prelude::*;

pub struct Machine;

#[rpc_target]
impl Machine {
    #[cfg(any())]
    pub fn first(&mut self, gone: Gone) -> Gone {
        gone
    }
    pub fn second(&self) -> u8 {
        2
    }
    #[cfg(all())]
    pub async fn third(&self, n: u8) -> u8 {
        n
    }
    #[cfg_attr(all(), doc = "Documented on a condition.", must_use)]
    #[cfg_attr(any(), cfg(any()))]
    pub fn fourth(&self) -> u8 {
        4
    }
    #[cfg(any())]
    #[rpc(call)]
    pub fn run(&self, gone: Gone) -> Gone {
        gone
    }
    #[cfg(all())]
    pub fn either(&self) -> u8 {
        1
    }
    #[cfg(not(all()))]
    pub fn either(&self) -> u16 {
        2
    }
}

#[rpc_target]
pub trait Contract {
    #[cfg(any())]
    async fn first(&self, gone: Gone) -> Gone;
    async fn second(&self) -> u8;
}

pub struct Eight(u8);

#[rpc_target]
impl Contract for Eight {
    #[cfg(any())]
    async fn first(&self, gone: Gone) -> Gone {
        gone
    }
    async fn second(&self) -> u8 {
        self.0
    }
}

pub async fn caller(machine: MachineStub, contract: ContractStub) -> Result<u8, Error> {
    let either: u8 = machine.either().await?;
    Ok(machine.second().await? + machine.third(1).await? + machine.fourth().await? + contract.second().await? + either)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sum = caller(Machine.into_stub(), Eight(8).into_stub()).await.unwrap();
        assert_eq!(sum, 2 + 1 + 4 + 8 + 1);
    });
}
