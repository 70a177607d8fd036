use farcall::prelude::*;

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
    pub fn keep(&self, session: SessionStub) {
        drop(session);
    }
}

async fn caller(api: ApiStub, given: SessionStub, dropped: SessionStub) -> Result<String, Error> {
    api.keep(given).await?;
    given.whoami().await?;
    drop(dropped);
    dropped.whoami().await
}

fn main() {}
