//! `&T` and `Option<&T>` are lent by the callee from what came over the wire.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, RpcValue)]
pub struct Query {
    pub text: String,
}

pub struct Index;

#[rpc_target]
impl Index {
    pub fn by_text(&self, text: &str, note: Option<&str>) -> usize {
        text.len() + note.map_or(0, str::len)
    }
    pub async fn by_query(&self, query: &Query, ids: &[u64], previous: Option<&Query>) -> usize {
        query.text.len() + ids.len() + previous.map_or(0, |query| query.text.len())
    }
    pub async fn with(&self, stub: &IndexStub) -> Result<usize, Error> {
        stub.by_text("", None).await
    }
}

async fn caller(index: IndexStub, query: Query) -> Result<(), Box<dyn std::error::Error>> {
    index.by_text("x", "y").await?;
    index.by_text(String::new(), None).await?;
    index.by_query(&query, [1, 2], None).await?;
    index.by_query(query.clone(), vec![1], query).await?;
    index.with(&index).await?;
    Ok(())
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        caller(Index.into_stub(), Query { text: "abc".to_owned() }).await.unwrap();
        assert_eq!(Index.into_stub().by_text("ab", "c").await.unwrap(), 3);
    });
}
