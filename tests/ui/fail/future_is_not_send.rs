use farcall::prelude::*;
use std::rc::Rc;

pub struct Api;

#[rpc_target]
impl Api {
    pub async fn local(&self) -> i64 {
        let local = Rc::new(1);
        std::future::ready(()).await;
        *local
    }
}

fn main() {}
