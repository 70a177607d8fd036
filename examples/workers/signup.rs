//! Work that goes on after the answer, and a method that only its own worker can call.

use std::sync::Arc;

use farcall::prelude::*;
use tokio::sync::mpsc;

use super::Outcome;

pub struct Accounts {
    ctx: Ctx,
}

impl Accounts {
    /// Not in the block of the entrypoint, nor `pub`: nobody outside can call it.
    async fn send_event(email: String, log: RpcFn<fn(String)>) -> Result<(), Error> {
        log.call(format!("event: {email} has signed up")).await
    }
}

#[entrypoint]
impl Accounts {
    fn new(_env: Arc<()>, ctx: Ctx) -> Self {
        Self { ctx }
    }

    pub fn signup(&self, email: String, name: String, log: RpcFn<fn(String)>) -> String {
        self.ctx.wait_until(Self::send_event(email, log)); // goes on, also if the caller has left
        format!("welcome, {name}")
    }
}

#[derive(Env)]
pub struct Bindings {
    accounts: Service<AccountsStub>,
}

pub struct Site {
    env: Arc<Bindings>,
}

#[entrypoint]
impl Site {
    fn new(env: Arc<Bindings>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn register(&self, log: RpcFn<fn(String)>) -> Result<String, Error> {
        self.env.accounts.signup("ann@example.com", "Ann", log).await
    }
}

const SITE: &str = r#"
name = "site"
services = [{ binding = "ACCOUNTS", service = "accounts" }]
"#;

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("accounts.toml", "name = 'accounts'"), ("site.toml", SITE)])?;
    let host = host.worker_of::<Accounts>("accounts").worker_of::<Site>("site").start().await?;
    let (log, mut logged) = mpsc::unbounded_channel();
    let answer = host.service::<SiteStub>("site").register(move |line: String| drop(log.send(line))).await?;
    let event = logged.recv().await.ok_or("the event was not sent")?;
    Ok(vec![answer, event])
}
