//! A worker with several entrypoints: a binding names the one it is for, or gets the default.

use std::sync::Arc;

use farcall::prelude::*;

use super::Outcome;

pub struct Public;

#[entrypoint(default)]
impl Public {
    pub fn hours(&self) -> String {
        "nine to five".to_owned()
    }
}

pub struct Admin;

#[entrypoint]
impl Admin {
    pub fn close(&self) -> String {
        "closed".to_owned()
    }
}

#[derive(Env)]
pub struct Bindings {
    shop: Service<PublicStub>,
    back_office: Service<AdminStub>,
}

pub struct Owner {
    env: Arc<Bindings>,
}

#[entrypoint]
impl Owner {
    fn new(env: Arc<Bindings>, _ctx: Ctx) -> Self {
        Self { env }
    }

    pub async fn evening(&self) -> Result<Vec<String>, Error> {
        Ok(vec![self.env.shop.hours().await?, self.env.back_office.close().await?])
    }
}

const OWNER: &str = r#"
name = "owner"
services = [
    { binding = "SHOP", service = "shop" },
    { binding = "BACK_OFFICE", service = "shop", entrypoint = "Admin" },
]
"#;

pub async fn run() -> Outcome<Vec<String>> {
    let host = Host::from_texts([("shop.toml", "name = 'shop'"), ("owner.toml", OWNER)])?;
    let host = host.worker_of::<(Public, Admin)>("shop").worker_of::<Owner>("owner").start().await?;
    Ok(host.service::<OwnerStub>("owner").evening().await?)
}
