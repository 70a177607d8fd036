//! `r#type` is `type` on the wire and `r#type` in Rust.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

pub struct Thing;

#[rpc_target]
impl Thing {
    pub fn r#type(&self, r#in: i64) -> i64 {
        r#in
    }
    pub async fn r#await(&self) -> Item {
        Item { r#type: 1, r#match: String::new() }
    }
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Item {
    pub r#type: u8,
    pub r#match: String,
}

async fn caller(thing: ThingStub) -> Result<(), Error> {
    thing.r#type(1).await?;
    let kind: u8 = thing.r#await().r#type().await?;
    let _ = kind;
    thing.r#await().r#match().await?;
    Ok(())
}

fn main() {
    let _ = caller;
}
