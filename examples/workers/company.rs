//! A value with data and a function in it: the data is there at once, the function runs at the callee.

use std::sync::Arc;

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use super::Outcome;

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Company {
    pub name: String,
    pub employees: u32,
    pub send_email: RpcFn<fn(String) -> String>,
}

pub struct Directory;

#[entrypoint]
impl Directory {
    pub fn company_by_name(&self, name: String) -> Company {
        let to = name.clone();
        let send_email = RpcFn::new(move |text: String| format!("sent to {to}: {text}"));
        Company { name, employees: 7, send_email }
    }
}

#[derive(Env)]
pub struct Bindings {
    directory: Service<DirectoryStub>,
}

pub struct Sales {
    env: Arc<Bindings>,
}

#[entrypoint]
impl Sales {
    fn new(env: Arc<Bindings>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn write(&self) -> Result<Vec<String>, Error> {
        let company = self.env.directory.company_by_name("Acme").await?;
        let told = company.send_email.call("Hi").await?;
        // Or both in one round trip, without waiting for the company.
        let at_once = self.env.directory.company_by_name("Acme").send_email().call("Hi again").await?;
        Ok(vec![format!("{} has {} employees", company.name, company.employees), told, at_once])
    }
}

const SALES: &str = r#"
name = "sales"
services = [{ binding = "DIRECTORY", service = "directory" }]
"#;

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("directory.toml", "name = 'directory'"), ("sales.toml", SALES)])?;
    let host = host.worker_of::<Directory>("directory").worker_of::<Sales>("sales").start().await?;
    Ok(host.service::<SalesStub>("sales").write().await?)
}
