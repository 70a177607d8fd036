//! A generic target has a generic stub, `Send + Sync` whatever its argument is.
use farcall::prelude::*;

pub struct Cell<T> {
    value: Option<T>,
}

#[rpc_target]
impl<T: RpcValue + Clone> Cell<T> {
    pub fn set(&mut self, value: T) -> Option<T> {
        self.value.replace(value)
    }
    pub async fn get(&mut self) -> Option<T> {
        self.value.clone()
    }
    pub fn fork(&self) -> Self {
        Self { value: self.value.clone() }
    }
}

pub struct Ring<T, const N: usize>(Vec<T>);

#[rpc_target]
impl<T, const N: usize> Ring<T, N>
where
    T: RpcValue + Clone + Sync,
{
    pub fn all(&self) -> Vec<T> {
        self.0.iter().take(N).cloned().collect()
    }
}

async fn caller(cell: CellStub<String>, ring: RingStub<i64, 3>) -> Result<(), Error> {
    cell.set("text").await?;
    let text: Option<String> = cell.fork().get().await?;
    let copy: CellStub<String> = cell.clone();
    let all: Vec<i64> = ring.all().await?;
    drop((text, copy, all));
    Ok(())
}

fn everywhere<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}

fn main() {
    let _ = caller;
    everywhere::<CellStub<RpcFn<fn(i64) -> i64>>>();
    let _: fn(Cell<i64>) -> CellStub<i64> = Cell::into_stub;
}
