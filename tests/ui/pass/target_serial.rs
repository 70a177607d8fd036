//! A target with a `&mut self` method: its stub has the `pub` methods, each of which sends at once.
use farcall::prelude::*;

#[derive(Default)]
pub struct Counter {
    value: i64,
}

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.value += amount;
        self.value
    }
    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.value
    }
    pub async fn reset(&mut self) {
        self.value = 0;
    }
    #[rpc(rename = "isZero")]
    pub async fn is_zero(self: &Self) -> bool {
        self.value == 0
    }
    #[rpc(skip)]
    pub fn borrowed(&self) -> &i64 {
        &self.value
    }
    fn _audit(&self) {}
    pub(crate) fn _restricted<T>(&self, _: T) {}
}

async fn caller(counter: CounterStub) -> Result<i64, Error> {
    let after: i64 = counter.increment(2).await?;
    counter.reset().await?;
    let zero: bool = counter.is_zero().await?;
    Ok(if zero { counter.value().await? } else { after })
}

fn main() {
    let _ = caller;
    let _: fn(Counter) -> CounterStub = Counter::into_stub;
}
