use farcall::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(RpcValue)]
pub struct Order {
    pub id: u64,
    pub total: Promise<u64>,
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        unimplemented!()
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        unimplemented!()
    }
}

fn main() {}
