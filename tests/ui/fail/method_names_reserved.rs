use farcall::prelude::*;

pub struct Names;

#[rpc_target]
impl Names {
    pub fn into(&self) -> i64 {
        0
    }
    pub fn try_into(&self) -> i64 {
        0
    }
    pub fn into_future(&self) -> i64 {
        0
    }
    pub fn into_stub(&self) -> i64 {
        0
    }
    #[rpc(rename = "into")]
    pub fn convert(&self) -> i64 {
        0
    }
}

fn main() {}
