//! A contract in one module, several implementors in others that import only the trait.
use farcall::prelude::*;

mod papi {
    use farcall::prelude::*;

    /// Counts.
    #[rpc_target]
    pub trait Counter {
        /// Adds.
        async fn increment(&mut self, amount: i64) -> i64;
        #[rpc(get)]
        fn value(&self) -> i64;
        async fn reset(&mut self) -> i64 {
            let value = self.value();
            self.increment(-value).await
        }
        #[rpc(skip)]
        fn helper<T>(&self, item: T) -> T {
            item
        }
        #[rpc(skip)]
        fn build() -> Self
        where
            Self: Sized;
    }
}

mod mine {
    use super::papi::Counter;
    use farcall::rpc_target;

    pub struct MyCounter(pub i64);

    #[rpc_target]
    impl Counter for MyCounter {
        async fn increment(&mut self, amount: i64) -> i64 {
            self.0 += amount;
            self.0
        }
        fn value(&self) -> i64 {
            self.0
        }
        fn build() -> Self {
            MyCounter(0)
        }
    }
}

pub struct Logging<B> {
    inner: B,
}

#[rpc_target]
impl<B: papi::Counter> papi::Counter for Logging<B> {
    async fn increment(&mut self, amount: i64) -> i64 {
        self.inner.increment(amount).await
    }
    fn value(&self) -> i64 {
        self.inner.value()
    }
    fn build() -> Self {
        Logging { inner: B::build() }
    }
}

pub struct Factory;

#[rpc_target]
impl Factory {
    pub fn plain(&self) -> mine::MyCounter {
        mine::MyCounter(1)
    }
    pub fn logging(&self) -> Vec<Logging<mine::MyCounter>> {
        Vec::new()
    }
    pub fn take(&self, counter: papi::CounterStub, other: Option<papi::CounterStub>) {
        drop((counter, other));
    }
}

async fn caller(factory: FactoryStub) -> Result<(), Error> {
    let counter: papi::CounterStub = factory.plain().await?;
    let n: i64 = counter.increment(1).await? + factory.plain().value().await? + counter.reset().await?;
    let all: Vec<papi::CounterStub> = factory.logging().await?;
    factory.take(mine::MyCounter(n), mine::MyCounter(n)).await?;
    factory.take(counter, all.into_iter().next()).await?;
    Ok(())
}

fn main() {
    let _ = caller;
    let _: fn(mine::MyCounter) -> papi::CounterStub = mine::MyCounter::into_stub;
}
