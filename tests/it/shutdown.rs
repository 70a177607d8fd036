//! How connections end: by themselves, in peace, and by force.

use std::sync::Arc;
use std::time::Duration;

use farcall::prelude::*;
use farcall::{Connection, Endpoint, Limits, Server};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::kit::{Transport, behaviours, open, open_with, until};

#[derive(Clone, Default)]
pub struct Main {
    started: Arc<Notify>,
    go: Arc<Notify>,
    alive: Arc<()>,
}

#[rpc_target]
impl Main {
    pub fn ping(&self) -> bool {
        true
    }

    pub async fn wait(&self) -> i64 {
        let _alive = Arc::clone(&self.alive);
        self.started.notify_one();
        self.go.notified().await;
        7
    }

    /// Calls back, when it is let go.
    pub async fn call_back_later(&self, callback: RpcFn<fn(i64) -> i64>) -> i64 {
        self.started.notify_one();
        self.go.notified().await;
        callback.call(20).await.unwrap() + callback.call(1).await.unwrap()
    }

    /// Calls the caller's object, which calls this one, and so on.
    pub async fn count_down(&self, other: MainStub, n: i64) -> i64 {
        if n == 0 {
            return 0;
        }
        let own: MainStub = self.clone().into_stub();
        1 + other.count_down(&own, n - 1).await.unwrap()
    }

    /// Has the caller's object wait, and does not wait for it.
    pub fn leave_waiting(&self, other: MainStub) {
        Promise::detach(other.wait());
    }

    pub fn child(&self) -> Self {
        self.clone()
    }
}

/// A server that runs until it is told to shut down.
async fn serve(main: Main, grace: Duration) -> (String, oneshot::Sender<()>, JoinHandle<()>) {
    let mut server: Server = farcall::serve::<MainStub>("tcp://127.0.0.1:0", main).await.unwrap();
    let uri = server.uri();
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(async move {
        tokio::select! {
            ended = &mut server => panic!("{ended:?}"),
            _ = stopped => {}
        }
        server.shutdown(grace).await;
    });
    (uri, stop, running)
}

/// Longer than a test may take.
const LONG: Duration = Duration::from_secs(60);

