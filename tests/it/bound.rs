//! Methods that are taken off their stubs as functions.

use std::sync::Mutex;

use farcall::prelude::*;
use farcall::{Revocable, Stub};
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open};

type Number = RpcFn<fn(i64) -> i64>;
type NumberMaker = RpcFn<fn() -> Number>;

#[derive(Default)]
pub struct Counter(i64);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("not even: {0}")]
pub struct Odd(i64);

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.0 += amount;
        self.0
    }

    #[rpc(get)]
    pub fn value(&self) -> i64 {
        self.0
    }

    pub fn add(&mut self, a: i64, b: Option<i64>) -> i64 {
        self.0 += a + b.unwrap_or(1000);
        self.0
    }

    pub async fn half(&self) -> Result<i64, Odd> {
        if self.0 % 2 == 0 { Ok(self.0 / 2) } else { Err(Odd(self.0)) }
    }

    pub fn join(&mut self, other: CounterStub, list: Vec<i64>) -> CounterStub {
        self.0 += list.iter().sum::<i64>();
        other
    }

    pub fn adder(&self) -> Number {
        RpcFn::new(|n: i64| n + 1)
    }
}

#[derive(Default)]
pub struct Maker {
    kept: Mutex<Option<Number>>,
}

#[rpc_target]
impl Maker {
    pub fn counter(&self) -> Counter {
        Counter::default()
    }

    pub async fn twice(&self, f: Number) -> Result<i64, Error> {
        f.call(1).await?;
        f.call(10).await
    }

    pub fn keep(&self, f: Number) {
        *self.kept.lock().unwrap() = Some(f);
    }

    pub async fn call_kept(&self, n: i64) -> Result<i64, Error> {
        let kept = self.kept.lock().unwrap().clone();
        kept.unwrap().call(n).await
    }
}

behaviours! {
    async fn r22_method_of_a_stub_is_a_function(transport: Transport) {
        let (maker, _link) = open(transport, Maker::default()).await;
        let counter = maker.counter().await.unwrap();
        let increment: Number = RpcFn::bind(&counter, CounterStub::increment);
        assert_eq!(increment.call(2).await.unwrap(), 2);
        assert_eq!(increment.clone().call(counter.value()).await.unwrap(), 4);
        // Where a function is due.
        assert_eq!(maker.twice(&increment).await.unwrap(), 15);
        assert_eq!(maker.twice(RpcFn::bind(&counter, CounterStub::increment)).await.unwrap(), 26);
        // Of a stub that is a promise.
        let early: Number = RpcFn::bind(&*maker.counter(), CounterStub::increment);
        assert_eq!(early.call(7).await.unwrap(), 7);
        assert_eq!(early.call(1).await.unwrap(), 8);
        assert_eq!(counter.value().await.unwrap(), 26);
    }

    async fn r22_any_method_can_be_bound(transport: Transport) {
        let (maker, _link) = open(transport, Maker::default()).await;
        let counter = maker.counter().await.unwrap();
        let value: RpcFn<fn() -> i64> = RpcFn::bind(&counter, CounterStub::value);
        let add: RpcFn<fn(i64, Option<i64>) -> i64> = RpcFn::bind(&counter, CounterStub::add);
        assert_eq!(add.call(1, 2).await.unwrap(), 3);
        assert_eq!(add.call(1, None).await.unwrap(), 1004);
        assert_eq!(value.call().await.unwrap(), 1004);
        let half: RpcFn<fn() -> Result<i64, Odd>> = RpcFn::bind(&counter, CounterStub::half);
        assert_eq!(half.call().await.unwrap(), 502);
        counter.increment(1).await.unwrap();
        assert_eq!(half.call().await.unwrap_err().user(), Some(&Odd(1005)));
        // With stubs on both sides, which are called through at once.
        let other: CounterStub = Counter(5).into_stub();
        let join: RpcFn<fn(CounterStub, Vec<i64>) -> CounterStub> = RpcFn::bind(&counter, CounterStub::join);
        assert_eq!(join.call(&other, [1, 2]).increment(1).await.unwrap(), 6);
        assert!(join.call(&other, []).await.unwrap().same_target(&other));
        let adder: NumberMaker = RpcFn::bind(&counter, CounterStub::adder);
        assert_eq!(adder.call().call(1).await.unwrap(), 2);
        // A function has a method as well.
        let again: Number =
            RpcFn::bind(&*adder.call(), Number::call);
        assert_eq!(again.call(4).await.unwrap(), 5);
    }

    async fn r22_bound_method_is_kept_and_keeps_its_target(transport: Transport) {
        let (maker, link) = open(transport, Maker::default()).await;
        let counter = maker.counter().await.unwrap();
        let increment: Number = RpcFn::bind(&counter, CounterStub::increment);
        assert!(increment.same_target(&RpcFn::bind(&counter, CounterStub::increment)));
        let adder: Number = counter.adder().await.unwrap();
        assert!(!increment.same_target(&adder));
        maker.keep(&increment).await.unwrap();
        drop((counter, increment, adder));
        assert_eq!(maker.call_kept(3).await.unwrap(), 3);
        assert_eq!(maker.call_kept(3).await.unwrap(), 6);
        maker.keep(RpcFn::new(|n: i64| n)).await.unwrap();
        link.server_holds(0).await;
    }

    async fn r22_bound_method_of_a_revoked_stub_fails(transport: Transport) {
        let (maker, _link) = open(transport, Maker::default()).await;
        let (counter, revoker) = Revocable::wrap(maker.counter().await.unwrap());
        let increment: Number = RpcFn::bind(&counter, CounterStub::increment);
        assert_eq!(maker.twice(&increment).await.unwrap(), 11);
        revoker.revoke();
        assert_eq!(increment.call(1).await.unwrap_err().kind(), ErrorKind::Disposed);
        let Err(CallError::User(error)) = maker.twice(&increment).await else { panic!("it was revoked") };
        assert_eq!(error.kind(), ErrorKind::Disposed);
    }

    async fn r22_what_is_no_method_is_refused(transport: Transport) {
        let (maker, _link) = open(transport, Maker::default()).await;
        let counter = maker.counter().await.unwrap();
        let refused = |function: Number| async move {
            let error = function.call(1).await.unwrap_err();
            assert_eq!(error.origin(), ErrorKind::Unsupported, "{error}");
            assert!(error.message().contains("for anything else write a closure"), "{error}");
        };
        refused(RpcFn::bind(&counter, |stub: &CounterStub, _n: Promise<i64>| stub.increment(5))).await;
        refused(RpcFn::bind(&counter, |stub: &CounterStub, n: Promise<i64>| stub.add(n, 3))).await;
        let other = counter.clone();
        refused(RpcFn::bind(&counter, move |_: &CounterStub, n: Promise<i64>| other.increment(n))).await;
        // What a method takes as an option is not what the function takes.
        let wide: RpcFn<fn(i64, i64) -> i64> = RpcFn::bind(&counter, CounterStub::add);
        assert_eq!(wide.call(1, 2).await.unwrap_err().origin(), ErrorKind::SignatureMismatch);
        assert_eq!(counter.value().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn r22_bound_method_is_pipelined() {
    for transport in [Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let (maker, link) = open(transport, Maker::default()).await;
        let counter = maker.counter().await.unwrap();
        let counters = link.counters.as_ref().unwrap();
        let adder: NumberMaker = RpcFn::bind(&counter, CounterStub::adder);
        let before = counters.read();
        assert_eq!(adder.call().call(1).await.unwrap(), 2);
        assert_eq!(counters.since(before).round_trips, 1, "{transport:?}");
    }
}
