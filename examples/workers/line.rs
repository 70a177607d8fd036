//! A line to a host that is slow, and that counts what crosses it.

use std::time::Duration;

use farcall::prelude::*;
use farcall::probe::{Counters, Probe};
use farcall::{Connection, Endpoint, Greeting, Running};

/// A stub of a service over a line with this delay in each direction; the host's end of the connection, and the counters.
pub fn connect<S: Stub>(host: &Running, service: &str, delay: Duration) -> (S, Connection, Counters) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (near, counters) = Probe::new(near, delay);
    let wanted = Greeting { name: service.to_owned(), ..Greeting::default() };
    let (connection, driver) = Endpoint::new().want(wanted).connect_over(near);
    let stub = farcall::main_stub(&connection);
    let (served, serving) = host.endpoint().accept_over(far);
    tokio::spawn(async move { drop(tokio::join!(driver, serving)) });
    (stub, served, counters)
}
