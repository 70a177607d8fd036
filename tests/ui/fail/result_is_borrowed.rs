use farcall::prelude::*;

pub struct Api {
    name: String,
}

#[rpc_target]
impl Api {
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn parts(&self) -> Option<&[u8]> {
        None
    }
    pub fn cow(&self) -> std::borrow::Cow<'_, str> {
        self.name.as_str().into()
    }
}

fn main() {}
