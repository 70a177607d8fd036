//! `crate = path` for where farcall is known by another name.
mod vendor {
    pub use farcall as rpc;
}

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

pub struct Counter;

#[rpc_target(crate = crate::vendor::rpc)]
impl Counter {
    pub fn value(&self) -> Total {
        Total { sum: 0 }
    }
}

#[rpc_target(crate = "vendor::rpc")]
pub trait Shop {
    async fn buy(&self) -> Total;
}

#[rpc_target(crate = vendor::rpc, secondary)]
impl Shop for Counter {
    async fn buy(&self) -> Total {
        self.value()
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
#[rpc(crate = vendor::rpc)]
pub struct Total {
    pub sum: i64,
}

fn main() {}
