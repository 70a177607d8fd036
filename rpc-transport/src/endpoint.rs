//! Connecting and serving: from an address, or a byte stream, to a stub.

use std::io;
use std::sync::Arc;

use farcall_core::connection::{Connection, Greeting, MainObject};
use farcall_core::error::Error;
use farcall_core::limits::Limits;
use farcall_core::stub::{IntoStub, Stub};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::driver::{Driver, Side};
use crate::offer::{Asked, Offered};
use crate::peer::Peer;
use crate::server::Server;
use crate::tls;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::uri::Uri;

/// How one side of a connection is set up: its limits, and the object that it offers.
///
/// Both sides may offer one; who connects and who accepts makes no other difference.
///
/// Each connection has a timer, so the tokio runtime needs `enable_time`; see [`Limits::handshake`],
/// [`Limits::keep_alive`] and [`Limits::write_stall`] for what it does and how to do without it.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    pub(crate) limits: Limits,
    offered: Offered,
    wanted: Greeting,
    record_sites: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: Tls,
}

impl Endpoint {
    /// An endpoint with the default limits that offers nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers this target, or the target behind this stub, as the main object.
    #[must_use]
    pub fn offer<S: Stub>(mut self, main: impl IntoStub<S>) -> Self {
        self.offered = Offered::Main(MainObject::new(main));
        self
    }

    /// Offers what `look_up` gives for the name that a peer asks for. It runs once for each connection and must not
    /// block; with an error, every call on the main object of that connection fails with it.
    #[must_use]
    pub fn offer_by_name(
        mut self,
        look_up: impl Fn(&Asked<'_>) -> Result<MainObject, Error> + Send + Sync + 'static,
    ) -> Self {
        self.offered = Offered::ByName(Arc::new(look_up));
        self
    }

    /// Asks the peer for the main object of this name.
    #[must_use]
    pub fn want(mut self, wanted: Greeting) -> Self {
        self.wanted = wanted;
        self
    }

    /// Allows the peer, and itself, this much.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Shows and demands these certificates at `tls://` addresses.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Has its connections record where the stubs, functions and calls come from that are held over them, for
    /// [`Connection::snapshot`]: the line of each call, and the methods that pass and return them. It is off unless asked
    /// for; see [`Connection::record_sites`] for what it costs.
    #[must_use]
    pub fn record_sites(mut self) -> Self {
        self.record_sites = true;
        self
    }

    /// Runs a connection over a byte stream that was asked for; the driver has to be polled or spawned.
    pub fn connect_over<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> (Connection, Driver<S>) {
        self.over(stream, Side::Connecting, Peer::Unknown)
    }

    /// Runs a connection over a byte stream that was accepted; the driver has to be polled or spawned.
    pub fn accept_over<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> (Connection, Driver<S>) {
        self.over(stream, Side::Accepting, Peer::Unknown)
    }

    fn over<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        side: Side,
        peer: Peer,
    ) -> (Connection, Driver<S>) {
        let connection = Connection::open(self.limits.clone(), self.offered.to(peer), &self.wanted);
        if self.record_sites {
            connection.record_sites();
        }
        (connection.clone(), Driver::new(stream, connection, side, &self.limits))
    }

    /// Connects to an address. The driver runs on the current tokio runtime.
    ///
    /// # Errors
    /// What the operating system says, that the address is none, or that what is wanted is too long to be said.
    pub async fn connect(&self, uri: &str) -> io::Result<Connection> {
        self.wanted.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        match uri.parse()? {
            Uri::Tls(address) => tls::connect(self, &address).await,
            Uri::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let peer = stream.peer_addr().map_or(Peer::Unknown, Peer::Tcp);
                Ok(self.spawn(stream, Side::Connecting, peer))
            }
            Uri::Unix(path) => {
                let stream = UnixStream::connect(path).await?;
                let peer = stream.peer_cred().map_or(Peer::Unknown, Peer::from);
                Ok(self.spawn(stream, Side::Connecting, peer))
            }
        }
    }

    pub(crate) fn spawn<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        side: Side,
        peer: Peer,
    ) -> Connection {
        let (connection, driver) = self.over(stream, side, peer);
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        connection
    }

    /// Serves the main object to everyone who connects to the address.
    ///
    /// # Errors
    /// What the operating system says, or that the address is none.
    pub async fn serve(self, uri: &str) -> io::Result<Server> {
        Server::bind(self, &uri.parse()?).await
    }
}

/// Gives the stub of the peer's main object. It is not asked for: the first call shows whether it is there.
pub fn main_stub<S: Stub>(connection: &Connection) -> S {
    S::from_handle(connection.main())
}

/// Connects to an address and gives the stub of the main object that is offered there.
///
/// The connection closes when the last stub and promise of it is gone.
///
/// # Errors
/// What the operating system says, or that the address is none.
pub async fn connect<S: Stub>(uri: &str) -> io::Result<S> {
    Ok(main_stub(&Endpoint::new().connect(uri).await?))
}

/// Serves a target at an address. Await the [`Server`], or spawn it.
///
/// # Errors
/// What the operating system says, or that the address is none.
pub async fn serve<S: Stub>(uri: &str, main: impl IntoStub<S>) -> io::Result<Server> {
    Endpoint::new().offer(main).serve(uri).await
}
