use farcall::prelude::*;

pub trait Describe {
    fn describe(&self) -> String;
}

#[rpc_target]
pub trait Shape: Describe {
    fn area(&self) -> f64;
}

fn main() {}
