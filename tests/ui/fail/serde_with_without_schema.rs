use farcall::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Key {
    #[serde(with = "hex")]
    pub bytes: u8,
    #[rpc(schema = "String")]
    pub name: String,
}

mod hex {
    use super::*;

    pub fn serialize<S: Serializer>(n: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        n.serialize(serializer)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        u8::deserialize(deserializer)
    }
}

fn main() {}
