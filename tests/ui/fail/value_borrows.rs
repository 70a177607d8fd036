use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Borrowed<'a> {
    #[serde(borrow)]
    pub text: &'a str,
}

fn main() {}
