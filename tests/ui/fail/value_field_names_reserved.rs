use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Names {
    pub into: u8,
    pub into_future: u8,
    try_into: u8,
}

fn main() {}
