use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Inner {
    pub text: String,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Outer {
    pub inner: Inner,
    pub more: Vec<Option<Inner>>,
}

fn main() {}
