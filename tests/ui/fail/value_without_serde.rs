use farcall::prelude::*;

#[derive(RpcValue)]
pub struct Plain {
    pub text: String,
}

fn main() {}
