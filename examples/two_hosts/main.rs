//! Two hosts, each a process with a configuration file of its own, and a binding between them.
//!
//! ```console
//! cargo run --features host --example two_hosts -- counter examples/two_hosts/counter.toml &
//! cargo run --features host --example two_hosts -- front examples/two_hosts/front.toml &
//! cargo run --features host --example two_hosts -- call tcp://127.0.0.1:7000 Ann
//! ```
//!
//! Both stop in peace on SIGTERM or Ctrl-C.
#![allow(missing_docs, reason = "an example")]

use std::sync::Arc;

use farcall::prelude::*;

// What the counters' host exposes.

#[derive(Env)]
pub struct CounterEnv {
    start: i64,
}

pub struct Counters {
    env: Arc<CounterEnv>,
}

pub struct Counter {
    value: i64,
}

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }
}

#[entrypoint]
impl Counters {
    fn new(env: Arc<CounterEnv>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub fn new_counter(&self) -> Counter {
        Counter { value: self.env.start }
    }
}

// What the front's host exposes, and what it may reach.

#[derive(Env)]
pub struct FrontEnv {
    greeting: String,
    counters: Service<CountersStub>,
}

pub struct Front {
    env: Arc<FrontEnv>,
    ctx: Ctx,
}

#[entrypoint]
impl Front {
    fn new(env: Arc<FrontEnv>, ctx: Ctx) -> Self {
        Self { env, ctx }
    }

    pub async fn greet(&self, name: String) -> Result<String, Error> {
        let number = self.env.counters.new_counter().increment(2).await?; // one round trip to the other host
        let to = name.clone();
        self.ctx.wait_until(async move { eprintln!("greeted {to}") }); // after the answer
        Ok(format!("{}{name}, you are number {number}", self.env.greeting))
    }
}

type Anything = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Anything> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["counter", file] => Host::from_file(file)?.worker::<Counters>().run().await?,
        ["front", file] => Host::from_file(file)?.worker::<Front>().run().await?,
        ["call", address, name] => {
            let front: Service<FrontStub> = Service::at("front", [address]);
            println!("{}", front.greet(name).await?);
        }
        _ => return Err("usage: two_hosts (counter FILE | front FILE | call ADDRESS NAME)".into()),
    }
    Ok(())
}
