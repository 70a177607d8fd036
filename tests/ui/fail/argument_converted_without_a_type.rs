use farcall::prelude::*;

pub struct Api;

#[rpc_target]
impl Api {
    pub fn name(&self, name: String, ids: Vec<u64>) {
        drop((name, ids));
    }
}

async fn caller(api: ApiStub, ids: [u64; 3]) -> Result<(), Box<dyn std::error::Error>> {
    api.name("x".into(), []).await?;
    api.name("x", ids.into_iter().collect()).await?;
    Ok(())
}

fn main() {}
