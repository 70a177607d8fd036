//! A target without `&mut self`: its methods run side by side, and may be spawned.
use farcall::prelude::*;
use std::sync::Mutex;

pub struct Log {
    lines: Mutex<Vec<String>>,
}

#[rpc_target]
impl Log {
    pub async fn append(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
    #[rpc(spawn)]
    pub fn sorted(&self) -> Vec<String> {
        let mut lines = self.lines.lock().unwrap().clone();
        lines.sort();
        lines
    }
    #[rpc(spawn)]
    pub async fn find(&self, part: &str, limit: Option<u32>) -> Option<String> {
        let lines = self.lines.lock().unwrap().clone();
        lines.into_iter().take(limit.unwrap_or(10) as usize).find(|line| line.contains(part))
    }
}

async fn caller(log: LogStub) -> Result<(), Error> {
    log.append("a line").await?;
    let lines: Vec<String> = log.sorted().await?;
    let found: Option<String> = log.find("line", None).await?;
    let other: Option<String> = log.find(String::new(), 3).await?;
    drop((lines, found, other));
    Ok(())
}

fn main() {
    let _ = caller;
}
