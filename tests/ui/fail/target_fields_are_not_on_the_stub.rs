use farcall::prelude::*;

pub struct Account {
    pub owner: String,
    pub on_change: Box<dyn Fn(u64) + Send + Sync>,
}

#[rpc_target]
impl Account {
    #[rpc(get)]
    pub fn balance(&self) -> u64 {
        0
    }
    pub fn deposit(&mut self, amount: u64) {
        (self.on_change)(amount);
    }
}

fn caller(account: AccountStub) {
    Promise::detach(account.balance());
    Promise::detach(account.deposit(1));
    drop(account.owner);
    drop(account.owner());
    (account.on_change)(1);
    account.on_change(1);
    drop(account.balance);
}

fn main() {}
