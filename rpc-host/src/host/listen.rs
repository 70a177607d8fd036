//! [`Bound`]: an address that a host serves at.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use farcall_transport::{Server, Uri};
use tokio::net::UnixStream;

use super::routes;
use crate::config::Listen;
use crate::site::Site;

/// An address that a host serves at.
pub(crate) struct Bound {
    pub(crate) server: Server,
    /// The file of a Unix socket, which is removed at the end.
    pub(crate) socket: Option<SocketFile>,
}

/// The file of a Unix socket. It is removed when this is dropped, unless another host has put its own there since.
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Which file it is, by device and number.
    is: Option<(u64, u64)>,
}

impl SocketFile {
    fn new(path: PathBuf) -> Self {
        let is = file_at(&path);
        Self { path, is }
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is.is_some() && file_at(&self.path) == self.is {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Bound {
    pub(crate) async fn bind(listen: &Listen, config: &Path, site: &Arc<Site>) -> Result<Self, String> {
        let uri: Uri = listen.address().parse().map_err(|error: io::Error| error.to_string())?;
        let endpoint = routes::endpoint(site, listen.trusts_props());
        let endpoint = listen.certificates(config).serving(endpoint, &uri)?;
        let socket = match uri {
            Uri::Unix(path) => Some(path),
            _ => None,
        };
        let mut served = endpoint.clone().serve(listen.address()).await;
        if let (Err(error), Some(path)) = (&served, &socket)
            && error.kind() == io::ErrorKind::AddrInUse
            && is_left_behind(path).await
        {
            served = match std::fs::remove_file(path) {
                Ok(()) => endpoint.serve(listen.address()).await,
                Err(error) => Err(error),
            };
        }
        match served {
            Ok(server) => Ok(Self { server, socket: socket.map(SocketFile::new) }),
            Err(error) => Err(format!("it cannot be served there: {error}")),
        }
    }
}

/// Whether the file is a socket that nobody serves: of a process that ended without removing it.
async fn is_left_behind(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).await.err().is_some_and(refused)
}
