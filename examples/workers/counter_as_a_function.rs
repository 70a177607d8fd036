//! A function as a result: it runs where it was made, each time on the state that it captured.

use std::sync::Arc;

use farcall::prelude::*;

use super::Outcome;

pub struct Counters;

#[entrypoint]
impl Counters {
    pub fn new_counter(&self) -> RpcFn<fn(Option<i64>) -> i64> {
        let mut value = 0;
        RpcFn::new(move |amount: Option<i64>| {
            value += amount.unwrap_or(1);
            value
        })
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
        for amount in [Some(2), None, Some(-5)] {
            values.push(counter.call(amount).await?);
        }
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