macro_rules! on_both_runtimes {
    ($($(#[$meta:meta])* async fn $name:ident() $body:block)*) => {
        $($(#[$meta])* mod $name {
            use super::*;
            async fn behaviour() {
                crate::kit::in_time(async move $body).await
            }
            #[tokio::test] async fn one_thread() { behaviour().await }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn threads() { behaviour().await }
        })*
    };
}

behaviours! { wire
    async fn r15_connection_with_nothing_held_ends_itself(transport: Transport) {
        // Nothing was ever called.
        let (stub, link) = open(transport, Main::default()).await;
        let (client, server) = (link.client.as_ref().unwrap(), link.server.as_ref().unwrap());
        drop(stub);
        tokio::join!(client.closed(), server.closed());

        let main = Main::default();
        let go = Arc::clone(&main.go);
        let (stub, link) = open(transport, main.clone()).await;
        let (client, server) = (link.client.as_ref().unwrap(), link.server.as_ref().unwrap());
        assert!(stub.ping().await.unwrap());
        let child = stub.child().await.unwrap();
        let waiting = stub.wait();
        main.started.notified().await;
        drop(stub);
        assert!(child.ping().await.unwrap());
        drop(child);
        // A call in flight is enough.
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(client.ended().is_none() && server.ended().is_none());
        go.notify_one();
        assert_eq!(waiting.await.unwrap(), 7);
        let (ours, theirs) = tokio::join!(client.closed(), server.closed());
        assert_eq!((ours.kind(), theirs.kind()), (ErrorKind::Disconnected, ErrorKind::Disconnected));
    }

    async fn callback_that_the_peer_keeps_holds_the_connection(transport: Transport) {
        let main = Main::default();
        let (stub, link) = open(transport, main.clone()).await;
        let (client, server) = (link.client.as_ref().unwrap(), link.server.as_ref().unwrap());
        Promise::detach(stub.call_back_later(|n: i64| n * 2));
        main.started.notified().await;
        drop(stub);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(client.ended().is_none() && server.ended().is_none());
        main.go.notify_one();
        tokio::join!(client.closed(), server.closed());
    }

    async fn connection_ends_after_the_last_call_that_nobody_waits_for(transport: Transport) {
        // Without keep-alive nothing else wakes the drivers.
        let mut limits = Limits::default();
        limits.keep_alive = None;
        limits.handshake = Duration::MAX;
        limits.write_stall = Duration::MAX;
        let (stub, link) = open_with(transport, Duration::ZERO, limits, Main::default()).await;
        let (client, server) = (link.client.as_ref().unwrap(), link.server.as_ref().unwrap());
        let own = Main::default();
        stub.leave_waiting(own.clone()).await.unwrap();
        own.started.notified().await;
        drop(stub);
        // Its own object is given back; what remains is the call, which has no answer.
        until(|| client.table_sizes() == (1, 0)).await;
        own.go.notify_one();
        tokio::join!(client.closed(), server.closed());
    }

    async fn r286_ended_connection_breaks_both_sides(transport: Transport) {
        for end in ["cut", "close", "close at the callee"] {
            let main = Main::default();
            let (stub, link) = open(transport, main.clone()).await;
            let (client, server) = (link.client.as_ref().unwrap(), link.server.as_ref().unwrap());
            let own = Main::default();
            let own_stub: MainStub = own.clone().into_stub();
            let back = stub.count_down(&own_stub, 0);
            let child = stub.child().await.unwrap();
            assert_eq!(back.await.unwrap(), 0);
            let (waiting, unsettled) = (stub.wait(), stub.child());
            main.started.notified().await;
            let reason = Error::new(ErrorKind::Disconnected, "as the test wants it");
            match end {
                "cut" => link.cut(),
                "close" => client.close(reason),
                _ => server.close(reason),
            }
            let error = waiting.await.unwrap_err();
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, true), "{end}");
            for error in [stub.ping().await, child.ping().await].map(Result::unwrap_err) {
                assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false), "{end}");
            }
            drop(unsettled);
            assert!(matches!(stub.closed().await, farcall::Reason::Disconnected(_)));
            server.closed().await;
            // The test's, and its own object's: the method, the children and the main object are gone.
            until(|| Arc::strong_count(&main.alive) == 1).await;
            drop(own_stub);
            until(|| Arc::strong_count(&own.alive) == 1).await;
            assert_eq!((client.table_sizes().0, server.table_sizes().0), (0, 0), "{end}");
        }
    }
}

