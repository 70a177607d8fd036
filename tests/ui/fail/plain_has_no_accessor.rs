use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Row {
    pub name: String,
}

pub struct Table;

#[rpc_target]
impl Table {
    pub fn first(&self) -> Plain<Row> {
        Plain(Row { name: String::new() })
    }
}

fn caller(table: TableStub) {
    table.first().name();
    table.first()._0();
}

fn main() {}
