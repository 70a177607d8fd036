use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn each(&self, f: impl Fn(i64) -> i64) -> i64 {
        f(1)
    }
    pub fn name(&self, name: &impl ToString) -> String {
        name.to_string()
    }
}

fn main() {}
