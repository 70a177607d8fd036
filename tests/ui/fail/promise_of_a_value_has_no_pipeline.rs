use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn number(&self) -> i64 {
        0
    }
    pub fn name(&self) -> Option<String> {
        None
    }
}

fn caller(api: ApiStub) {
    api.number().abs();
    api.name().len();
    api.name().unwrap();
}

fn main() {}
