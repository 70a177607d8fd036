//! [`Peer`]: who is at the other end, as far as the transport knows.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::unix::UCred;

/// Who is at the other end of a connection, as the operating system says it: nothing of this comes from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// Nothing is known: a byte stream that the program brought itself.
    Unknown,
    /// A TCP connection from this address.
    Tcp(SocketAddr),
    /// A TLS connection from this address.
    Tls {
        /// Where it comes from.
        address: SocketAddr,
        /// The certificate that it showed and that was checked; `None` where none was demanded.
        certificate: Option<Certificate>,
    },
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

/// A certificate that somebody showed, and that an authority which is trusted here vouches for.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Arc<[u8]>,
    names: Arc<[String]>,
}

impl Certificate {
    #[cfg(feature = "tls")]
    pub(crate) fn new(der: Vec<u8>, names: Vec<String>) -> Self {
        Self { der: der.into(), names: names.into() }
    }

    /// Whom it is for: the DNS names and URIs that the authority wrote into it.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The whole certificate, in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.names).finish()
    }
}

impl From<UCred> for Peer {
    fn from(credentials: UCred) -> Self {
        Self::Unix { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() }
    }
}
