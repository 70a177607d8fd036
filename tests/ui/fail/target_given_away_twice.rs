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

async fn caller(api: ApiStub, session: Session) -> Result<(), Error> {
    api.keep(session).await?;
    api.keep(session).await
}

fn main() {}
