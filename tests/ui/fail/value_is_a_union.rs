use farcall::prelude::*;

#[derive(RpcValue)]
pub union Bits {
    pub float: f32,
    pub int: u32,
}

fn main() {}
