//! An entrypoint with `new`, with one that can fail, without one, of a contract, and with names that are free.

use std::sync::Arc;

use farcall::prelude::*;

#[derive(Env)]
pub struct Env {
    pub greeting: String,
    pub other: Option<Service<UnitStub>>,
}

pub struct Greeter {
    env: Arc<Env>,
}

#[entrypoint]
impl Greeter {
    pub(crate) fn new(env: Arc<Env>, _: Ctx) -> Self {
        Self { env }
    }

    pub fn greet(&self, name: &str) -> String {
        format!("{}{name}", self.env.greeting)
    }

    // Private, or not on the stub: these names are taken of methods that callers see.
    fn fetch(&self) {}

    #[rpc(skip)]
    pub fn scheduled(&self) {}
}

pub struct Unit;

#[entrypoint(name = "Other", default)]
impl Unit {
    pub fn ping(&self) {}
}

pub struct Fallible;

type Made<T> = Result<T, String>;

#[entrypoint]
impl Fallible {
    fn new(_env: Arc<()>, _ctx: Ctx) -> Made<Self> {
        Ok(Self)
    }
}

#[rpc_target]
pub trait Adder {
    async fn add(&self, a: i64, b: i64) -> i64;
}

pub struct Offset(i64);

impl Offset {
    fn new(env: Arc<Env>, _: Ctx) -> Self {
        Self(env.greeting.len() as i64)
    }
}

#[entrypoint(env = Env)]
impl Adder for Offset {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b + self.0
    }
}

/// On an ordinary target the names are free.
pub struct Target;

#[rpc_target]
impl Target {
    pub fn fetch(&self) {}
    pub fn connect(&self) {}
    pub fn scheduled(&self) {}
}

fn main() {
    let env = Arc::new(Env { greeting: "Hello, ".to_owned(), other: None });
    assert!(env.other.is_none());
    let greeter = Greeter::new(Arc::clone(&env), Ctx::for_test());
    assert_eq!(greeter.greet("Ann"), "Hello, Ann");
    greeter.fetch();
    greeter.scheduled();
    assert_eq!(Offset::new(env, Ctx::for_test()).0, 7);
    Unit.ping();
    Target.fetch();
    fn worker<W: farcall::Worker>() {}
    worker::<(Greeter, Unit, Fallible, Offset)>();
    let _: Option<(GreeterStub, UnitStub, FallibleStub, AdderStub, TargetStub)> = None;
}
