use farcall::prelude::*;

pub struct Session;

#[rpc_target]
impl Session {
    pub fn ping(&self) {}

    #[rpc(on_release)]
    fn no_receiver() {}

    #[rpc(on_release)]
    fn by_value(self) {}

    #[rpc(on_release)]
    fn with_parameters(&mut self, reason: String) {}

    #[rpc(on_release)]
    async fn with_a_result(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    #[rpc(on_release)]
    fn generic<T>(&self) {}

    #[rpc(on_release, rename = "bye", spawn)]
    fn with_options(&mut self) {}

    #[rpc(on_release)]
    unsafe fn not_safe(&mut self) {}
}

pub struct Twice;

#[rpc_target]
impl Twice {
    pub fn ping(&self) {}

    #[rpc(on_release)]
    fn first(&mut self) {}

    #[rpc(on_release)]
    async fn second(&mut self) {}
}

#[rpc_target]
pub trait Store {
    fn get(&self) -> u32;
}

pub struct Disk;

#[rpc_target]
impl Store for Disk {
    fn get(&self) -> u32 {
        1
    }

    #[rpc(on_release)]
    fn close(&mut self) {}
}

fn main() {}
