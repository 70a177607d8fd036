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
    pub fn add(&self, amount: u8, name: String) -> u8 {
        amount + name.len() as u8
    }
    pub fn keep(&self, session: SessionStub) {
        drop(session);
    }
}

async fn caller(api: ApiStub, number: i64, other: Promise<i64>) {
    let _a = api.add(number, "x").await;
    let _b = api.add(1, 2).await;
    let _c = api.add(&other, "x").await;
    let _d = api.add(1).await;
    let _e = api.keep("session").await;
    let _f = api.keep(api.clone()).await;
}

fn main() {}
