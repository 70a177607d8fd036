//! Parameters may be patterns; on the stub they have plain names.
#![deny(warnings)]
use farcall::prelude::*;

pub struct Canvas;

#[rpc_target]
impl Canvas {
    pub fn line(&self, (x, y): (i64, i64), mut width: u32, _: bool, _color: u8, arg0: i64) -> i64 {
        width += 1;
        x + y + i64::from(width) + arg0
    }
    pub async fn swap(&mut self, [a, b]: [u8; 2], mut name: String, target: i64, call: i64) -> (u8, u8, String, i64) {
        name.push('!');
        (b, a, name, target + call)
    }
}

pub async fn caller(canvas: CanvasStub) -> Result<(), Error> {
    canvas.line((1, 2), 3, true, 4, 5).await?;
    canvas.swap([1, 2], "x", 1, 2).await?;
    Ok(())
}

fn main() {}
