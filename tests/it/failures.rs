//! Calls that fail: which kind each failure is, whether the call may have run, and that every call settles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use farcall::prelude::*;
use farcall::{Limits, Pipeline};
use serde::{Deserialize, Serialize, Serializer};

use crate::kit::{Transport, behaviours, in_time, open, open_with, until};

#[derive(Debug, Deserialize, RpcValue)]
pub struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it does not want to be written"))
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize, RpcValue)]
#[error("refused")]
pub struct Refused;

#[derive(Default)]
pub struct Worker {
    started: Arc<AtomicU32>,
}

#[rpc_target]
impl Worker {
    pub fn ping(&self) {}

    pub fn work(&self) {
        self.started.fetch_add(1, SeqCst);
    }

    pub async fn never(&self) -> Self {
        self.started.fetch_add(1, SeqCst);
        std::future::pending().await
    }

    pub async fn refuses(&self, refuse: bool) -> Result<(), Refused> {
        if refuse {
            return Err(Refused);
        }
        self.started.fetch_add(1, SeqCst);
        std::future::pending().await
    }

    pub fn unwritable(&self, _value: Unwritable) -> Self {
        Self { started: Arc::clone(&self.started) }
    }

    pub fn take(&self, bytes: Vec<u8>) -> Self {
        self.started.fetch_add(bytes.len() as u32, SeqCst);
        Self { started: Arc::clone(&self.started) }
    }
}

/// What a newer version of the contract has.
#[rpc_target]
pub trait NewerWorker {
    fn ping(&self);
    fn rest(&self) -> NewerWorkerStub;
}

/// An application's own error, of which a call's failure is one.
#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error("the worker: {0}")]
    Worker(#[from] CallError<Refused>),
    #[error("the call: {0}")]
    Call(#[from] Error),
}

async fn run(stub: &WorkerStub, refuse: bool) -> Result<(), AppError> {
    stub.ping().await?;
    stub.refuses(refuse).await?;
    Ok(())
}

fn not_run(error: &Error, kind: ErrorKind) {
    assert_eq!((error.kind(), error.may_have_run()), (kind, false), "{error}");
}

behaviours! {
    async fn r175_unknown_method_is_named(transport: Transport) {
        let (stub, _link) = open(transport, Worker::default()).await;
        let newer = NewerWorkerStub::from_handle(Pipeline::handle(&stub).clone());
        let error = newer.rest().await.unwrap_err();
        not_run(&error, ErrorKind::UnknownMethod);
        assert!(error.message().contains("`rest`") && error.message().contains("`Worker`"), "{error}");
        let error = newer.rest().ping().await.unwrap_err();
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Upstream, ErrorKind::UnknownMethod), "{error}");
        newer.ping().await.unwrap();
        stub.ping().await.unwrap();
    }
}

