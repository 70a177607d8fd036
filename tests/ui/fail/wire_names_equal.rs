use farcall::prelude::*;

pub struct Names;

#[rpc_target]
impl Names {
    pub fn add(&self) {}
    #[rpc(rename = "add")]
    pub fn append(&self) {}
    #[rpc(call)]
    pub fn run(&self) {}
    #[rpc(rename = "call")]
    pub fn start(&self) {}
}

fn main() {}
