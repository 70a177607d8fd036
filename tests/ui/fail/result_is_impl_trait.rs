use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn list(&self) -> impl Iterator<Item = u8> {
        [1].into_iter()
    }
    pub fn forever(&self) -> ! {
        loop {}
    }
}

fn main() {}
