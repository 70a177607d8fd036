use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Outer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<u8>,
    pub b: u8,
}

fn main() {}
