use farcall::prelude::*;
use std::rc::Rc;

pub struct Counter {
    value: Rc<i64>,
}

#[rpc_target]
impl Counter {
    pub fn value(&mut self) -> i64 {
        *self.value
    }
}

fn main() {}
