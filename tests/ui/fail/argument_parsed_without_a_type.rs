use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn name(&self, name: String, ids: Vec<u64>) {
        drop((name, ids));
    }
}

async fn caller(api: ApiStub) -> Result<(), Box<dyn std::error::Error>> {
    api.name("x".parse()?, []).await?;
    Ok(())
}

fn main() {}
