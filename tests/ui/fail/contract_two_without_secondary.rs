use farcall::prelude::*;

#[rpc_target]
pub trait Counter {
    fn value(&self) -> i64;
}

#[rpc_target]
pub trait Audit {
    fn entries(&self) -> Vec<String>;
}

pub struct Both;

#[rpc_target]
impl Counter for Both {
    fn value(&self) -> i64 {
        0
    }
}

#[rpc_target]
impl Audit for Both {
    fn entries(&self) -> Vec<String> {
        Vec::new()
    }
}

fn main() {}
