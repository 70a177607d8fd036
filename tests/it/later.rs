//! Stubs and promises of what a future of this process will give.

use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use farcall::{Stub, stub_from};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};

use crate::kit::{Transport, behaviours, open, until};

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<i64>>>);

#[rpc_target]
impl Log {
    pub fn note(&self, n: i64) -> i64 {
        self.0.lock().unwrap().push(n);
        n
    }

    pub fn part(&self) -> Self {
        self.clone()
    }
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, RpcValue, thiserror::Error)]
#[error("no route to {0}")]
pub struct NoRoute(String);

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Pair {
    pub log: LogStub,
    pub number: i64,
}

/// Takes what may not be there yet.
pub struct User;

#[rpc_target]
impl User {
    pub async fn note_all(&self, log: LogStub, count: i64) -> Result<(), Error> {
        let calls: Vec<_> = (0..count).map(|n| log.note(n)).collect();
        for call in calls {
            call.await?;
        }
        Ok(())
    }

    pub fn double(&self, n: i64) -> i64 {
        2 * n
    }
}

behaviours! {
    async fn r134_calls_wait_for_the_stub_in_order(transport: Transport) {
        let log = Log::default();
        let (found, finds) = oneshot::channel();
        let stub: LogStub = stub_from(async { finds.await.unwrap() });
        let clone = stub.clone();
        let early: Vec<_> = (0..20).map(|n| if n % 2 == 0 { stub.note(n) } else { clone.note(n) }).collect();
        let part = stub.part();
        let through = part.note(20);
        tokio::task::yield_now().await;
        assert!(log.0.lock().unwrap().is_empty());
        let (target, _link) = open(transport, log.clone()).await;
        assert!(found.send(LogStub::clone(&target)).is_ok());
        for (n, call) in (0..).zip(early) {
            assert_eq!(call.await.unwrap(), n);
        }
        through.await.unwrap();
        assert_eq!(*log.0.lock().unwrap(), (0..=20).collect::<Vec<_>>());
        assert_eq!(stub.note(21).await.unwrap(), 21);
        assert!(stub.same_target(&target));
    }

    async fn r134_stub_of_a_future_fails_with_its_error(transport: Transport) {
        let (user, _link) = open(transport, User).await;
        let fails = || async {
            tokio::task::yield_now().await;
            Err::<Log, _>(NoRoute("there".to_owned()))
        };
        let stub: LogStub = stub_from(fails());
        let error = stub.note(1).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Upstream, false));
        assert_eq!(error.user(), Some(NoRoute("there".to_owned())));
        assert!(error.message().contains("no route to there"), "{error}");
        // For good, and also for others.
        assert_eq!(stub.part().note(1).await.unwrap_err().kind(), ErrorKind::Upstream);
        let Err(CallError::User(error)) = user.note_all(&stub, 2).await else { panic!("there is no such stub") };
        assert_eq!(error.kind(), ErrorKind::Upstream, "{error}");
        let promise: Promise<LogStub, CallError<NoRoute>> = Promise::from_future(fails());
        assert_eq!(promise.await.unwrap_err(), CallError::User(NoRoute("there".to_owned())));
        let panics: LogStub = stub_from(async { if true { panic!("as the test wants it") } else { Log::default() } });
        assert_eq!(panics.note(1).await.unwrap_err().origin(), ErrorKind::Panicked);
    }

    async fn r134_stub_of_a_future_is_passed_on_before_it_is_there(transport: Transport) {
        let (user, _link) = open(transport, User).await;
        let (log, go) = (Log::default(), Arc::new(Notify::new()));
        let (target, gone) = (log.clone(), Arc::clone(&go));
        let stub: LogStub = stub_from(async move {
            gone.notified().await;
            target
        });
        let noted = user.note_all(&stub, 10);
        tokio::task::yield_now().await;
        go.notify_one();
        noted.await.unwrap();
        assert_eq!(*log.0.lock().unwrap(), (0..10).collect::<Vec<_>>());
    }

    async fn r134_promise_of_a_future_is_like_that_of_a_call(transport: Transport) {
        let (user, _link) = open(transport, User).await;
        let log = Log::default();
        let promise = Promise::from_future(async { 21i64 });
        assert_eq!(user.double(&promise).await.unwrap(), 42);
        assert_eq!(promise.await.unwrap(), 21);
        // Its parts are called through.
        let target = log.clone();
        let pair: Promise<Pair> = Promise::from_future(async move {
            tokio::task::yield_now().await;
            Pair { log: target.into_stub(), number: 4 }
        });
        assert_eq!(pair.log().note(1).await.unwrap(), 1);
        assert_eq!(user.double(pair.number()).await.unwrap(), 8);
        assert_eq!(pair.await.unwrap().log.note(2).await.unwrap(), 2);
        assert_eq!(*log.0.lock().unwrap(), [1, 2]);
    }

    async fn r134_future_is_cancelled_with_its_last_stub(transport: Transport) {
        let (user, _link) = open(transport, User).await;
        let alive = Arc::new(());
        let pending = || {
            let alive = Arc::clone(&alive);
            async move {
                let _alive = alive;
                std::future::pending::<Log>().await
            }
        };
        let stub: LogStub = stub_from(pending());
        let (clone, call) = (stub.clone(), stub.note(1));
        let promised = user.double(Promise::from_future(async { std::future::pending::<i64>().await }));
        tokio::task::yield_now().await;
        drop(stub);
        drop(clone);
        user.double(1).await.unwrap();
        assert_eq!(Arc::strong_count(&alive), 2, "a call waits for it");
        drop(call);
        until(|| Arc::strong_count(&alive) == 1).await;
        drop(promised);
        // Detached, it goes on.
        let done = Arc::new(Notify::new());
        let (told, began) = (Arc::clone(&done), Arc::new(Notify::new()));
        let go = Arc::clone(&began);
        Promise::detach(Promise::<(), Error>::from_future(async move {
            go.notified().await;
            told.notify_one();
        }));
        began.notify_one();
        done.notified().await;
    }
}

#[tokio::test]
async fn r134_connecting_lazily() {
    let server = farcall::serve("tcp://127.0.0.1:0", User).await.unwrap();
    let uri = server.uri();
    tokio::spawn(server);
    let user: UserStub =
        stub_from(async move { farcall::connect::<UserStub>(&uri).await.map_err(Fault::new) });
    assert_eq!(user.double(user.double(2)).await.unwrap(), 8);
    let nowhere: UserStub =
        stub_from(async { farcall::connect::<UserStub>("unix:/nowhere/at/all").await.map_err(Fault::new) });
    let error = nowhere.double(2).await.unwrap_err();
    assert!(error.user::<Fault>().is_some(), "{error}");
}
