//! Public fields of these names have accessors that are the user's own.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Names {
    pub clone: i64,
    pub map: i64,
    pub r#type: i64,
    pub drop: i64,
    pub deref: i64,
    pub eq: i64,
    pub handle: i64,
    pub await_: i64,
    pub detach: i64,
}

pub struct Source;

#[rpc_target]
impl Source {
    pub fn names(&self) -> Option<Names> {
        None
    }
}

async fn caller(source: SourceStub) -> Result<i64, Error> {
    let n = source.names();
    let a: i64 = n.clone().await? + n.map().await? + n.r#type().await? + n.drop().await? + n.deref().await?;
    Ok(a + n.eq().await? + n.handle().await? + n.await_().await? + n.detach().await?)
}

fn main() {
    let _ = caller;
}
