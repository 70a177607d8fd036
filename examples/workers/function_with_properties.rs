//! A function that has properties of its own.

use std::sync::Arc;

use farcall::prelude::*;

use super::Outcome;

pub struct Adder {
    amount: i64,
}

#[rpc_target]
impl Adder {
    /// What calling the function does.
    #[rpc(call)]
    pub fn add(&self, n: i64) -> i64 {
        n + self.amount
    }

    #[rpc(get)]
    pub fn amount(&self) -> i64 {
        self.amount
    }
}

pub struct Arithmetic;

#[entrypoint]
impl Arithmetic {
    pub fn adder(&self) -> Adder {
        Adder { amount: 123 }
    }
}

#[derive(Env)]
pub struct Bindings {
    arithmetic: Service<ArithmeticStub>,
}

pub struct Pupil {
    env: Arc<Bindings>,
}

#[entrypoint]
impl Pupil {
    fn new(env: Arc<Bindings>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn learn(&self) -> Result<Vec<i64>, Error> {
        let adder = self.env.arithmetic.adder().await?;
        Ok(vec![adder.call(1).await?, adder.amount().await?])
    }
}

const PUPIL: &str = r#"
name = "pupil"
services = [{ binding = "ARITHMETIC", service = "arithmetic" }]
"#;

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("arithmetic.toml", "name = 'arithmetic'"), ("pupil.toml", PUPIL)])?;
    let host = host.worker_of::<Arithmetic>("arithmetic").worker_of::<Pupil>("pupil").start().await?;
    Ok(vec![format!("{:?}", host.service::<PupilStub>("pupil").learn().await?)])
}
