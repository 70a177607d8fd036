use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn each(&self, f: RpcFn<fn(i64) -> i64>) {
        drop(f);
    }
}

fn caller(api: ApiStub, local: std::rc::Rc<i64>) {
    Promise::detach(api.each(|n: i64| n.to_string()));
    Promise::detach(api.each(async |n: i64| n));
    Promise::detach(api.each(move |n: i64| n + *local));
}

fn main() {}
