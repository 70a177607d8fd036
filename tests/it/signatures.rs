//! What a method's signature may be, and what its stub makes of it.

use std::collections::{BTreeMap, HashMap};

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Transport, behaviours, open};

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcValue)]
#[error("refused: {0}")]
pub struct Refused(pub String);

type Answer<T = ()> = Result<T, Refused>;

/// Counts, from a number on.
#[derive(Clone)]
pub struct Counter(i64);

#[rpc_target]
impl Counter {
    pub fn increment(&mut self, amount: i64) -> i64 {
        self.0 += amount;
        self.0
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, RpcValue)]
pub struct Query {
    pub text: String,
}

pub struct Signatures;

#[rpc_target]
impl Signatures {
    pub fn sync(&self, n: i64) -> i64 {
        n + 1
    }

    pub async fn asynchronous(&self, n: i64) -> i64 {
        tokio::task::yield_now().await;
        n + 1
    }

    pub fn returns_future(&self, n: i64) -> impl Future<Output = i64> + use<> {
        async move { n + 1 }
    }

    pub fn nothing(&self) {}

    pub fn alias(&self, well: bool) -> Answer<String> {
        if well { Ok("well".to_owned()) } else { Err(Refused("unwell".to_owned())) }
    }

    pub async fn bare_alias(&self) -> Answer {
        Ok(())
    }

    pub fn lent(&self, text: &str, items: &[u8], note: Option<&str>, query: &Query) -> String {
        format!("{text} {items:?} {note:?} {}", query.text)
    }

    pub async fn lent_later(&self, text: &str, query: Option<&Query>) -> usize {
        tokio::task::yield_now().await;
        text.len() + query.map_or(0, |query| query.text.len())
    }