behaviours! { wire
    async fn r23_failure_comes_out_of_the_promise(transport: Transport) {
        let mut limits = Limits::default();
        limits.frame_bytes = 4096;
        let worker = Worker::default();
        let started = Arc::clone(&worker.started);
        let (stub, link) = open_with(transport, Duration::ZERO, limits, worker).await;
        stub.ping().await.unwrap();
        let unwritable = stub.unwritable(Unwritable);
        let behind = unwritable.ping();
        let error = unwritable.await.unwrap_err();
        not_run(&error, ErrorKind::BadArguments);
        assert!(error.message().contains("`unwritable`"), "{error}");
        not_run(&behind.await.unwrap_err(), ErrorKind::Upstream);
        let large = stub.take(vec![1; 5000]);
        let behind = large.ping();
        let error = large.await.unwrap_err();
        not_run(&error, ErrorKind::Limit);
        assert!(error.message().contains("frame_bytes") && error.message().contains("4096"), "{error}");
        not_run(&behind.await.unwrap_err(), ErrorKind::Upstream);
        stub.take(vec![]).ping().await.unwrap();
        link.cut();
        link.client.as_ref().unwrap().closed().await;
        let broken = stub.take(vec![1]);
        let behind = broken.ping();
        not_run(&broken.await.unwrap_err(), ErrorKind::Disconnected);
        not_run(&behind.await.unwrap_err(), ErrorKind::Disconnected);
        assert_eq!(started.load(SeqCst), 0);
    }

    async fn r170_own_error_and_failed_call_are_apart(transport: Transport) {
        let worker = Worker::default();
        let started = Arc::clone(&worker.started);
        let (stub, link) = open(transport, worker).await;
        assert_eq!(stub.refuses(true).await.unwrap_err(), CallError::User(Refused));
        assert!(matches!(run(&stub, true).await, Err(AppError::Worker(CallError::User(Refused)))));
        let cut_off = stub.refuses(false);
        until(|| started.load(SeqCst) == 1).await;
        link.cut();
        let error = cut_off.await.unwrap_err();
        assert_eq!(error.user(), None);
        assert_eq!(error.rpc().map(Error::kind), Some(ErrorKind::Disconnected));
        let Err(AppError::Call(error)) = run(&stub, true).await else { panic!("the call itself failed") };
        not_run(&error, ErrorKind::Disconnected);
    }

    async fn r171_retryable_and_overloaded_are_told_apart(transport: Transport) {
        let mut limits = Limits::default();
        limits.calls_in_flight = 2;
        let worker = Worker::default();
        let started = Arc::clone(&worker.started);
        let (stub, link) = open_with(transport, Duration::ZERO, limits, worker).await;
        let in_flight = (stub.never(), stub.never());
        until(|| started.load(SeqCst) == 2).await;
        let error = stub.ping().await.unwrap_err();
        not_run(&error, ErrorKind::Overloaded);
        assert!(!error.is_retryable() && error.message().contains("calls_in_flight"), "{error}");
        drop(in_flight.1);
        let unknown = NewerWorkerStub::from_handle(Pipeline::handle(&stub).clone()).rest();
        assert!(!unknown.await.unwrap_err().is_retryable());
        // The one call that is left keeps the connection open.
        link.server.as_ref().unwrap().shutdown();
        let error = loop {
            match stub.ping().await {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        not_run(&error, ErrorKind::ShuttingDown);
        assert!(error.is_retryable());
        link.cut();
        let error = in_flight.0.await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Disconnected, false), "it may have run");
        let error = stub.ping().await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Disconnected, true), "{error}");
    }

    async fn r173_disconnected_says_whether_it_may_have_run(transport: Transport) {
        let worker = Worker::default();
        let started = Arc::clone(&worker.started);
        let (stub, link) = open(transport, worker).await;
        let running = stub.never();
        until(|| started.load(SeqCst) == 1).await;
        link.cut();
        let error = running.await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, true), "{error}");
        not_run(&stub.work().await.unwrap_err(), ErrorKind::Disconnected);
        assert_eq!(started.load(SeqCst), 1);
    }

    async fn r285_every_call_settles(transport: Transport) {
        // Its own driver goes, and the peer's.
        for ours in [true, false] {
            let worker = Worker::default();
            let started = Arc::clone(&worker.started);
            let (stub, link) = open(transport, worker).await;
            let calls: Vec<_> = (0..5).map(|_| stub.never()).collect();
            let behind = calls[0].ping();
            until(|| started.load(SeqCst) == 5).await;
            if ours { link.cut_caller() } else { link.cut_callee() }
            for call in calls {
                assert_eq!(call.await.err().map(|error| error.kind()), Some(ErrorKind::Disconnected));
            }
            assert_eq!(behind.await.unwrap_err().kind(), ErrorKind::Disconnected);
        }
    }
}

#[tokio::test]
async fn r173_call_that_was_never_sent_did_not_run() {
    let (stub, link) = open(Transport::Duplex, Worker::default()).await;
    stub.ping().await.unwrap();
    // On this one thread no driver runs between these two.
    let unsent = stub.work();
    link.cut();
    let error = unsent.await.unwrap_err();
    not_run(&error, ErrorKind::Disconnected);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn r285_calls_settle_when_the_grace_of_a_shutdown_ends() {
    let worker = Worker::default();
    let started = Arc::clone(&worker.started);
    let mut server = farcall::serve("tcp://127.0.0.1:0", worker).await.unwrap();
    let uri = server.uri();
    in_time(async {
        let (stub, running) = tokio::select! {
            _ = &mut server => panic!("it serves for ever"),
            connected = async {
                let stub: WorkerStub = farcall::connect(&uri).await.unwrap();
                let running = stub.never();
                until(|| started.load(SeqCst) == 1).await;
                (stub, running)
            } => connected,
        };
        server.shutdown(Duration::from_millis(20)).await;
        let error = running.await.err().unwrap();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, true), "{error}");
        let error = stub.ping().await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    })
    .await;
}

#[test]
fn r285_calls_settle_when_the_runtime_of_the_method_ends() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let theirs = runtime();
    let worker = Worker::default();
    let started = Arc::clone(&worker.started);
    let running = theirs.block_on(async {
        let stub: WorkerStub = worker.into_stub();
        let running = stub.never();
        until(|| started.load(SeqCst) == 1).await;
        running
    });
    theirs.shutdown_timeout(Duration::from_secs(10));
    let error = runtime().block_on(async { tokio::time::timeout(Duration::from_secs(10), running).await });
    let error = error.unwrap().err().unwrap();
    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Cancelled, true), "{error}");
}
