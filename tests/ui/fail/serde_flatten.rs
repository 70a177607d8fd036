use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Inner {
    pub a: u8,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Outer {
    #[serde(flatten)]
    pub inner: Inner,
}

fn main() {}
