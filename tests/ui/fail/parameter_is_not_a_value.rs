use farcall::prelude::*;
use std::rc::Rc;

pub struct NotAValue;
pub struct Counter;

#[rpc_target]
impl Counter {
    pub fn value(&self) -> i64 {
        0
    }
}

pub struct Api;

#[rpc_target]
impl Api {
    pub fn plain(&self, item: NotAValue) {
        drop(item);
    }
    pub fn local(&self, items: Vec<Rc<i64>>) {
        drop(items);
    }
}

fn main() {}
