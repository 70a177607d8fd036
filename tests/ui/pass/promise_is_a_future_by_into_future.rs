//! A promise is awaited as it is; who needs a future takes `into_future()`.
use farcall::prelude::*;
use std::pin::pin;
use std::time::Duration;

pub struct Clock;

#[rpc_target]
impl Clock {
    pub async fn now(&self) -> u64 {
        0
    }
}

async fn caller(clock: ClockStub) -> Result<(), Box<dyn std::error::Error>> {
    let (a, b) = tokio::join!(clock.now(), clock.now());
    let (c, d) = tokio::try_join!(clock.now(), clock.now())?;
    let within = tokio::time::timeout(Duration::from_secs(1), clock.now()).await??;
    let mut future = pin!(clock.now().into_future());
    tokio::select! {
        now = &mut future => drop(now),
        now = clock.now() => drop(now),
    }
    let spawned = tokio::spawn(clock.now().into_future()).await??;
    let clone = clock.clone();
    let moved = tokio::spawn(async move { clone.now().await }).await??;
    drop((a, b, c, d, within, spawned, moved));
    Ok(())
}

fn everywhere<T: Send + Sync + 'static>() {}

fn main() {
    let _ = caller;
    everywhere::<Promise<u64>>();
    everywhere::<ClockStub>();
}
