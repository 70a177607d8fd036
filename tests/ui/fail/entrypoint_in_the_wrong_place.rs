//! An entrypoint is the `impl` of a type without parameters.

use farcall::prelude::*;

#[entrypoint]
pub trait Counter {
    fn value(&self) -> i64;
}

#[entrypoint]
pub struct Struct;

pub struct Generic<T>(T);

#[entrypoint]
impl<T: RpcValue + Sync> Generic<T> {
    pub fn value(&self) {}
}

fn main() {}
