//! Calls on results that are not here yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use farcall::Pipeline;
use farcall::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::kit::{Transport, behaviours, open, until};

/// An endless chain of objects.
pub struct Node(i64);

#[rpc_target]
impl Node {
    pub async fn next(&self) -> Self {
        Self(self.0 + 1)
    }

    pub fn depth(&self) -> i64 {
        self.0
    }

    pub fn plus(&self, n: i64) -> i64 {
        self.0 + n
    }
}

/// Something that answers with a number of its own.
pub struct Mailbox(i64);

#[rpc_target]
impl Mailbox {
    pub fn number(&self) -> i64 {
        self.0
    }
}

#[derive(Debug, Serialize, Deserialize, RpcValue)]
pub struct Address {
    pub street: String,
    pub desk: MailboxStub,
}

#[derive(Debug, Serialize, Deserialize, RpcValue)]
pub struct Company {
    pub name: String,
    pub inbox: MailboxStub,
    pub outbox: MailboxStub,
    #[serde(rename = "strange name")]
    pub renamed: MailboxStub,
    pub address: Box<Address>,
    pub branch: Option<Box<Address>>,
    pub pair: (i64, MailboxStub),
    pub tell: RpcFn<fn(i64) -> i64>,
    pub payload: Bytes,
}

fn company(payload: usize) -> Company {
    let address = |number: i64| Address { street: "Long Road".to_owned(), desk: Mailbox(number).into_stub() };
    Company {
        name: "acme".to_owned(),
        inbox: Mailbox(1).into_stub(),
        outbox: Mailbox(2).into_stub(),
        renamed: Mailbox(3).into_stub(),
        address: Box::new(address(4)),
        branch: Some(Box::new(address(5))),
        pair: (7, Mailbox(6).into_stub()),
        tell: RpcFn::new(|n: i64| n * 10),
        payload: vec![7; payload].into(),
    }
}

#[derive(Debug, Serialize, Deserialize, RpcValue)]
pub struct Session {
    pub user_id: i64,
    pub expires: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("no such token")]
pub struct Refused;

pub struct Secret(Arc<AtomicUsize>);

#[rpc_target]
impl Secret {
    pub fn reveal(&self) -> String {
        self.0.fetch_add(1, Ordering::Relaxed);
        "open sesame".to_owned()
    }
}

#[derive(Default)]
pub struct Api {
    go: Arc<Notify>,
    /// How often a method ran that must not run for the wrong token.
    pub revealed: Arc<AtomicUsize>,
    pub alive: Arc<()>,
}

/// A newer version of it.
#[rpc_target]
pub trait NewerApi {
    fn absent(&self) -> ApiStub;
}

/// A target whose life can be watched.
pub struct Watched {
    _alive: Arc<()>,
}

#[rpc_target]
impl Watched {
    pub fn ping(&self) -> bool {
        true
    }
}

#[rpc_target]
impl Api {
    pub fn root(&self) -> Node {
        Node(0)
    }

    pub async fn late_root(&self) -> Node {
        self.go.notified().await;
        Node(0)
    }

    pub fn go(&self) {
        self.go.notify_one();
    }

    pub fn company(&self, payload: u32) -> Company {
        company(payload as usize)
    }

    pub fn function(&self) -> RpcFn<fn(i64) -> i64> {
        RpcFn::new(|n: i64| n + 1)
    }

    pub async fn log_in(&self, token: String) -> Result<Session, Refused> {
        if token == "good" { Ok(Session { user_id: 42, expires: 7 }) } else { Err(Refused) }
    }

    pub async fn secret(&self, token: String) -> Result<Secret, Refused> {
        if token == "good" { Ok(Secret(Arc::clone(&self.revealed))) } else { Err(Refused) }
    }

    pub fn refuses(&self) -> Result<Self, Refused> {
        Err(Refused)
    }

    pub fn panics(&self) -> Self {
        panic!("as the test wants it")
    }

    pub fn name_of(&self, user: i64) -> String {
        self.revealed.fetch_add(1, Ordering::Relaxed);
        format!("user {user}")
    }

