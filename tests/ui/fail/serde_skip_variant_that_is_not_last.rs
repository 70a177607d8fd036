use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Event {
    A,
    #[serde(skip)]
    B,
    C(u8),
    #[serde(skip)]
    D,
}

fn main() {}
