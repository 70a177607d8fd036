//! [`Balancer`]: chooses one of several connections for each call.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use farcall_core::connection::Connection;
use farcall_core::handle::Handle;
use futures_core::Stream;
use tower::Service;
use tower::balance::p2c::Balance;
use tower::discover::Change;
use tower::load::Load;

/// Spreads calls over connections: of two that it draws by lot, it takes the one with fewer calls under way. One that
/// takes no calls is dropped from it as soon as it is drawn.
pub(super) struct Balancer {
    balance: Balance<Found, ()>,
    found: mpsc::Sender<Change<usize, Backend>>,
}

impl fmt::Debug for Balancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balancer").field("connections", &self.balance.len()).finish_non_exhaustive()
    }
}

impl Balancer {
    pub(super) fn new() -> Self {
        let (found, receiver) = mpsc::channel();
        Self { balance: Balance::new(Found(receiver)), found }
    }

    /// How many connections it chooses from, as far as it has seen them.
    pub(super) fn len(&self) -> usize {
        self.balance.len()
    }

    /// There is a connection to this place; it replaces the one before.
    pub(super) fn insert(&self, place: usize, connection: &Connection, main: &Handle) {
        let backend = Backend { connection: connection.clone(), main: main.clone() };
        // The receiver is in the balancer itself.
        let _ = self.found.send(Change::Insert(place, backend));
    }

    /// The peer's main object over the connection that a call is to take. `None`: there is no connection that takes any.
    pub(super) fn choose(&mut self) -> Option<Handle> {
        // Whether a connection takes calls is known at once, so that nothing has to be waited for.
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(())) = Service::<()>::poll_ready(&mut self.balance, &mut cx) else { return None };
        let chosen = std::pin::pin!(self.balance.call(()));
        match chosen.poll(&mut cx) {
            Poll::Ready(Ok(main)) => Some(main),
            _ => None,
        }
    }
}

/// One connection, as the balancer sees it.
#[derive(Debug)]
struct Backend {
    connection: Connection,
    main: Handle,
}

impl Service<()> for Backend {
    type Response = Handle;
    type Error = Gone;
    type Future = Ready<Result<Handle, Gone>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        Poll::Ready(if self.connection.takes_calls() { Ok(()) } else { Err(Gone) })
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(self.main.clone()))
    }
}

impl Load for Backend {
    type Metric = usize;

    fn load(&self) -> usize {
        self.connection.calls_in_flight()
    }
}

/// The connection takes no calls.
#[derive(Debug)]
struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection takes no calls")
    }
}

impl std::error::Error for Gone {}

/// The connections that were made and that the balancer has not seen.
#[derive(Debug)]
struct Found(mpsc::Receiver<Change<usize, Backend>>);

impl Stream for Found {
    type Item = Result<Change<usize, Backend>, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // It is asked before each call, and woken by nobody.
        match self.0.try_recv() {
            Ok(change) => Poll::Ready(Some(Ok(change))),
            Err(_) => Poll::Pending,
        }
    }
}
