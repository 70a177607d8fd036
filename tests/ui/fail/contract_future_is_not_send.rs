use farcall::prelude::*;
use std::rc::Rc;

#[rpc_target]
pub trait Api {
    async fn local(&self) -> i64;
}

pub struct Mine;

#[rpc_target]
impl Api for Mine {
    async fn local(&self) -> i64 {
        let local = Rc::new(1);
        std::future::ready(()).await;
        *local
    }
}

fn main() {}
