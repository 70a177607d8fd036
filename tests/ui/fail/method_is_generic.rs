use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn one<T: ToString>(&self, item: T) -> String {
        item.to_string()
    }
    pub fn many<const N: usize>(&self, items: [u8; N]) -> u64 {
        items.len() as u64
    }
    pub fn named<'a>(&'a self, name: &'a str) -> u64 {
        name.len() as u64
    }
    pub fn bounded(&self) -> u64
    where
        Self: Sized,
    {
        0
    }
}

fn main() {}
