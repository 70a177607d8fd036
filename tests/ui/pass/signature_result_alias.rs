//! `Result` is recognised by its trait: aliases work, and the error stays typed.
use farcall::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, RpcValue)]
pub enum BankError {
    #[error("only {0} left")]
    Overdrawn(u64),
    #[error("no such account")]
    Unknown,
}

pub type BankResult<T = ()> = std::result::Result<T, BankError>;

pub struct Account;
pub struct Bank;

#[rpc_target]
impl Account {
    pub fn balance(&self) -> BankResult<u64> {
        Err(BankError::Overdrawn(1))
    }
}

#[rpc_target]
impl Bank {
    pub async fn open(&self, name: &str) -> BankResult<Account> {
        if name.is_empty() { Err(BankError::Unknown) } else { Ok(Account) }
    }
    pub fn close(&self) -> BankResult {
        Ok(())
    }
    pub fn loose(&self) -> Result<u64, Fault> {
        "1".parse().map_err(Fault::new)
    }
}

async fn typed(bank: BankStub) -> Result<u64, CallError<BankError>> {
    bank.close().await?;
    bank.open("ann").balance().await
}

async fn matched(bank: BankStub) -> Option<u64> {
    match bank.open("ann").balance().await {
        Ok(balance) => Some(balance),
        Err(CallError::User(BankError::Overdrawn(left))) => Some(left),
        Err(CallError::User(BankError::Unknown)) => None,
        Err(CallError::Rpc(_)) => None,
    }
}

async fn boxed(bank: BankStub) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    bank.loose().await?;
    Ok(bank.open("ann").balance().await?)
}

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error(transparent)]
    Bank(#[from] CallError<BankError>),
    #[error(transparent)]
    Rpc(#[from] Error),
}

async fn app(bank: BankStub, other: BankStub) -> Result<(), AppError> {
    bank.open("ann").await?;
    other.close().await?;
    let _: AppError = Error::new(ErrorKind::Internal, "x").into();
    Ok(())
}

fn main() {
    let _ = (typed, matched, boxed, app);
}
