use farcall::prelude::*;

pub struct Names;

#[rpc_target]
impl Names {
    pub fn lock_gift_page1(&self) {}
    pub fn leave_cell_item2(&self) {}
}

fn main() {}
