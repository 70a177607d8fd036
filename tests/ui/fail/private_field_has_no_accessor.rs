use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Company {
    pub name: String,
    row_id: u64,
    pub(crate) note: String,
}

fn caller(company: Promise<Company>) {
    company.row_id();
    company.note();
    company.nope();
}

fn main() {}
