//! The host's own service: whether it runs, and whether it takes calls.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use farcall_core::connection::MainObject;
use farcall_macros::{RpcValue, rpc_target};
use serde::{Deserialize, Serialize};

use crate::farcall;
use crate::site::Site;

/// The name of the host's own service.
pub(crate) const SERVICE: &str = "farcall";

/// How a host is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RpcValue)]
#[rpc(crate = farcall)]
pub struct HostStatus {
    /// Whether it takes calls; one that drains does not.
    pub ready: bool,
    /// Its services.
    pub services: Vec<String>,
    /// Connections that others have made to it, this one included.
    pub connections: u64,
    /// Tasks that go on beside their calls.
    pub waiting_tasks: u64,
}

/// The host's own service, of the name `farcall`: every host has it.
#[derive(Clone, Debug)]
pub struct Health {
    pub(crate) site: Weak<Site>,
}

#[rpc_target(crate = farcall)]
impl Health {
    /// Whether the host takes calls. That it answers shows that it runs.
    pub fn ready(&self) -> bool {
        self.site.upgrade().is_some_and(|site| !site.draining.load(Ordering::Acquire))
    }

    /// How the host is.
    pub fn status(&self) -> HostStatus {
        let Some(site) = self.site.upgrade() else {
            return HostStatus { ready: false, services: Vec::new(), connections: 0, waiting_tasks: 0 };
        };
        HostStatus {
            ready: !site.draining.load(Ordering::Acquire),
            services: site.workers().iter().map(|worker| worker.name.clone()).collect(),
            connections: site.connections.load(Ordering::Relaxed) as u64,
            waiting_tasks: site.tasks.count() as u64,
        }
    }
}

/// An object of it.
pub(crate) fn open(site: &Arc<Site>) -> MainObject {
    MainObject::new::<HealthStub>(Health { site: Arc::downgrade(site) })
}
