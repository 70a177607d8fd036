//! What can be seen of an object: its public methods and properties, and nothing else.

use std::sync::Arc;

use farcall::prelude::*;

use super::Outcome;

pub struct Vault {
    /// A field: not on the stub.
    secret: String,
    /// Neither is a function in one.
    open: fn(&str) -> usize,
}

#[rpc_target]
impl Vault {
    #[rpc(get)]
    pub fn label(&self) -> String {
        "a vault".to_owned()
    }

    pub fn weight(&self) -> usize {
        self.look_inside()
    }

    /// Private: not on the stub either, and no peer can call it by its name.
    fn look_inside(&self) -> usize {
        (self.open)(&self.secret)
    }
}

pub struct Bank;

#[entrypoint]
impl Bank {
    pub fn vault(&self) -> Vault {
        Vault { secret: "gold".to_owned(), open: str::len }
    }
}

#[derive(Env)]
pub struct Bindings {
    bank: Service<BankStub>,
}

pub struct Client {
    env: Arc<Bindings>,
}

#[entrypoint]
impl Client {
    fn new(env: Arc<Bindings>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn look(&self) -> Result<String, Error> {
        let vault = self.env.bank.vault().await?;
        // `vault.secret`, `vault.open` and `vault.look_inside()` do not compile.
        Ok(format!("{} of weight {}", vault.label().await?, vault.weight().await?))
    }
}

const CLIENT: &str = r#"
name = "client"
services = [{ binding = "BANK", service = "bank" }]
"#;

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("bank.toml", "name = 'bank'"), ("client.toml", CLIENT)])?;
    let host = host.worker_of::<Bank>("bank").worker_of::<Client>("client").start().await?;
    Ok(vec![host.service::<ClientStub>("client").look().await?])
}
