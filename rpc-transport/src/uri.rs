//! Addresses: `tcp://host:port`, `tls://host:port` and `unix:/path`.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Uri {
    /// A TCP port: `tcp://127.0.0.1:7000`. Port 0 lets the system choose.
    Tcp(String),
    /// The same, with TLS: `tls://counter.example:7443`. The name is the one that the server's certificate must be for.
    /// It needs the feature `tls`, and certificates: `Endpoint::tls`.
    Tls(String),
    /// A Unix socket: `unix:/run/counter.sock`.
    Unix(PathBuf),
}

impl FromStr for Uri {
    type Err = io::Error;

    fn from_str(uri: &str) -> io::Result<Self> {
        if let Some(address) = uri.strip_prefix("tcp://") {
            return Ok(Self::Tcp(address.to_owned()));
        }
        if let Some(address) = uri.strip_prefix("tls://") {
            return Ok(Self::Tls(address.to_owned()));
        }
        if let Some(path) = uri.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let text =
            format!("`{uri}` is no address: write `tcp://host:port`, `tls://host:port` or `unix:/path`");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

impl std::fmt::Display for Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Tls(address) => write!(f, "tls://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
