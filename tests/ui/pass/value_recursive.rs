//! Values that hold themselves, directly and through others.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Tree {
    pub label: String,
    pub children: Vec<Tree>,
    pub by_name: HashMap<String, Self>,
    pub owner: Option<Box<Owner>>,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Owner {
    pub trees: Vec<Tree>,
    pub kind: Kind,
}

#[derive(Serialize, Deserialize, RpcValue)]
pub enum Kind {
    Nobody,
    Somebody(Box<Owner>),
    Group { members: Vec<Owner>, parent: Option<Box<Kind>> },
}

#[derive(Serialize, Deserialize, RpcValue)]
pub struct List(pub Vec<List>);

pub struct Forest;

#[rpc_target]
impl Forest {
    pub fn tree(&self, like: Option<Tree>) -> Option<Tree> {
        like
    }
    pub fn list(&self) -> List {
        List(Vec::new())
    }
}

async fn caller(forest: ForestStub) -> Result<(), Error> {
    let kind: Kind = forest.tree(None).owner().kind().await?;
    drop(kind);
    forest.list().await?;
    Ok(())
}

fn main() {
    let _ = caller;
}
