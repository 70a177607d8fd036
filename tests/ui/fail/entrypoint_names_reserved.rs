//! `fetch`, `connect` and the names of events are no methods of an entrypoint.

use farcall::prelude::*;

pub struct Greeter;

#[entrypoint]
impl Greeter {
    pub fn fetch(&self) {}
    pub async fn connect(&self) {}
    pub fn scheduled(&self) {}
    #[rpc(rename = "webSocketClose")]
    pub fn closed(&self) {}
}

fn main() {}
