//! Stubs and promises of one connection that are given away over another: calls go through whoever introduced them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::kit::{Transport, behaviours, open, until};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("refused: {0}")]
pub struct Refused(i64);

#[derive(Clone, Default)]
pub struct Origin {
    value: Arc<AtomicI64>,
    log: Arc<Mutex<Vec<i64>>>,
    started: Arc<Notify>,
    go: Arc<Notify>,
    alive: Arc<()>,
}

#[rpc_target]
impl Origin {
    pub fn increment(&self, amount: i64) -> i64 {
        self.value.fetch_add(amount, Ordering::SeqCst) + amount
    }

    pub fn note(&self, n: i64) {
        self.log.lock().unwrap().push(n);
    }

    pub fn fails(&self, n: i64) -> Result<i64, Refused> {
        Err(Refused(n))
    }

    pub fn panics(&self) {
        panic!("as the test wants it");
    }

    pub async fn wait(&self) -> i64 {
        let _alive = Arc::clone(&self.alive);
        self.started.notify_one();
        self.go.notified().await;
        7
    }

    pub fn child(&self) -> Child {
        Child(self.clone())
    }

    pub async fn late_child(&self) -> Child {
        self.started.notify_one();
        self.go.notified().await;
        Child(self.clone())
    }

    pub fn adder(&self, more: i64) -> RpcFn<fn(i64) -> i64> {
        RpcFn::new(move |n: i64| n + more)
    }

    pub fn payload(&self, bytes: Bytes) -> Bytes {
        bytes
    }

    /// Whether it is given itself.
    pub async fn is_it(&self, child: ChildStub) -> i64 {
        child.number(self.adder(10)).await.unwrap()
    }
}

/// A target that is made for whoever asks.
pub struct Child(Origin);

#[rpc_target]
impl Child {
    pub async fn number(&self, adder: RpcFn<fn(i64) -> i64>) -> i64 {
        adder.call(self.0.increment(1)).await.unwrap()
    }

    pub fn note(&self, n: i64) {
        self.0.note(n);
    }

