//! What stands in for TLS without the feature `tls`.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use farcall_core::connection::Connection;
use tokio::net::TcpStream;

use crate::endpoint::Endpoint;

/// There is none.
#[derive(Debug)]
pub(crate) enum Acceptor {}

impl Acceptor {
    pub(crate) fn new(_: &Endpoint) -> io::Result<Self> {
        Err(absent())
    }

    pub(crate) fn begin(&mut self, _: &Endpoint, _: TcpStream, _: SocketAddr) {
        match *self {}
    }

    pub(crate) fn poll_made(&mut self, _: &mut Context<'_>) -> Poll<Option<Connection>> {
        match *self {}
    }
}

pub(crate) async fn connect(_: &Endpoint, _: &str) -> io::Result<Connection> {
    Err(absent())
}

fn absent() -> io::Error {
    let text = "`tls://` addresses need the feature `tls` of farcall";
    io::Error::new(io::ErrorKind::Unsupported, text)
}