    pub fn sum(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    pub fn expiry(&self, session: Session) -> i64 {
        session.expires
    }

    pub async fn ask(&self, mailbox: MailboxStub) -> Result<i64, Error> {
        mailbox.number().await
    }

    pub async fn ask_node(&self, node: NodeStub) -> i64 {
        node.depth().await.unwrap()
    }

    pub fn length(&self, payload: Bytes) -> u64 {
        payload.len() as u64
    }

    pub fn bytes(&self, length: u32) -> Bytes {
        vec![1; length as usize].into()
    }

    pub fn watched(&self) -> Watched {
        Watched { _alive: Arc::clone(&self.alive) }
    }
}

behaviours! {
    async fn r13_promise_is_awaited_selected_and_called_through(transport: Transport) {
        let (api, _link) = open(transport, Api::default()).await;
        assert_eq!(api.sum(1, 2).await.unwrap(), 3);
        let (a, b) = tokio::join!(api.sum(1, 2), api.sum(3, 4));
        assert_eq!((a.unwrap(), b.unwrap()), (3, 7));
        tokio::select! {
            never = api.late_root() => panic!("nobody let it go: {never:?}"),
            sum = api.sum(5, 6) => assert_eq!(sum.unwrap(), 11),
        }
        let timed = tokio::time::timeout(Duration::from_secs(10), api.sum(7, 8)).await;
        assert_eq!(timed.unwrap().unwrap(), 15);
        assert_eq!(api.root().next().depth().await.unwrap(), 1);
    }

    async fn r44_promise_stands_for_an_argument(transport: Transport) {
        let main = Api::default();
        let ran = Arc::clone(&main.revealed);
        let (api, _link) = open(transport, main).await;
        let five = api.sum(2, 3);
        assert_eq!(api.sum(&five, &five).await.unwrap(), 10);
        assert_eq!(api.sum(1, &five).await.unwrap(), 6);
        assert_eq!(api.sum(five, api.sum(1, 1)).await.unwrap(), 7);
        assert_eq!(api.expiry(api.log_in("good")).await.unwrap(), 7);

        let refused = api.log_in("bad");
        let error = api.name_of(refused.user_id()).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Upstream, false));
        assert_eq!(error.user(), Some(Refused));
        assert_eq!(ran.load(Ordering::Relaxed), 0);
        assert!(matches!(refused.await, Err(CallError::User(Refused))));
    }

    async fn r123_failure_reaches_every_call_behind_it(transport: Transport) {
        let main = Api::default();
        let ran = Arc::clone(&main.revealed);
        let (api, link) = open(transport, main).await;
        let newer = NewerApiStub::from_handle(Pipeline::handle(&api).clone());
        let behind = async |failed: ApiStub, origin: ErrorKind| {
            let deep = failed.secret("good").reveal();
            let calls = (failed.name_of(1), failed.name_of(failed.sum(1, 2)), deep);
            for error in [calls.0.await, calls.1.await, calls.2.await].map(Result::unwrap_err) {
                assert_eq!((error.kind(), error.origin(), error.may_have_run()), (ErrorKind::Upstream, origin, false));
                assert_eq!(error.user(), (origin == ErrorKind::Upstream).then_some(Refused));
            }
        };
        let refused = api.refuses();
        behind(refused.clone(), ErrorKind::Upstream).await;
        assert!(matches!(refused.await, Err(CallError::User(Refused))));
        behind(api.panics().clone(), ErrorKind::Panicked).await;
        behind(newer.absent().clone(), ErrorKind::UnknownMethod).await;
        assert_eq!(ran.load(Ordering::Relaxed), 0);
        assert_eq!(api.sum(1, 2).await.unwrap(), 3);
        link.server_holds(0).await;
    }

    async fn r126_stub_of_a_promise_outlives_its_settling(transport: Transport) {
        let (api, _link) = open(transport, Api::default()).await;
        let promise = api.late_root();
        let stub: NodeStub = promise.clone();
        let before = stub.plus(1);
        api.go().await.unwrap();
        let settled = promise.await.unwrap();
        assert_eq!(before.await.unwrap(), 1);
        assert_eq!(stub.plus(2).await.unwrap(), 2);
        drop(settled);
        assert_eq!(stub.next().plus(3).await.unwrap(), 4);
    }

    async fn r128_result_lives_while_it_can_be_pipelined_to(transport: Transport) {
        let main = Api::default();
        let alive = Arc::downgrade(&main.alive);
        let (api, link) = open(transport, main).await;
        let promise = api.watched();
        for n in 0..10 {
            assert_eq!(api.sum(n, 1).await.unwrap(), n + 1);
        }
        assert_eq!(alive.strong_count(), 2);
        assert!(promise.ping().await.unwrap());
        drop(promise);
        until(|| alive.strong_count() == 1).await;
        link.server_holds(0).await;
    }

    async fn promises_of_stubs_and_functions_are_arguments(transport: Transport) {
        let (api, _link) = open(transport, Api::default()).await;
        let company = api.company(0);
        assert_eq!(api.ask(company.outbox()).await.unwrap(), 2);
        assert_eq!(api.ask(company.address().desk()).await.unwrap(), 4);
        assert_eq!(api.ask_node(api.root().next().next()).await.unwrap(), 2);
        assert_eq!(api.sum(company.pair()._0(), company.tell().call(2)).await.unwrap(), 27);
        let settled = company.await.unwrap();
        assert_eq!(api.ask(&settled.renamed).await.unwrap(), 3);
    }

    async fn a_promise_is_used_by_many_before_and_after_it_settles(transport: Transport) {
        let (api, _link) = open(transport, Api::default()).await;
        let promise = api.late_root();
        let early: Vec<_> = (0..20).map(|n| promise.plus(n)).collect();
        let stub = promise.clone();
        let awaiting = tokio::spawn(promise.into_future());
        api.go().await.unwrap();
        let node = awaiting.await.unwrap().unwrap();
        for (n, early) in (0..).zip(early) {
            assert_eq!(early.await.unwrap(), n);
        }
        assert_eq!((node.plus(5).await.unwrap(), stub.plus(6).await.unwrap()), (5, 6));
    }
}
