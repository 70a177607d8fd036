//! [`Service`]: an address that can be connected again.

mod backoff;
mod balance;
mod local;
mod place;
mod remote;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use farcall_core::address::{self, Address};
use farcall_core::connection::Greeting;
use farcall_core::error::{Error, ErrorKind};
use farcall_core::stub::Stub;
use farcall_transport::Endpoint;
use serde::Serialize;

use crate::props::Props;
use crate::site::{Site, WorkerAt};
use local::Local;
use remote::Remote;

/// An address whose stub is always at hand: it connects with the first call, and again after the connection was lost.
/// Row 253.
///
/// It derefs to the stub, so `env.counter.increment(2)` is a call. Clones share one connection. A call that failed is never
/// made again by itself: its error says whether it [may have run](Error::may_have_run), and whether it
/// [may be made again](Error::is_retryable). Calls that are made while it connects wait for that; if it fails, they fail
/// as disconnected and did not run, and the next call begins another attempt, after a while that grows with each failure.
///
/// In the same host it leads to the entrypoint directly, with the same rules. Stubs that come out of it are live
/// references of one connection, and end with that.
#[derive(Clone)]
pub struct Service<S> {
    stub: S,
    at: ServiceAt,
}

impl<S: Stub> Service<S> {
    pub(crate) fn new(at: ServiceAt, props: Props) -> Self {
        Self::of(at.with_props(props))
    }

    /// As it is, with its own props.
    pub(crate) fn of(at: ServiceAt) -> Self {
        Self { stub: S::from_handle(address::handle(at.address())), at }
    }

    pub(crate) fn place(&self) -> &ServiceAt {
        &self.at
    }

    /// The service of this name at an address, with `tcp://` or `unix:`. With several, each gets a connection, and calls
    /// are spread over those that there are; calls that go to different ones have no order among each other. The name is
    /// `service` or `service/Entrypoint`; empty, it is the main object of whoever serves there.
    pub fn at<A: Into<String>>(name: impl Into<String>, addresses: impl IntoIterator<Item = A>) -> Self {
        Self::by(Endpoint::new(), name, addresses)
    }

    /// The same, connected to by this endpoint: with its limits, its certificates, and what it offers in turn. What it
    /// wants is the service.
    pub fn by<A: Into<String>>(
        endpoint: Endpoint,
        name: impl Into<String>,
        addresses: impl IntoIterator<Item = A>,
    ) -> Self {
        let addresses = addresses.into_iter().map(Into::into).collect();
        Self::new(ServiceAt::remote(name.into(), addresses, endpoint), Props::default())
    }

    /// The same service, bound with these props. The host at the other end takes them only where it trusts those who
    /// connect. Row 250.
    ///
    /// # Errors
    /// They are no JSON object, or have services in them and would leave the process.
    pub fn with_props<P: Serialize>(&self, props: &P) -> Result<Self, Error> {
        let props = Props::of(props)?;
        if props.hold_services() && matches!(self.at, ServiceAt::Remote(_)) {
            let text =
                "props with services in them do not leave their host, and the binding leads to another";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        Ok(Self::new(self.at.clone(), props))
    }
}

impl<S> Deref for Service<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.stub
    }
}

impl<S> fmt::Debug for Service<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Service").field(&self.at.address()).finish()
    }
}

/// Where a service is.
#[derive(Clone)]
pub(crate) enum ServiceAt {
    Local(Arc<Local>),
    Remote(Arc<Remote>),
}

impl ServiceAt {
    pub(crate) fn local(
        site: Weak<Site>,
        caller: WorkerAt,
        service: String,
        entrypoint: Option<String>,
    ) -> Self {
        Self::Local(Arc::new(Local::new(site, Some(caller), service, entrypoint, Props::default())))
    }

    /// The same, for the program around the host.
    pub(crate) fn for_program(site: Weak<Site>, service: String, entrypoint: Option<String>) -> Self {
        Self::Local(Arc::new(Local::new(site, None, service, entrypoint, Props::default())))
    }

    pub(crate) fn remote(name: String, addresses: Vec<String>, endpoint: Endpoint) -> Self {
        Self::Remote(Remote::new(addresses, endpoint, Greeting { name, props: String::new() }))
    }

    pub(crate) fn with_props(self, props: Props) -> Self {
        match self {
            Self::Local(local) if *local.props() != props => Self::Local(Arc::new(local.with_props(props))),
            Self::Remote(remote) if remote.props() != props.to_text() => {
                Self::Remote(remote.with_props(props.to_text()))
            }
            same => same,
        }
    }

    fn address(&self) -> Arc<dyn Address> {
        match self {
            Self::Local(local) => Arc::<Local>::clone(local),
            Self::Remote(remote) => Arc::<Remote>::clone(remote),
        }
    }
}
