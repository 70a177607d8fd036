//! [`Server`]: accepts connections at an address.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use farcall_core::connection::Connection;
use farcall_core::error::Error;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::Sleep;

use crate::driver::Side;
use crate::endpoint::Endpoint;
use crate::peer::Peer;
use crate::tls::Acceptor;
use crate::uri::Uri;

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, Acceptor),
    Unix(UnixListener),
}

impl Listener {
    fn uri(&self) -> io::Result<Uri> {
        Ok(match self {
            Self::Tcp(listener) => Uri::Tcp(listener.local_addr()?.to_string()),
            Self::Tls(listener, _) => Uri::Tls(listener.local_addr()?.to_string()),
            Self::Unix(listener) => {
                Uri::Unix(listener.local_addr()?.as_pathname().map(Into::into).unwrap_or_default())
            }
        })
    }

    /// A connection, or something that may become one.
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        endpoint: &Endpoint,
    ) -> Poll<io::Result<Option<Connection>>> {
        match self {
            Self::Tcp(listener) => listener.poll_accept(cx).map_ok(|(stream, address)| {
                // A socket that cannot be told so is slower, not wrong.
                let _ = stream.set_nodelay(true);
                Some(endpoint.spawn(stream, Side::Accepting, Peer::Tcp(address)))
            }),
            Self::Tls(listener, acceptor) => {
                if let Poll::Ready(connection) = acceptor.poll_made(cx) {
                    return Poll::Ready(Ok(connection));
                }
                listener.poll_accept(cx).map_ok(|(stream, address)| {
                    let _ = stream.set_nodelay(true);
                    acceptor.begin(endpoint, stream, address);
                    None
                })
            }
            Self::Unix(listener) => listener.poll_accept(cx).map_ok(|(stream, _)| {
                let peer = stream.peer_cred().map_or(Peer::Unknown, Peer::from);
                Some(endpoint.spawn(stream, Side::Accepting, peer))
            }),
        }
    }
}

/// Accepts connections and serves them, as long as it is polled. It never ends by itself: an error of the listener,
/// such as too many open files, is logged, and accepting goes on after a pause.
///
/// Dropping it stops accepting and leaves the connections that there are; [`Server::shutdown`] ends them in peace.
#[derive(Debug)]
pub struct Server {
    uri: Uri,
    listener: Listener,
    endpoint: Endpoint,
    connections: Vec<Connection>,
    /// The number of connections at which those that have ended are swept out.
    sweep_at: usize,
    /// Runs after an error of the listener itself, such as too many open files.
    pause: Option<Pin<Box<Sleep>>>,
}

/// How long accepting rests after an error that the next attempt would meet as well.
const PAUSE: Duration = Duration::from_millis(100);

impl Server {
    pub(crate) async fn bind(endpoint: Endpoint, uri: &Uri) -> io::Result<Self> {
        let listener = match uri {
            Uri::Tcp(address) => Listener::Tcp(TcpListener::bind(address).await?),
            Uri::Tls(address) => {
                let acceptor = Acceptor::new(&endpoint)?;
                Listener::Tls(TcpListener::bind(address).await?, acceptor)
            }
            Uri::Unix(path) => Listener::Unix(UnixListener::bind(path)?),
        };
        let uri = listener.uri()?;
        Ok(Self { uri, listener, endpoint, connections: Vec::new(), sweep_at: 16, pause: None })
    }

    /// The address that it serves at, with the port that the system chose.
    pub fn uri(&self) -> String {
        self.uri.to_string()
    }

    /// Asks every peer to make no more calls, lets those that run end, and waits until all connections are
    /// closed, at most for `grace`. Calls that have not ended by then fail as disconnected.
    pub async fn shutdown(self, grace: Duration) {
        let Self { connections, listener, .. } = self;
        drop(listener);
        for connection in &connections {
            connection.shutdown();
        }
        let all = async {
            for connection in &connections {
                connection.closed().await;
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            for connection in &connections {
                let text = "this side shut down, and its grace period is over";
                connection.close(Error::new(farcall_core::error::ErrorKind::Disconnected, text));
            }
        }
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.iter().filter(|connection| connection.ended().is_none()).count()
    }

    fn admit(&mut self, connection: Connection) {
        if self.connections.len() >= self.sweep_at {
            self.connections.retain(|connection| connection.ended().is_none());
            self.sweep_at = 2 * self.connections.len() + 16;
        }
        self.connections.push(connection);
    }
}

impl Future for Server {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            let accepted = this.listener.poll_accept(cx, &this.endpoint);
            match accepted {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(connection))) => this.admit(connection),
                Poll::Ready(Err(error)) => {
                    // Whatever it is, a peer must not stop the server by it.
                    tracing::warn!(%error, "a connection could not be accepted");
                    if !is_of_one_connection(&error) {
                        this.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
                    }
                }
            }
        }
    }
}

/// Whether the one connection failed, not the listener: the next may be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
