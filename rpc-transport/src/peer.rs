//! [`Peer`]: who is at the other end, as far as the transport knows.

use std::net::SocketAddr;

use tokio::net::unix::UCred;

/// Who is at the other end of a connection, as the operating system says it: nothing of this comes from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// Nothing is known: a byte stream that the program brought itself.
    Unknown,
    /// A TCP connection from this address.
    Tcp(SocketAddr),
    /// A process of this machine, over a Unix socket.
    Unix {
        /// The user it runs as.
        uid: u32,
        /// The group it runs as.
        gid: u32,
        /// Its process id, where the system tells it. Another process may have it by now.
        pid: Option<i32>,
    },
}

impl From<UCred> for Peer {
    fn from(credentials: UCred) -> Self {
        Self::Unix { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() }
    }
}
