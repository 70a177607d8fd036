use farcall::prelude::*;

pub struct View<'a>(&'a str);
pub struct Other<'a>(&'a str);

#[rpc_target]
impl<'a> View<'a> {
    pub fn text(&self) -> String {
        self.0.to_owned()
    }
}

#[rpc_target]
impl Other<'_> {
    pub fn text(&self) -> String {
        self.0.to_owned()
    }
}

fn main() {}
