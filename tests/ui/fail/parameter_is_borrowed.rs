use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn exclusive(&self, name: &mut String) {
        name.clear();
    }
    pub fn within(&self, names: Vec<&str>, pair: (&str, u8)) {
        drop((names, pair));
    }
    pub fn named(&self, name: &'static str) -> usize {
        name.len()
    }
    pub fn twice(&self, name: &&str) -> usize {
        name.len()
    }
}

fn main() {}
