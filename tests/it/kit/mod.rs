//! What the behaviours are tested with: one list of transports, and a macro that runs a test over all of them.

pub mod capture;
pub mod narrow;
pub mod raw;
pub mod spans;

use std::time::Duration;

use farcall::probe::{Counters, Probe};
use farcall::{Connection, Endpoint, IntoStub, Limits, Stub};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

use narrow::Narrow;

/// How caller and callee are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The stub calls the target in its own process; nothing is serialised.
    InProcess,
    /// A pipe in memory.
    Duplex,
    /// A TCP connection over the loopback interface.
    Tcp,
    /// A Unix socket.
    Unix,
}

impl Transport {
    /// Whether frames cross something.
    pub fn has_wire(self) -> bool {
        self != Self::InProcess
    }
}

/// The connection behind a stub: to look at, and to cut. In process there is none.
pub struct Link {
    /// The caller's end.
    pub client: Option<Connection>,
    /// The callee's end.
    pub server: Option<Connection>,
    /// What crossed, seen from the caller.
    pub counters: Option<Counters>,
    drivers: Vec<JoinHandle<()>>,
}

impl Link {
    /// Loses the connection, without a word to either side.
    pub fn cut(&self) {
        for driver in &self.drivers {
            driver.abort();
        }
    }

    /// Ends the caller's driver only; the callee finds its transport closed.
    pub fn cut_caller(&self) {
        self.drivers.iter().take(1).for_each(JoinHandle::abort);
    }

    /// Ends the callee's driver only; the caller finds its transport closed.
    pub fn cut_callee(&self) {
        self.drivers.iter().skip(1).for_each(JoinHandle::abort);
    }

    /// Waits until the callee holds so many targets and calls for its caller.
    pub async fn server_holds(&self, entries: usize) {
        let Some(server) = &self.server else { return };
        until(|| server.table_sizes().0 == entries).await;
    }
}

/// Opens `main` to a caller over `transport`.
pub async fn open<S: Stub>(transport: Transport, main: impl IntoStub<S>) -> (S, Link) {
    open_with(transport, Duration::ZERO, Limits::default(), main).await
}

/// The same, with a delay in each direction and with limits for both sides; in process there are neither.
pub async fn open_with<S: Stub>(
    transport: Transport,
    delay: Duration,
    limits: Limits,
    main: impl IntoStub<S>,
) -> (S, Link) {
    open_over(transport, (delay, false), limits, main).await
}

/// The same, with what is read coming in small portions at either end: what was written at once arrives bit by bit, and
/// tasks run in between.
pub async fn open_narrow<S: Stub>(
    transport: Transport,
    delay: Duration,
    main: impl IntoStub<S>,
) -> (S, Link) {
    open_over(transport, (delay, true), Limits::default(), main).await
}

async fn open_over<S: Stub>(
    transport: Transport,
    how: (Duration, bool),
    limits: Limits,
    main: impl IntoStub<S>,
) -> (S, Link) {
    if transport == Transport::InProcess {
        let link = Link { client: None, server: None, counters: None, drivers: Vec::new() };
        return (main.into_stub(), link);
    }
    let callee = Endpoint::new().limits(limits.clone()).offer::<S>(main);
    let caller = Endpoint::new().limits(limits);
    match transport {
        Transport::InProcess | Transport::Duplex => {
            let (a, b) = tokio::io::duplex(64 * 1024);
            join(caller, callee, a, b, how)
        }
        Transport::Tcp => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (a, b) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (a, b) = (a.unwrap(), b.unwrap().0);
            a.set_nodelay(true).unwrap();
            b.set_nodelay(true).unwrap();
            join(caller, callee, a, b, how)
        }
        Transport::Unix => {
            let (a, b) = UnixStream::pair().unwrap();
            join(caller, callee, a, b, how)
        }
    }
}

fn join<S: Stub, A, B>(
    caller: Endpoint,
    callee: Endpoint,
    a: A,
    b: B,
    (delay, narrow): (Duration, bool),
) -> (S, Link)
where
    A: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (probe, counters) = Probe::new(a, delay);
    type Running = std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>;
    let (client, client_driver): (_, Running) = if narrow {
        let (client, driver) = caller.connect_over(Narrow::new(probe));
        (client, Box::pin(driver))
    } else {
        let (client, driver) = caller.connect_over(probe);
        (client, Box::pin(driver))
    };
    let (server, server_driver): (_, Running) = if narrow {
        let (server, driver) = callee.accept_over(Narrow::new(b));
        (server, Box::pin(driver))
    } else {
        let (server, driver) = callee.accept_over(b);
        (server, Box::pin(driver))
    };
    // The stub is made before the driver runs: an unused connection would close itself.
    let stub = farcall::main_stub(&client);
    let run = |driver: Running| {
        tokio::spawn(async move {
            // How a connection ends is what tests look at from above.
            let _ = driver.await;
        })
    };
    let drivers = vec![run(client_driver), run(server_driver)];
    (stub, Link { client: Some(client), server: Some(server), counters: Some(counters), drivers })
}

/// Waits until something holds, for ten seconds at most.
pub async fn until(holds: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "it has not come to hold within ten seconds");
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
}

/// A behaviour, which has thirty seconds: a call that never settles is a failure, not a test run that hangs.
pub async fn in_time(behaviour: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(30), behaviour)
        .await
        .expect("the test ends within thirty seconds");
}

/// Runs each test over every transport, and over TCP also on a runtime with several threads. With `wire` in front,
/// over those transports that have a wire.
macro_rules! behaviours {
    (wire $($(#[$meta:meta])* async fn $name:ident($transport:ident: Transport) $body:block)*) => {
        $($(#[$meta])* mod $name {
            use super::*;
            async fn behaviour($transport: Transport) {
                $crate::kit::in_time(async move $body).await
            }
            $crate::kit::behaviours!(@wire behaviour);
        })*
    };
    (@wire $behaviour:ident) => {
        #[tokio::test] async fn duplex() { $behaviour(Transport::Duplex).await }
        #[tokio::test] async fn tcp() { $behaviour(Transport::Tcp).await }
        #[tokio::test] async fn unix() { $behaviour(Transport::Unix).await }
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn tcp_threads() { $behaviour(Transport::Tcp).await }
    };
    ($($(#[$meta:meta])* async fn $name:ident($transport:ident: Transport) $body:block)*) => {
        $($(#[$meta])* mod $name {
            use super::*;
            async fn behaviour($transport: Transport) {
                $crate::kit::in_time(async move $body).await
            }
            #[tokio::test] async fn in_process() { behaviour(Transport::InProcess).await }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn in_process_threads() { behaviour(Transport::InProcess).await }
            $crate::kit::behaviours!(@wire behaviour);
        })*
    };
}
pub(crate) use behaviours;
