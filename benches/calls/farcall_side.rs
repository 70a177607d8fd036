//! The side of farcall: the service and its callers, as a user would write them.

#![allow(unreachable_pub, reason = "`pub` is what exports a method")]

use farcall::prelude::*;
use farcall::{Bytes, Promise};

use crate::measure::{Plan, Sample, Stop, workers};
use crate::workload::Work;
use crate::{Outcome, check};

/// What is called.
pub struct Bench;

#[rpc_target]
impl Bench {
    pub fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    pub fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }

    pub fn counter(&self) -> Counter {
        Counter::default()
    }
}

/// An object with a state.
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

/// Serves on a port of the system's choice until the process ends.
pub(crate) async fn serve(announce: impl FnOnce(u16) -> Outcome<()>) -> Outcome<()> {
    let server = farcall::serve("tcp://127.0.0.1:0", Bench).await?;
    let uri = server.uri();
    let port = uri.rsplit(':').next().unwrap_or_default();
    announce(port.parse()?)?;
    Ok(server.await?)
}

/// Makes calls as planned.
pub(crate) async fn call(work: Work, plan: &Plan) -> Outcome<Sample> {
    match work {
        Work::Add { outstanding } => add(&connect(plan).await?, outstanding, plan).await,
        Work::Echo { length, outstanding } => echo(&connect(plan).await?, length, outstanding, plan).await,
        Work::Object { pipelined: true } => pipelined(&connect(plan).await?, plan).await,
        Work::Object { pipelined: false } => stepwise(&connect(plan).await?, plan).await,
        Work::InProcess => add(&Bench.into_stub(), 1, plan).await,
    }
}

async fn connect(plan: &Plan) -> Outcome<BenchStub> {
    Ok(farcall::connect(&format!("tcp://127.0.0.1:{}", plan.port()?)).await?)
}

async fn add(bench: &BenchStub, outstanding: usize, plan: &Plan) -> Outcome<Sample> {
    plan.measure(async |stop| workers(outstanding, |_| adder(bench.clone(), stop.clone())).await).await
}

async fn adder(bench: BenchStub, stop: Stop) -> Outcome<u64> {
    let mut calls = 0;
    while !stop.is_due() {
        let (a, b) = check::operands(calls);
        check::sum((a, b), bench.add(a, b).await?)?;
        calls += 1;
    }
    Ok(calls)
}

async fn echo(bench: &BenchStub, length: usize, outstanding: usize, plan: &Plan) -> Outcome<Sample> {
    let worker = |index, stop| echoer(bench.clone(), check::payload(index, length), stop);
    plan.measure(async |stop| workers(outstanding, |index| worker(index, stop.clone())).await).await
}

async fn echoer(bench: BenchStub, payload: Bytes, stop: Stop) -> Outcome<u64> {
    let mut calls = 0;
    while !stop.is_due() {
        check::echo(&payload, &bench.echo(payload.clone()).await?)?;
        calls += 1;
    }
    Ok(calls)
}

/// One object after the other, each call awaited before the next is made. In a task, as callers are.
async fn stepwise(bench: &BenchStub, plan: &Plan) -> Outcome<Sample> {
    plan.measure(async |stop| workers(1, |_| step_by_step(bench.clone(), stop.clone())).await).await
}

async fn step_by_step(bench: BenchStub, stop: Stop) -> Outcome<u64> {
    let mut objects = 0;
    while !stop.is_due() {
        let counter = bench.counter().await?;
        for (amount, value) in check::INCREMENTS {
            check::number(value, counter.increment(amount).await?)?;
        }
        objects += 1;
    }
    Ok(objects)
}

/// One object after the other, all four calls of an object made before any has been answered. In a task as well.
async fn pipelined(bench: &BenchStub, plan: &Plan) -> Outcome<Sample> {
    plan.measure(async |stop| workers(1, |_| all_at_once(bench.clone(), stop.clone())).await).await
}

async fn all_at_once(bench: BenchStub, stop: Stop) -> Outcome<u64> {
    let mut objects = 0;
    while !stop.is_due() {
        let counter = bench.counter();
        let answers: [Promise<i64>; 3] = check::INCREMENTS.map(|(amount, _)| counter.increment(amount));
        for (answer, (_, value)) in answers.into_iter().zip(check::INCREMENTS) {
            check::number(value, answer.await?)?;
        }
        objects += 1;
    }
    Ok(objects)
}
