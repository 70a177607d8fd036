//! The transports, and the addresses by which they are reached.

use std::io::ErrorKind as IoErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use farcall::prelude::*;
use farcall::{Endpoint, Limits};

use crate::kit::{Transport, in_time, open, open_with};

#[derive(Default)]
pub struct Echo {
    calls: Arc<AtomicUsize>,
}

#[rpc_target]
impl Echo {
    pub fn echo(&self, text: String) -> String {
        self.calls.fetch_add(1, Ordering::SeqCst);
        text
    }

    pub async fn back(&self, function: RpcFn<fn(String) -> String>) -> String {
        function.call("back").await.unwrap()
    }

    pub fn again(&self) -> Self {
        Self { calls: Arc::clone(&self.calls) }
    }
}

/// What has to work over everything that carries calls.
async fn works(stub: &EchoStub) {
    assert_eq!(stub.echo("there").await.unwrap(), "there");
    assert_eq!(stub.back(|text: String| text + " again").await.unwrap(), "back again");
    assert_eq!(stub.again().again().echo("far").await.unwrap(), "far");
}

#[tokio::test]
async fn r26_every_transport_runs_the_list() {
    in_time(async {
        for transport in [Transport::InProcess, Transport::Duplex, Transport::Tcp, Transport::Unix] {
            let main = Echo::default();
            let calls = Arc::clone(&main.calls);
            let (stub, link) = open(transport, main).await;
            works(&stub).await;
            assert_eq!(calls.load(Ordering::SeqCst), 2, "{transport:?}");
            // What has a wire is seen to use it, and only that.
            let frames = link.counters.as_ref().map_or(0, |counters| counters.read().frames_out);
            assert_eq!(frames > 2, transport.has_wire(), "{transport:?}");
            assert_eq!(transport.has_wire(), transport != Transport::InProcess);
        }
    })
    .await;
}

#[tokio::test]
async fn delay_of_the_transport_is_paid_once_a_round_trip() {
    in_time(async {
        let delay = Duration::from_millis(10);
        let (stub, link) = open_with(Transport::Duplex, delay, Limits::default(), Echo::default()).await;
        let started = std::time::Instant::now();
        works(&stub).await;
        // Less it cannot be: three awaited calls, there and back.
        assert!(started.elapsed() >= 6 * delay);
        assert!(link.counters.as_ref().unwrap().read().round_trips >= 3);
    })
    .await;
}

#[tokio::test]
async fn addresses_are_served_and_reached() {
    in_time(async {
        let directory = std::env::temp_dir().join(format!("farcall-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let socket = directory.join("echo.sock");
        for uri in ["tcp://127.0.0.1:0".to_owned(), format!("unix:{}", socket.display())] {
            let server = farcall::serve::<EchoStub>(&uri, Echo::default()).await.unwrap();
            let uri = server.uri();
            let serving = tokio::spawn(server);
            // Several at once, each with a connection of its own.
            let one: EchoStub = farcall::connect(&uri).await.unwrap();
            let connection = Endpoint::new().connect(&uri).await.unwrap();
            let other: EchoStub = farcall::main_stub(&connection);
            tokio::join!(works(&one), works(&other));
            // A server that is gone leaves the connections that there are.
            serving.abort();
            assert!(serving.await.unwrap_err().is_cancelled());
            works(&one).await;
            assert!(farcall::connect::<EchoStub>(&uri).await.is_err());
        }
        std::fs::remove_dir_all(directory).unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_no_address_is_told_so() {
    for uri in ["127.0.0.1:80", "http://127.0.0.1", "", "tcp:/127.0.0.1:1"] {
        let error = farcall::connect::<EchoStub>(uri).await.unwrap_err();
        assert_eq!(error.kind(), IoErrorKind::InvalidInput, "{uri}");
        assert!(error.to_string().contains("tcp://"), "{error}");
        assert!(farcall::serve::<EchoStub>(uri, Echo::default()).await.is_err());
    }
}
