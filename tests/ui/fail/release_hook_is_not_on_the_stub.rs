use farcall::prelude::*;

pub struct Session;

#[rpc_target]
impl Session {
    pub fn ping(&self) {}

    #[rpc(on_release)]
    pub fn close(&mut self) {}
}

async fn calls(session: SessionStub) {
    session.ping().await.unwrap();
    session.close().await.unwrap();
}

fn main() {}
