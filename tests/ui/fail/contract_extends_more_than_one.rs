use farcall::prelude::*;

#[rpc_target]
pub trait Counter {
    fn value(&self) -> i64;
}

#[rpc_target]
pub trait Audit {
    fn entries(&self) -> u8;
}

#[rpc_target]
pub trait Admin: Counter + Audit {
    fn close(&self);
}

#[rpc_target(extends = "Missing")]
pub trait Root: Counter + Audit {
    fn halt(&self);
}

fn main() {}
