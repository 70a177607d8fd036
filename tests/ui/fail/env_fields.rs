//! What may not be in an environment.

use farcall::prelude::*;

pub struct Opaque;

#[derive(Env)]
pub struct Fields {
    opaque: Opaque,
}

#[derive(Env)]
pub struct Unnamed(String);

#[derive(Env)]
pub enum Choice {
    A,
}

#[derive(Env)]
pub struct Generic<T> {
    value: T,
}

#[derive(Env)]
pub struct Options {
    #[env(names = "x")]
    value: String,
}

fn main() {}
