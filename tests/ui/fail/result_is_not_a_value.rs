use farcall::prelude::*;

pub struct NotAValue;

#[derive(Debug)]
pub struct NotAnError;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn list(&self) -> Vec<NotAValue> {
        Vec::new()
    }
    pub async fn fallible(&self) -> Result<u8, NotAnError> {
        Ok(1)
    }
    pub fn io(&self) -> std::io::Result<u8> {
        Ok(1)
    }
}

fn main() {}
