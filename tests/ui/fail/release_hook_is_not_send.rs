use std::rc::Rc;

use farcall::prelude::*;

pub struct Session;

#[rpc_target]
impl Session {
    pub fn ping(&self) {}

    #[rpc(on_release)]
    async fn close(&mut self) {
        let shared = Rc::new(1);
        std::future::ready(()).await;
        drop(shared);
    }
}

fn main() {}
