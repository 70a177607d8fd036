use farcall::prelude::*;

pub struct Store<T>(Vec<T>);

#[rpc_target]
impl Store<i64> {
    pub fn sum(&self) -> i64 {
        self.0.iter().sum()
    }
}

#[rpc_target]
impl Store<String> {
    pub fn joined(&self) -> String {
        self.0.concat()
    }
}

fn main() {}
