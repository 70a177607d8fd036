use farcall::prelude::*;

#[rpc_target(secondary)]
pub trait Counter {
    fn value(&self) -> i64;
}

pub struct Mine;

#[rpc_target(stub = "MineStub", extends = "Counter")]
impl Counter for Mine {
    #[rpc(get)]
    fn value(&self) -> i64 {
        0
    }
}

fn main() {}
