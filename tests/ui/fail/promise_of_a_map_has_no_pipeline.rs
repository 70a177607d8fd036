use farcall::prelude::*;
use std::collections::{BTreeSet, HashMap};

pub struct Session;

#[rpc_target]
impl Session {
    pub fn whoami(&self) -> String {
        String::new()
    }
}

fn caller(map: Promise<HashMap<String, SessionStub>>, set: Promise<BTreeSet<u8>>, list: Promise<Vec<SessionStub>>) {
    map.get("ann").whoami();
    map["ann"].whoami();
    set.contains(&1);
    list[0].whoami();
    list.first().whoami();
}

fn main() {}
