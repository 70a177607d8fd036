use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Outer {
    #[serde(skip_serializing, default)]
    pub a: u8,
    #[serde(skip_deserializing)]
    pub b: u8,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Either {
    A,
    #[serde(skip_deserializing)]
    B,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Newtype(#[serde(skip)] u8);

fn main() {}
