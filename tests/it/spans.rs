//! The spans of calls at both ends: rows 256 to 261.

use std::sync::Arc;
use std::time::Duration;

use farcall::context::{CallContext, TraceContext};
use farcall::prelude::*;
use tokio::sync::Notify;

use crate::kit::spans::Spans;
use crate::kit::{Transport, in_time, open, until};

#[derive(Clone, Default)]
pub struct Main {
    started: Arc<Notify>,
}

#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize, RpcValue)]
#[error("no such thing")]
pub struct Missing;

#[rpc_target]
impl Main {
    pub fn plain(&self, n: i64) -> i64 {
        tracing::info!("in a method");
        n
    }

    pub async fn later(&self, n: i64) -> i64 {
        tokio::task::yield_now().await;
        tracing::info!("in a method, later");
        n
    }

    pub async fn through(&self, other: MainStub) -> i64 {
        tokio::task::yield_now().await;
        other.plain(3).await.unwrap()
    }

    pub fn child(&self) -> Self {
        self.clone()
    }

    pub fn missing(&self) -> Result<i64, Missing> {
        Err(Missing)
    }

    pub async fn wait(&self) {
        self.started.notify_one();
        std::future::pending().await
    }
}

/// Runs a behaviour on one thread, where all spans of it are caught.
async fn watched<F: Future<Output = ()>>(
    transport: Transport,
    behaviour: impl FnOnce(Transport, Spans) -> F,
) {
    let spans = Spans::default();
    // What nobody wants on another thread must not decide what is wanted here.
    let _other = tracing::Dispatch::new(Spans::default());
    let _caught = tracing::subscriber::set_default(spans.clone());
    tracing::callsite::rebuild_interest_cache();
    in_time(behaviour(transport, spans)).await;
}

macro_rules! watched {
    ($($(#[$meta:meta])* async fn $name:ident($transport:ident, $spans:ident) $body:block)*) => {
        $($(#[$meta])* mod $name {
            use super::*;
            async fn behaviour($transport: Transport, $spans: Spans) $body
            #[tokio::test] async fn in_process() { watched(Transport::InProcess, behaviour).await }
            #[tokio::test] async fn duplex() { watched(Transport::Duplex, behaviour).await }
            #[tokio::test] async fn tcp() { watched(Transport::Tcp, behaviour).await }
            #[tokio::test] async fn unix() { watched(Transport::Unix, behaviour).await }
        })*
    };
}

watched! {
    async fn r256_both_ends_have_a_span(transport, spans) {
        let (stub, _link) = open(transport, Main::default()).await;
        stub.plain(1).await.unwrap();
        stub.later(1).await.unwrap();
        for method in ["plain", "later"] {
            let (_, call) = spans.of("call", method);
            assert_eq!((call.field("interface"), call.field("outcome")), ("Main", "value"), "{call:?}");
            assert!(call.closed, "{call:?}");
            if transport.has_wire() {
                assert_eq!((call.field("bytes"), call.field("depth")), ("1", "1"), "{call:?}");
                let (_, request) = spans.of("request", method);
                assert_eq!((request.field("interface"), request.field("outcome")), ("Main", "value"));
                assert!(request.closed, "{request:?}");
            }
        }
        // What a method logs is within its span, before and after it has waited.
        let places = [spans.of("call", "plain").0, spans.of("call", "later").0];
        assert_eq!(spans.events(), places.map(Some));
    }

    async fn r256_outcome_of_a_call_is_told(transport, spans) {
        let main = Main::default();
        let (stub, _link) = open(transport, main.clone()).await;
        stub.missing().await.unwrap_err();
        let waiting = stub.wait();
        main.started.notified().await;
        drop(waiting);
        until(|| spans.of("call", "wait").1.closed).await;
        assert_eq!(spans.of("call", "wait").1.field("outcome"), "cancelled");
        assert_eq!(spans.of("call", "missing").1.field("outcome"), "error: no such thing");
        let main = Main::default();
        let (stub, _link) = open(transport, main).await;
        farcall::deadline(Duration::from_millis(20), async { stub.wait().await.unwrap_err() }).await;
        if transport.has_wire() {
            assert_eq!(spans.of("request", "missing").1.field("outcome"), "error");
            assert_eq!(spans.of("request", "wait").1.field("outcome"), "given up");
        }
    }

    async fn r261_chain_is_one_trace(transport, spans) {
        let (stub, _link) = open(transport, Main::default()).await;
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = CallContext::current().with_trace(TraceContext::parse(parent).unwrap());
        let own: MainStub = Main::default().into_stub();
        context.scope(async { stub.child().through(&own).await.unwrap() }).await;
        for method in ["child", "through", "plain"] {
            assert_eq!(spans.of("call", method).1.field("traced"), parent, "{method}");
        }
        // A call that a method makes is below the method.
        let through = spans.of("call", "through").0;
        let inner = if transport.has_wire() { spans.of("request", "plain") } else { spans.of("call", "plain") };
        assert_eq!(inner.1.above, Some(through));
        until(|| spans.all().iter().all(|span| span.closed)).await;
    }
}
