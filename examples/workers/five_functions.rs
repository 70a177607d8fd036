//! Five functions in a value are five capabilities, an object with five methods is one.

use std::time::Duration;

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Outcome, line};

type Operation = RpcFn<fn(i64) -> i64>;

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Operations {
    pub double: Operation,
    pub triple: Operation,
    pub halve: Operation,
    pub negate: Operation,
    pub square: Operation,
}

pub struct Operator;

#[rpc_target]
impl Operator {
    pub fn double(&self, n: i64) -> i64 {
        2 * n
    }

    pub fn triple(&self, n: i64) -> i64 {
        3 * n
    }

    pub fn halve(&self, n: i64) -> i64 {
        n / 2
    }

    pub fn negate(&self, n: i64) -> i64 {
        -n
    }

    pub fn square(&self, n: i64) -> i64 {
        n * n
    }
}

pub struct Arithmetic;

#[entrypoint]
impl Arithmetic {
    pub fn functions(&self) -> Operations {
        Operations {
            double: RpcFn::new(|n: i64| 2 * n),
            triple: RpcFn::new(|n: i64| 3 * n),
            halve: RpcFn::new(|n: i64| n / 2),
            negate: RpcFn::new(|n: i64| -n),
            square: RpcFn::new(|n: i64| n * n),
        }
    }

    pub fn object(&self) -> Operator {
        Operator
    }
}

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("arithmetic.toml", "name = 'arithmetic'")])?;
    let host = host.worker::<Arithmetic>().start().await?;
    let (arithmetic, served, _) = line::connect::<ArithmeticStub>(&host, "arithmetic", Duration::ZERO);
    let held = || served.snapshot().exports.iter().map(|held| held.count).sum::<usize>();
    let functions = arithmetic.functions().await?;
    let first =
        format!("{} is 4 doubled, and {} capabilities are held", functions.double.call(4).await?, held());
    drop(functions);
    while held() > 0 {
        tokio::task::yield_now().await;
    }
    let object = arithmetic.object().await?;
    let second = format!("{} is 4 squared, and {} capability is held", object.square(4).await?, held());
    Ok(vec![first, second])
}
