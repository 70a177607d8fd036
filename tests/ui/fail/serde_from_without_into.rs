use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
#[serde(from = "u8")]
pub struct OneWay(u8);

impl From<u8> for OneWay {
    fn from(n: u8) -> Self {
        Self(n)
    }
}

#[derive(Clone, Serialize, Deserialize, RpcValue)]
#[serde(from = "u8", into = "u16")]
pub struct TwoTypes(u8);

impl From<u8> for TwoTypes {
    fn from(n: u8) -> Self {
        Self(n)
    }
}

impl From<TwoTypes> for u16 {
    fn from(n: TwoTypes) -> Self {
        n.0.into()
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct TwoNames {
    #[serde(rename(serialize = "a", deserialize = "b"))]
    pub c: u8,
}

fn main() {}