    pub fn sibling(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The third party.
#[derive(Default)]
pub struct Third {
    kept: Mutex<Option<OriginStub>>,
    runs: Arc<AtomicI64>,
}

#[rpc_target]
impl Third {
    pub async fn increment(&self, origin: OriginStub, times: i64) -> Result<i64, Error> {
        let mut value = 0;
        for _ in 0..times {
            value = origin.increment(1).await?;
        }
        Ok(value)
    }

    pub async fn fails(&self, origin: OriginStub) -> (String, String) {
        let Err(CallError::User(refused)) = origin.fails(3).await else { panic!("it has to fail") };
        (refused.to_string(), format!("{:?}", origin.panics().await.unwrap_err().kind()))
    }

    pub async fn call(&self, function: RpcFn<fn(i64) -> i64>, n: i64) -> i64 {
        function.call(n).await.unwrap()
    }

    pub async fn pipelines(&self, origin: OriginStub) -> i64 {
        let own = RpcFn::new(|n: i64| n * 100);
        origin.child().number(&own).await.unwrap() + origin.adder(5).call(1).await.unwrap()
    }

    pub async fn pipelines_deeper(&self, origin: OriginStub) -> i64 {
        let own = RpcFn::new(|n: i64| n * 1000);
        origin.child().sibling().sibling().sibling().number(own).await.unwrap()
    }

    pub async fn use_child(&self, child: ChildStub) -> i64 {
        child.number(RpcFn::new(|n: i64| n * 2)).await.unwrap()
    }

    pub async fn note_many(&self, origin: OriginStub) {
        let calls: Vec<_> = (0..100).map(|n| origin.note(n)).collect();
        for call in calls {
            call.await.unwrap();
        }
    }

    pub fn keep(&self, origin: OriginStub) {
        *self.kept.lock().unwrap() = Some(origin);
    }

    pub async fn use_kept(&self) -> Result<i64, Error> {
        let kept = self.kept.lock().unwrap().clone();
        kept.unwrap().increment(1).await
    }

    pub fn clear(&self) {
        self.kept.lock().unwrap().take();
    }

    pub async fn wait(&self, origin: OriginStub) -> Result<i64, Error> {
        origin.wait().await
    }

    pub fn double(&self, n: i64) -> i64 {
        self.runs.fetch_add(1, Ordering::SeqCst);
        2 * n
    }

    pub fn echo(&self, origin: OriginStub) -> OriginStub {
        origin
    }

    pub async fn payload(&self, origin: OriginStub, bytes: u32) -> u64 {
        origin.payload(vec![5; bytes as usize]).await.unwrap().len() as u64
    }
}

/// Stands before an origin and a third party.
pub struct Gateway {
    origin: OriginStub,
    behind: ThirdStub,
}

#[rpc_target]
impl Gateway {
    /// Passes a promise on, without waiting for it.
    pub fn late_child(&self) -> ChildStub {
        self.origin.late_child().clone()
    }

    pub async fn keep(&self, origin: OriginStub) {
        self.behind.keep(origin).await.unwrap();
    }
}

behaviours! {
    async fn r84_calls_go_through_the_introducer(transport: Transport) {
        let (origin, _a) = open(transport, Origin::default()).await;
        let (third, _c) = open(transport, Third::default()).await;
        assert_eq!(third.increment(&origin, 3).await.unwrap(), 3);
        assert_eq!(origin.increment(1).await.unwrap(), 4);
        assert_eq!(third.call(origin.adder(30).await.unwrap(), 12).await.unwrap(), 42);
        assert_eq!(third.payload(&origin, 1024 * 1024).await.unwrap(), 1024 * 1024);
    }

    async fn third_party_pipelines_through_the_introducer(transport: Transport) {
        let (origin, a) = open(transport, Origin::default()).await;
        let (third, c) = open(transport, Third::default()).await;
        assert_eq!(third.pipelines(&origin).await.unwrap(), 106);
        assert_eq!(third.pipelines_deeper(&origin).await.unwrap(), 2000);
        a.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn r177_errors_come_through_as_they_are(transport: Transport) {
        let (origin, _a) = open(transport, Origin::default()).await;
        let (third, _c) = open(transport, Third::default()).await;
        let (refused, panicked) = third.fails(&origin).await.unwrap();
        assert_eq!((refused.as_str(), panicked.as_str()), ("refused: 3", "Panicked"));
    }

    async fn calls_of_a_third_party_stay_in_order(transport: Transport) {
        let main = Origin::default();
        let log = Arc::clone(&main.log);
        let (origin, _a) = open(transport, main).await;
        let (third, _c) = open(transport, Third::default()).await;
        third.note_many(&origin).await.unwrap();
        assert_eq!(*log.lock().unwrap(), (0..100).collect::<Vec<_>>());
    }

    async fn promise_is_handed_on_before_it_settles(transport: Transport) {
        let main = Origin::default();
        let (started, go) = (Arc::clone(&main.started), Arc::clone(&main.go));
        let (origin, a) = open(transport, main).await;
        let (third, c) = open(transport, Third::default()).await;
        // A promised stub is delivered at once, and calls on it wait.
        let used = third.use_child(origin.late_child());
        started.notified().await;
        go.notify_one();
        assert_eq!(used.await.unwrap(), 2);
        // A promised value is waited for.
        let number = origin.wait();
        let (doubled, other) = (third.double(&number), third.double(5));
        assert_eq!(other.await.unwrap(), 10);
        go.notify_one();
        assert_eq!(doubled.await.unwrap(), 14);
        assert_eq!(number.await.unwrap(), 7);
        a.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn call_with_a_failed_promise_of_another_does_not_run(transport: Transport) {
        let (origin, _a) = open(transport, Origin::default()).await;
        let main = Third::default();
        let runs = Arc::clone(&main.runs);
        let (third, _c) = open(transport, main).await;
        let error = third.double(origin.fails(9)).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Upstream, false));
        assert_eq!(error.user(), Some(Refused(9)));
        assert_eq!(runs.load(Ordering::SeqCst), 0);
    }

    async fn r85_target_lives_while_a_third_party_keeps_it(transport: Transport) {
        let main = Origin::default();
        let alive = Arc::downgrade(&main.alive);
        let (third, c) = open(transport, Third::default()).await;
        let (origin, a) = open(transport, main).await;
        third.keep(&origin).await.unwrap();
        drop(origin);
        assert_eq!(third.use_kept().await.unwrap(), 1);
        assert_eq!(third.use_kept().await.unwrap(), 2);
        assert!(alive.strong_count() > 0);
        third.clear().await.unwrap();
        c.server_holds(0).await;
        // Nothing else was held over that connection.
        if let (Some(client), Some(server)) = (&a.client, &a.server) {
            tokio::join!(client.closed(), server.closed());
        }
        until(|| alive.strong_count() == 0).await;
    }

    async fn r121_pipelines_through_a_promise_that_is_passed_on(transport: Transport) {
        let main = Origin::default();
        let (started, go) = (Arc::clone(&main.started), Arc::clone(&main.go));
        let (origin, a) = open(transport, main).await;
        let (gateway, c) = open(transport, Gateway { origin, behind: Third::default().into_stub() }).await;
        // It answers before the origin has, and its caller has called through both long before.
        let used = gateway.late_child().sibling().number(|n: i64| n * 5);
        started.notified().await;
        go.notify_one();
        assert_eq!(used.await.unwrap(), 5);
        let child = gateway.late_child();
        let number = child.number(|n: i64| n * 5);
        started.notified().await;
        let settled = child.await.unwrap();
        go.notify_one();
        assert_eq!(number.await.unwrap(), 10);
        assert_eq!(settled.number(|n: i64| n).await.unwrap(), 3);
        drop(settled);
        a.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn r142_callback_that_is_stored_behind_a_gateway_works_later(transport: Transport) {
        let (behind, a) = open(transport, Third::default()).await;
        let origin: OriginStub = Origin::default().into_stub();
        let (gateway, c) = open(transport, Gateway { origin, behind: behind.clone() }).await;
        let callback = Origin::default();
        let alive = Arc::downgrade(&callback.alive);
        gateway.keep(callback).await.unwrap();
        assert_eq!(behind.use_kept().await.unwrap(), 1);
        assert_eq!(behind.use_kept().await.unwrap(), 2);
        assert!(alive.strong_count() > 0);
        behind.clear().await.unwrap();
        until(|| alive.strong_count() == 0).await;
        a.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn cancelling_reaches_through_the_introducer(transport: Transport) {
        let main = Origin::default();
        let (started, alive) = (Arc::clone(&main.started), Arc::clone(&main.alive));
        let (origin, a) = open(transport, main).await;
        let (third, c) = open(transport, Third::default()).await;
        let waiting = third.wait(&origin);
        started.notified().await;
        assert_eq!(Arc::strong_count(&alive), 3);
        drop(waiting);
        until(|| Arc::strong_count(&alive) == 2).await;
        a.server_holds(0).await;
        c.server_holds(0).await;
    }

    async fn stub_comes_home_through_a_third_party(transport: Transport) {
        let main = Origin::default();
        let log = Arc::clone(&main.log);
        let (origin, a) = open(transport, main).await;
        let (third, c) = open(transport, Third::default()).await;
        // Through one that only passes it on, and back, with calls before and after it settles.
        let promise = third.echo(&origin);
        let early: Vec<_> = (0..5).map(|n| promise.note(n)).collect();
        let back = promise.await.unwrap();
        back.note(5).await.unwrap();
        for call in early {
            call.await.unwrap();
        }
        assert_eq!(*log.lock().unwrap(), (0..6).collect::<Vec<_>>());
        // The origin gets its own object.
        assert_eq!(origin.is_it(origin.child()).await.unwrap(), 11);
        assert_eq!(origin.is_it(back.child().await.unwrap()).await.unwrap(), 12);
        drop(back);
        a.server_holds(0).await;
        c.server_holds(0).await;
    }
}

behaviours! { wire
    async fn r85_lost_connection_of_the_introducer_fails_the_call(transport: Transport) {
        let main = Origin::default();
        let started = Arc::clone(&main.started);
        let (origin, a) = open(transport, main).await;
        let (third, c) = open(transport, Third::default()).await;
        third.keep(&origin).await.unwrap();
        let waiting = third.wait(&origin);
        started.notified().await;
        a.cut();
        let Err(CallError::User(error)) = waiting.await else { panic!("the method hears of it") };
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, true));
        let Err(CallError::User(error)) = third.use_kept().await else { panic!("the method hears of it") };
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        third.clear().await.unwrap();
        c.server_holds(0).await;
    }

    async fn lost_third_party_lets_go_of_what_it_had(transport: Transport) {
        let main = Origin::default();
        let alive = Arc::clone(&main.alive);
        let started = Arc::clone(&main.started);
        let (origin, a) = open(transport, main).await;
        let (third, c) = open(transport, Third::default()).await;
        let child = origin.child().await.unwrap();
        let using = third.use_child(&child);
        assert_eq!(using.await.unwrap(), 2);
        let waiting = third.wait(&origin);
        started.notified().await;
        c.cut();
        assert!(waiting.await.is_err());
        drop(child);
        until(|| Arc::strong_count(&alive) == 2).await;
        a.server_holds(0).await;
        assert_eq!(origin.increment(1).await.unwrap(), 2);
    }
}
