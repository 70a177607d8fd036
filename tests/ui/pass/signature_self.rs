//! `Self` in a signature is the target, not the stub.
use farcall::prelude::*;

pub struct Node {
    children: Vec<String>,
}

impl Node {
    const LIMIT: usize = 2;
}

#[rpc_target]
impl Node {
    pub fn child(&self) -> Self {
        Node { children: Vec::new() }
    }
    pub fn pair(&self) -> Option<(Self, Self)> {
        None
    }
    pub fn first(&self) -> [u8; Self::LIMIT] {
        [self.children.len() as u8; Self::LIMIT]
    }
}

async fn caller(node: NodeStub) -> Result<(), Error> {
    let child: NodeStub = node.child().child().await?;
    let pair: Option<(NodeStub, NodeStub)> = child.pair().await?;
    drop(pair);
    Ok(())
}

fn main() {
    let _ = caller;
}
