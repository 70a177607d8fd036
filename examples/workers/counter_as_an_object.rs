//! An object as a result: the caller gets a stub, and the object lives as long as somebody has one.

use std::sync::Arc;

use farcall::prelude::*;

use super::Outcome;

#[derive(Default)]
pub struct Counter {
    value: i64,
}

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }

    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.value
    }
}

pub struct Counters;

#[entrypoint]
impl Counters {
    pub fn new_counter(&self) -> Counter {
        Counter::default()
    }
}

#[derive(Env)]
pub struct Bindings {
    counters: Service<CountersStub>,
}

pub struct User {
    env: Arc<Bindings>,
}

#[entrypoint]
impl User {
    fn new(env: Arc<Bindings>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn count(&self) -> Result<Vec<i64>, Error> {
        let counter = self.env.counters.new_counter().await?;
        let mut values = Vec::new();
        for amount in [2, 1, -5] {
            values.push(counter.increment(amount).await?);
        }
        values.push(counter.value().await?);
        Ok(values)
    }
}

const USER: &str = r#"
name = "user"
services = [{ binding = "COUNTERS", service = "counters" }]
"#;

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("counters.toml", "name = 'counters'"), ("user.toml", USER)])?;
    let host = host.worker_of::<Counters>("counters").worker_of::<User>("user").start().await?;
    Ok(vec![format!("{:?}", host.service::<UserStub>("user").count().await?)])
}
