//! What may be passed: values, references, promises and fields of promises, targets, stubs, closures.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize, RpcValue)]
pub struct User {
    pub id: u64,
    pub name: String,
    pub session: Option<SessionStub>,
}

#[derive(Clone)]
pub struct Session;

#[rpc_target]
impl Session {
    pub fn whoami(&self) -> String {
        String::new()
    }
}

pub struct Api;

#[rpc_target]
impl Api {
    pub async fn login(&self, name: String) -> User {
        User { id: 1, name, session: Some(Session.into_stub()) }
    }
    pub async fn session(&self) -> Session {
        Session
    }
    pub fn profile(&self, id: u64, verbose: Option<bool>) -> String {
        format!("{id} {verbose:?}")
    }
    pub fn keep(&self, session: SessionStub, other: Option<SessionStub>) {
        drop((session, other));
    }
    pub fn tags(&self, tags: Vec<String>, numbers: Vec<u8>) {
        drop((tags, numbers));
    }
    pub fn rename(&self, user: User) -> User {
        user
    }
}

async fn caller(api: ApiStub, session: SessionStub, user: User) -> Result<(), Error> {
    let promised = api.login("ann");
    let name: String = api.profile(promised.id(), None).await?;
    api.profile(&promised.id(), true).await?;
    api.profile(3, Some(false)).await?;
    api.keep(Session, Session).await?;
    api.keep(&session, None).await?;
    api.keep(&session, session.clone()).await?;
    api.keep(api.session(), session).await?;
    api.keep(&api.session(), None).await?;
    api.tags(["a", "b"], [1, 2]).await?;
    api.tags(vec![name], vec![]).await?;
    api.rename(&promised).await?;
    api.rename(&user).await?;
    api.rename(user).await?;
    let who: String = promised.session().whoami().await?;
    drop(who);
    Ok(())
}

fn main() {
    let _ = caller;
}
