//! Workers: entrypoints, environments, contexts, bindings, and the host that runs them.

mod aborting;
mod addresses;
mod balancing;
mod bindings;
mod contexts;
mod entrypoints;
mod environments;
mod listings;
mod logs;
mod props;
mod starting;
mod stopping;
mod tls;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use farcall::prelude::*;
use farcall::{Connection, Endpoint, Greeting, Running, Worker};

use crate::kit::Transport;

/// The number of the kind of error, on the wire.
pub const UNKNOWN_METHOD: u8 = 4;
pub const UNSUPPORTED: u8 = 16;

/// A socket in the folder for temporary files that no other test has.
pub fn socket() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("farcall-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    std::env::temp_dir().join(name)
}

/// A host whose sole worker is `service`, with these lines of configuration, reachable over the transport.
pub async fn host<W: Worker>(transport: Transport, lines: &str) -> Running {
    let listen = match transport {
        Transport::InProcess | Transport::Duplex => "[]".to_owned(),
        Transport::Tcp => "[\"tcp://127.0.0.1:0\"]".to_owned(),
        Transport::Unix => format!("[\"unix:{}\"]", socket().display()),
    };
    let text = format!("name = \"service\"\nlisten = {listen}\n{lines}");
    let host = Host::from_texts([("farcall.toml", text.as_str())]).unwrap();
    host.environment([]).worker::<W>().start().await.unwrap()
}

/// The caller's end of a connection to a host; in process there is none.
pub struct Caller {
    pub connection: Option<Connection>,
}

impl Caller {
    /// The caller is gone.
    pub fn leave(&self) {
        if let Some(connection) = &self.connection {
            connection.close(Error::new(ErrorKind::Disconnected, "as the test wants it"));
        }
    }
}

/// A stub of what has this name in the host.
pub async fn call<S: Stub>(transport: Transport, host: &Running, name: &str) -> (S, Caller) {
    let endpoint = Endpoint::new().want(Greeting { name: name.to_owned(), ..Greeting::default() });
    let connection = match transport {
        Transport::InProcess => {
            let stub = S::clone(&host.service::<S>(name));
            return (stub, Caller { connection: None });
        }
        Transport::Duplex => {
            let (a, b) = tokio::io::duplex(64 * 1024);
            let (connection, driver) = endpoint.connect_over(a);
            let (_, served) = host.endpoint().accept_over(b);
            // How they end is what tests look at from above.
            tokio::spawn(async move { drop(tokio::join!(driver, served)) });
            connection
        }
        Transport::Tcp | Transport::Unix => endpoint.connect(&host.addresses()[0]).await.unwrap(),
    };
    (farcall::main_stub(&connection), Caller { connection: Some(connection) })
}
