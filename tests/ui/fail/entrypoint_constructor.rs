//! `new` takes the environment and the context, and gives an object.

use std::sync::Arc;

use farcall::prelude::*;

#[derive(Env)]
pub struct Env {}

pub struct TooFew;

#[entrypoint]
impl TooFew {
    fn new(_env: Arc<Env>) -> Self {
        Self
    }
}

pub struct Asynchronous;

#[entrypoint]
impl Asynchronous {
    async fn new(_env: Arc<Env>, _ctx: Ctx) -> Self {
        Self
    }
}

pub struct NotShared;

#[entrypoint]
impl NotShared {
    fn new(_env: Env, _ctx: Ctx) -> Self {
        Self
    }
}

pub struct NotAnEnv;

#[entrypoint]
impl NotAnEnv {
    fn new(_env: Arc<String>, _ctx: Ctx) -> Self {
        Self
    }
}

pub struct Elsewhere;

#[entrypoint]
impl Elsewhere {
    fn new(_env: Arc<Env>, _ctx: Ctx) -> Option<Self> {
        None
    }
}

fn main() {}
