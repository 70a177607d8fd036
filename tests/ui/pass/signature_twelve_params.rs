//! A method has up to twelve parameters.
use farcall::prelude::*;

pub struct Many;

#[rpc_target]
impl Many {
    #[allow(clippy::too_many_arguments)]
    pub fn all(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: String) -> usize {
        [a, b, c, d, e, f, g, h, i, j, k].iter().map(|n| *n as usize).sum::<usize>() + l.len()
    }
}

async fn caller(many: ManyStub) -> Result<(), Error> {
    many.all(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "twelve").await?;
    Ok(())
}

fn main() {
    let _ = caller;
}
