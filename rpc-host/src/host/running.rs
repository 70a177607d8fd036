//! [`Running`]: a host that serves, until it is told to stop.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use farcall_core::stub::Stub;
use farcall_transport::Endpoint;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::listen::{Bound, SocketFile};
use crate::config::{Config, problem};
use crate::problem::StartError;
use crate::props::Props;
use crate::service::{Service, ServiceAt};
use crate::site::Site;

/// A host that serves. Dropping it stops accepting and leaves the connections that there are;
/// [`shutdown`](Self::shutdown) ends them in peace.
pub struct Running {
    site: Arc<Site>,
    addresses: Vec<String>,
    sockets: Vec<SocketFile>,
    servers: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Running {
    pub(super) fn new(site: Arc<Site>, bound: Vec<Bound>) -> Self {
        let stop = watch::Sender::new(false);
        let (mut servers, mut addresses, mut sockets) = (JoinSet::new(), Vec::new(), Vec::new());
        for Bound { mut server, socket } in bound {
            tracing::info!(address = server.uri(), "serving");
            addresses.push(server.uri());
            sockets.extend(socket);
            let (mut stopped, grace) = (stop.subscribe(), site.grace);
            servers.spawn(async move {
                tokio::select! {
                    // It never ends by itself.
                    _ = &mut server => {}
                    // Also when whoever could say it is gone.
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
                server.shutdown(grace).await;
            });
        }
        Self { site, addresses, sockets, servers, stop }
    }

    /// Where it serves, in the order of the files, with the ports that the system chose.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// An endpoint that offers its services to those who come over a byte stream that the program brings itself.
    /// Connections over it are the program's to close.
    pub fn endpoint(&self) -> Endpoint {
        super::routes::endpoint(&self.site, false)
    }

    /// A binding of the program around the host to one of its services: `service`, or `service/Entrypoint`.
    pub fn service<S: Stub>(&self, name: &str) -> Service<S> {
        let (service, entrypoint) = match name.split_once('/') {
            Some((service, entrypoint)) => (service.to_owned(), Some(entrypoint.to_owned())),
            None => (name.to_owned(), None),
        };
        let at = ServiceAt::for_program(Arc::downgrade(&self.site), service, entrypoint);
        Service::new(at, Props::default())
    }

    /// Stops in peace: no call is lost. New ones are refused and may be made elsewhere, those that run end, and waiting
    /// tasks as well; what has not ended after the grace period is dropped.
    pub async fn shutdown(mut self) {
        self.site.draining.store(true, Ordering::Release);
        let grace = self.site.grace;
        let deadline = Instant::now().checked_add(grace);
        // Whoever takes its place may serve there at once.
        self.sockets.clear();
        self.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
        let left =
            deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        let tasks = self.site.tasks.clone();
        if tokio::time::timeout(left, tasks.none()).await.is_err() {
            tracing::warn!(
                tasks = tasks.count(),
                ?grace,
                "waiting tasks are left behind: their grace period is over"
            );
        }
        tracing::info!("the host has stopped");
    }
}

/// Waits until the process is told to stop; gives the name of the signal.
pub(super) fn signalled(
    configs: &[Config],
) -> Result<impl Future<Output = &'static str> + use<>, StartError> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            let file = configs.first().map(|config| config.file.clone()).unwrap_or_default();
            let text = format!("the process cannot listen for signals: {error}");
            StartError::new(vec![problem(&file, "", text)])
        })
    };
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
