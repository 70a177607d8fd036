use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(tag = "kind")]
pub enum Tagged {
    A { a: u8 },
}

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(tag = "kind", content = "value")]
pub enum Adjacent {
    A(u8),
}

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(untagged)]
pub enum Untagged {
    A(u8),
}

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Partly {
    A(u8),
    #[serde(untagged)]
    B(u8),
}

fn main() {}
