//! Targets, contracts and values that a `macro_rules!` makes, with types and names from both sides.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

macro_rules! target {
    ($name:ident, $value:ident, $ty:ty, $method:ident ( $($param:ident : $param_ty:ty),* ) -> $ret:ty) => {
        pub struct $name {
            state: $ty,
        }

        #[rpc_target]
        impl $name {
            pub fn $method(&mut self, $($param: $param_ty,)* extra: i64, target: i64) -> $ret {
                let _ = (extra, target, &self.state, $(&$param),*);
                Default::default()
            }
            pub async fn state(&self, text: &str) -> $ty {
                let _ = text;
                self.state.clone()
            }
        }

        #[derive(Serialize, Deserialize, RpcValue)]
        pub struct $value {
            pub inner: $ty,
        }
    };
}

target!(Robot, Report, Vec<String>, run(target: i64, call: String) -> Option<u8>);

macro_rules! contract {
    ($name:ident for $ty:ty { $method:ident: $ret:ty }) => {
        #[rpc_target]
        pub trait $name {
            async fn $method(&self, n: $ret) -> $ret;
        }
        #[rpc_target]
        impl $name for $ty {
            async fn $method(&self, n: $ret) -> $ret {
                n
            }
        }
    };
}

pub struct Dog;
contract!(Pet for Dog { feed: u32 });

async fn caller(robot: RobotStub, pet: PetStub) -> Result<(), Error> {
    let ran: Option<u8> = robot.run(1, "a", 2, 3).await?;
    let state: Vec<String> = robot.state("x").await?;
    let fed: u32 = pet.feed(1).await?;
    drop((ran, state, fed));
    Ok(())
}

fn main() {
    let _ = caller;
    let _: fn(Dog) -> PetStub = Dog::into_stub;
}
