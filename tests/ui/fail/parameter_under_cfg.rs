use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn add(&self, a: u8, #[cfg(any())] b: u8) -> u8 {
        a
    }
    #[cfg_attr(all(), rpc(rename = "other"))]
    pub fn conditional(&self) {}
}

fn main() {}
