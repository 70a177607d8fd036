//! Calls on what is not here yet: a chain costs one round trip, however long it is.

use std::time::Duration;

use farcall::prelude::*;

use super::{Outcome, line};

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
}

pub struct Counters;

#[entrypoint]
impl Counters {
    pub fn new_counter(&self) -> Counter {
        Counter::default()
    }
}

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("counters.toml", "name = 'counters'")])?;
    let host = host.worker::<Counters>().start().await?;
    let delay = Duration::from_millis(50); // each way
    let (counters, _, line) = line::connect::<CountersStub>(&host, "counters", delay);

    let before = line.read();
    let chained = counters.new_counter().increment(2).await?;
    let chain = line.since(before).round_trips;

    let before = line.read();
    let counter = counters.new_counter().await?;
    let awaited = counter.increment(2).await?;
    let stepwise = line.since(before).round_trips;
    Ok(vec![
        format!("{chained}, in {chain} round trip"),
        format!("{awaited}, in {stepwise} round trips when each is awaited"),
    ])
}
