//! Public fields have accessors on promises, through `Option` and `Box`; all fields travel.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

pub struct Mailbox;

#[rpc_target]
impl Mailbox {
    pub async fn send(&self, text: &str) -> usize {
        text.len()
    }
}

/// Debug and Clone may be derived by who holds stubs.
#[derive(Clone, Debug, Serialize, Deserialize, RpcValue)]
pub struct Company {
    pub name: String,
    pub mailbox: MailboxStub,
    pub parent: Option<Box<Self>>,
    pub ceo: Option<Person>,
    row_id: u64,
    pub(crate) _note: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, RpcValue)]
pub struct Person {
    pub name: (String, String),
}

pub struct Directory;

#[rpc_target]
impl Directory {
    pub async fn by_name(&self, name: &str) -> Option<Company> {
        let company = |company: Company| company.row_id > 0;
        let _ = (name, company);
        None
    }
}

async fn caller(directory: DirectoryStub) -> Result<(), Error> {
    directory.by_name("acme").mailbox().send("hi").await?;
    directory.by_name("acme").parent().parent().mailbox().send("hi").await?;
    let first: String = directory.by_name("acme").ceo().name()._0().await?;
    drop(first);
    Ok(())
}

fn main() {
    let _ = caller;
}