on_both_runtimes! {
    async fn shutdown_lets_running_calls_end_and_call_back() {
        let main = Main::default();
        let (uri, stop, running) = serve(main.clone(), LONG).await;
        let stub: MainStub = farcall::connect(&uri).await.unwrap();
        let calling = tokio::spawn(stub.call_back_later(|n: i64| n * 2).into_future());
        main.started.notified().await;
        let idle: MainStub = farcall::connect(&uri).await.unwrap();
        assert!(idle.ping().await.unwrap());
        stop.send(()).unwrap();
        // The one that has nothing to wait for is closed; new calls on the other are refused.
        idle.closed().await;
        let refused = loop {
            match stub.ping().await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        };
        assert_eq!((refused.kind(), refused.may_have_run()), (ErrorKind::ShuttingDown, false));
        assert!(refused.is_retryable());
        main.go.notify_one();
        assert_eq!(calling.await.unwrap().unwrap(), 42);
        running.await.unwrap();
        assert_eq!(stub.ping().await.unwrap_err().kind(), ErrorKind::Disconnected);
        assert!(farcall::connect::<MainStub>(&uri).await.is_err());
    }

    async fn shutdown_does_not_wait_for_stubs_and_promises_that_are_held() {
        let (uri, stop, running) = serve(Main::default(), LONG).await;
        let stub: MainStub = farcall::connect(&uri).await.unwrap();
        let child = stub.child().await.unwrap();
        let promised: MainStub = stub.child().clone();
        assert!(promised.ping().await.unwrap());
        stop.send(()).unwrap();
        running.await.unwrap();
        for error in [stub.ping().await, child.ping().await, promised.ping().await].map(Result::unwrap_err) {
            assert!(!error.may_have_run());
        }
    }

    async fn what_has_not_ended_after_the_grace_fails() {
        let main = Main::default();
        let (uri, stop, running) = serve(main.clone(), Duration::from_millis(20)).await;
        let stub: MainStub = farcall::connect(&uri).await.unwrap();
        let waiting = tokio::spawn(stub.wait().into_future());
        main.started.notified().await;
        stop.send(()).unwrap();
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, true));
        running.await.unwrap();
        until(|| Arc::strong_count(&main.alive) == 1).await;
    }

    async fn dropped_driver_settles_every_promise() {
        let (near, far) = tokio::io::duplex(1024);
        let (server, server_driver) = Endpoint::new().offer::<MainStub>(Main::default()).accept_over(far);
        let (client, client_driver) = Endpoint::new().connect_over(near);
        let stub: MainStub = farcall::main_stub(&client);
        let (waiting, detached) = (stub.wait(), stub.wait());
        Promise::detach(detached);
        let behind = stub.child().ping();
        drop(client_driver);
        // Nothing was ever sent.
        for error in [waiting.await.map(drop), behind.await.map(drop)].map(Result::unwrap_err) {
            assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Disconnected, false));
        }
        assert_eq!(stub.ping().await.unwrap_err().kind(), ErrorKind::Disconnected);
        drop(server_driver);
        assert_eq!(server.closed().await.kind(), ErrorKind::Disconnected);
    }

    async fn r17_either_side_calls_the_other() {
        let ((one, a), (other, b)) = connected();
        let (there, back) = tokio::join!(a.ping().into_future(), b.ping().into_future());
        assert!(there.unwrap() && back.unwrap());
        let own: MainStub = Main::default().into_stub();
        let (there, back) = (a.count_down(&own, 6), b.count_down(&own, 5));
        assert_eq!((there.await.unwrap(), back.await.unwrap()), (6, 5));
        // Each side's object is one that the other made.
        assert!(a.child().ping().await.unwrap() && b.child().ping().await.unwrap());
        drop((a, b));
        tokio::join!(one.closed(), other.closed());
    }

    async fn side_that_offers_nothing_says_so() {
        let (near, far) = tokio::io::duplex(1024);
        let (server, driver) = Endpoint::new().offer::<MainStub>(Main::default()).accept_over(far);
        tokio::spawn(driver);
        let (client, driver) = Endpoint::new().connect_over(near);
        let stub: MainStub = farcall::main_stub(&client);
        tokio::spawn(driver);
        let nothing: MainStub = farcall::main_stub(&server);
        let error = nothing.ping().await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Unsupported, false));
        assert!(stub.ping().await.unwrap());
    }
}

/// Two ends of a connection, both of which offer an object, and the stubs that each has of the other's.
fn connected() -> ((Connection, MainStub), (Connection, MainStub)) {
    let (near, far) = tokio::io::duplex(1024);
    let endpoint = || Endpoint::new().offer::<MainStub>(Main::default());
    let (one, one_driver) = endpoint().connect_over(near);
    let (other, other_driver) = endpoint().accept_over(far);
    let stubs = (farcall::main_stub(&one), farcall::main_stub(&other));
    tokio::spawn(one_driver);
    tokio::spawn(other_driver);
    ((one, stubs.0), (other, stubs.1))
}
