//! Without `new` a host can only make a unit struct.

use farcall::prelude::*;

pub struct Counter {
    pub value: i64,
}

#[entrypoint]
impl Counter {
    pub fn value(&self) -> i64 {
        self.value
    }
}

fn main() {}