    pub fn patterns(&self, (x, y): (i64, i64), mut n: i64, _: bool, r#type: String) -> String {
        n += x * y;
        format!("{type} {n}", type = r#type)
    }

    #[allow(clippy::too_many_arguments)]
    pub fn twelve(
        &self,
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: i16,
        g: i32,
        h: i64,
        i: bool,
        j: String,
        k: Vec<u8>,
        l: Option<u8>,
    ) -> String {
        format!("{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} {k:?} {l:?}")
    }

    pub fn one(&self, some: bool) -> Option<Counter> {
        some.then_some(Counter(10))
    }

    pub fn many(&self) -> Vec<Counter> {
        vec![Counter(1), Counter(2), Counter(3)]
    }

    pub fn pair(&self) -> (Counter, String, Box<Counter>) {
        (Counter(1), "between".to_owned(), Box::new(Counter(2)))
    }

    pub fn named(&self) -> HashMap<String, Counter> {
        HashMap::from(["a", "b"].map(|name| (name.to_owned(), Counter(name.len() as i64))))
    }

    pub fn sorted(&self) -> BTreeMap<u8, [Counter; 2]> {
        BTreeMap::from([(7, [Counter(70), Counter(71)])])
    }

    pub async fn perhaps(&self, ok: bool) -> Result<Option<Counter>, Refused> {
        if ok { Ok(Some(Counter(5))) } else { Err(Refused("no".to_owned())) }
    }

    pub async fn drive(&self, counter: CounterStub, amount: i64) -> Result<i64, Error> {
        counter.increment(amount).await
    }

    pub async fn drive_some(&self, counters: (Option<CounterStub>, Vec<CounterStub>)) -> Result<i64, Error> {
        let mut sum = 0;
        for counter in counters.0.into_iter().chain(counters.1) {
            sum += counter.increment(1).await?;
        }
        Ok(sum)
    }

    pub async fn maybe_drive(&self, counter: Option<CounterStub>) -> Result<Option<i64>, Error> {
        match counter {
            Some(counter) => counter.increment(1).await.map(Some),
            None => Ok(None),
        }
    }

    pub async fn apply(&self, f: RpcFn<fn(i64, String) -> String>) -> Result<String, Error> {
        f.call(3, "three").await
    }

    pub fn counter(&self) -> Counter {
        Counter(100)
    }
}

fn same_type<T>(_: &T, _: &T) {}

behaviours! {
    async fn r12_sync_and_async_methods_give_promises(transport: Transport) {
        let (stub, _link) = open(transport, Signatures).await;
        let (a, b, c) = (stub.sync(1), stub.asynchronous(2), stub.returns_future(3));
        same_type(&a, &b);
        same_type(&b, &c);
        assert_eq!((a.await.unwrap(), b.await.unwrap(), c.await.unwrap()), (2, 3, 4));
    }

    async fn r264_stub_mirrors_its_target(transport: Transport) {
        let (stub, _link) = open(transport, Signatures).await;
        let nothing: () = stub.nothing().await.unwrap();
        assert_eq!(nothing, ());
        assert_eq!(stub.alias(true).await.unwrap(), "well");
        assert_eq!(stub.alias(false).await.unwrap_err(), CallError::User(Refused("unwell".to_owned())));
        stub.bare_alias().await.unwrap();
        let query = Query { text: "where".to_owned() };
        assert_eq!(stub.lent("a", [1, 2], "n", &query).await.unwrap(), "a [1, 2] Some(\"n\") where");
        assert_eq!(stub.lent(String::from("a"), vec![], None, query.clone()).await.unwrap(), "a [] None where");
        assert_eq!(stub.lent_later("abc", query).await.unwrap(), 8);
        assert_eq!(stub.lent_later("abc", None).await.unwrap(), 3);
        assert_eq!(stub.patterns((2, 3), 4, true, "kind").await.unwrap(), "kind 10");
    }

    async fn a_method_has_up_to_twelve_parameters(transport: Transport) {
        let (stub, _link) = open(transport, Signatures).await;
        let all = stub.twelve(1, 2, 3, 4, -1, -2, -3, -4, true, "j", vec![11], 12);
        assert_eq!(all.await.unwrap(), "1 2 3 4 -1 -2 -3 -4 true j [11] Some(12)");
        let promised = stub.twelve(1, 2, 3, 4, -1, -2, -3, stub.sync(7), false, stub.alias(true), vec![], None);
        assert_eq!(promised.await.unwrap(), "1 2 3 4 -1 -2 -3 8 false well [] None");
        let function = RpcFn::new(
            |a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8| {
                [a, b, c, d, e, f, g, h, i, j, k, l].map(u64::from).iter().fold(0, |sum, n| sum * 2 + n)
            },
        );
        assert_eq!(function.call(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1).await.unwrap(), 2048 + 3);
    }

    async fn r265_targets_in_containers_arrive_as_stubs(transport: Transport) {
        let (stub, _link) = open(transport, Signatures).await;
        let one: Option<CounterStub> = stub.one(true).await.unwrap();
        assert_eq!(one.unwrap().increment(1).await.unwrap(), 11);
        assert!(stub.one(false).await.unwrap().is_none());
        for (counter, n) in stub.many().await.unwrap().into_iter().zip(1..) {
            assert_eq!(counter.increment(10).await.unwrap(), n + 10);
        }
        let (first, text, second) = stub.pair().await.unwrap();
        assert_eq!(text, "between");
        assert_eq!((first.increment(0).await.unwrap(), second.increment(0).await.unwrap()), (1, 2));
        let named = stub.named().await.unwrap();
        assert_eq!((named.len(), named["a"].increment(0).await.unwrap()), (2, 1));
        assert_eq!(named["b"].increment(5).await.unwrap(), 6);
        assert_eq!(stub.sorted().await.unwrap()[&7][1].increment(0).await.unwrap(), 71);
        assert_eq!(stub.perhaps(true).await.unwrap().unwrap().increment(1).await.unwrap(), 6);
        assert_eq!(stub.perhaps(false).await.unwrap_err(), CallError::User(Refused("no".to_owned())));
        assert_eq!(stub.perhaps(true).increment(2).await.unwrap(), 7, "also while they are promised");
        assert_eq!(stub.pair()._2().increment(3).await.unwrap(), 5);
    }

    async fn r266_stub_parameter_takes_target_stub_and_promise(transport: Transport) {
        let (stub, _link) = open(transport, Signatures).await;
        assert_eq!(stub.drive(Counter(1), 1).await.unwrap(), 2, "a target");
        let local: CounterStub = Counter(2).into_stub();
        assert_eq!(stub.drive(&local, 1).await.unwrap(), 3, "a reference to a stub");
        assert_eq!(stub.drive(local.clone(), 1).await.unwrap(), 4, "a stub");
        let remote = stub.counter().await.unwrap();
        assert_eq!(stub.drive(&remote, 1).await.unwrap(), 101, "a stub of theirs");
        assert_eq!(remote.increment(1).await.unwrap(), 102);
        let promise = stub.counter();
        assert_eq!(stub.drive(&promise, 1).await.unwrap(), 101, "a reference to a promise");
        assert_eq!(stub.drive(promise, 1).await.unwrap(), 102, "a promise");
        assert_eq!(stub.drive(stub.pair()._0(), 1).await.unwrap(), 2, "a promised part");
        assert_eq!(stub.maybe_drive(Counter(4)).await.unwrap(), Some(5));
        assert_eq!(stub.maybe_drive(stub.counter()).await.unwrap(), Some(101));
        assert_eq!(stub.maybe_drive(None).await.unwrap(), None);
        let held = (Some(local.clone()), vec![remote.clone(), local]);
        assert_eq!(stub.drive_some(held).await.unwrap(), 5 + 103 + 6);
        let word = |n: i64, text: String| format!("{text} is {n}");
        assert_eq!(stub.apply(word).await.unwrap(), "three is 3", "a closure");
        assert_eq!(stub.apply(RpcFn::new(word)).await.unwrap(), "three is 3", "a function");
    }

    async fn r276_local_and_remote_stub_have_one_type(transport: Transport) {
        async fn twice(counter: CounterStub) -> i64 {
            counter.increment(1).await.unwrap();
            counter.increment(1).await.unwrap()
        }
        let (stub, _link) = open(transport, Signatures).await;
        let local: CounterStub = Counter(100).into_stub();
        assert_eq!(twice(local.clone()).await, 102);
        assert_eq!(twice(stub.counter().await.unwrap()).await, 102);
        assert_eq!(twice(stub.counter().clone()).await, 102, "a promised one too");
        assert_eq!(stub.drive(&local, 5).await.unwrap(), 107);
        assert_eq!(twice(local).await, 109);
    }
}
