//! A service in the same host.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use farcall_core::address::Address;
use farcall_core::handle::Handle;

use crate::caller::Caller;
use crate::props::Props;
use crate::site::{Opening, Site, WorkerAt, stopped};

/// A service in the same host: it leads to the entrypoint, without anything between.
pub(crate) struct Local {
    site: Weak<Site>,
    /// The worker whose binding it is; none for the program around the host.
    caller: Option<WorkerAt>,
    service: String,
    entrypoint: Option<String>,
    props: Props,
    opened: OnceLock<Handle>,
}

impl Local {
    pub(super) fn new(
        site: Weak<Site>,
        caller: Option<WorkerAt>,
        service: String,
        entrypoint: Option<String>,
        props: Props,
    ) -> Self {
        Self { site, caller, service, entrypoint, props, opened: OnceLock::new() }
    }

    pub(super) fn props(&self) -> &Props {
        &self.props
    }

    pub(super) fn with_props(&self, props: Props) -> Self {
        let (service, entrypoint) = (self.service.clone(), self.entrypoint.clone());
        Self::new(Weak::clone(&self.site), self.caller, service, entrypoint, props)
    }
}

impl Address for Local {
    fn current(self: Arc<Self>) -> Handle {
        // The host may stop while a worker still holds its bindings.
        let Some(site) = self.site.upgrade() else { return Handle::broken(stopped()) };
        if let Some(opened) = self.opened.get() {
            return opened.clone();
        }
        let name = self.caller.and_then(|at| site.workers().get(at.0)).map(|worker| worker.name.clone());
        let opening = Opening {
            caller: Caller::Worker(name.unwrap_or_default()),
            connection: None,
            gone: None,
            props: self.props.clone(),
        };
        match site.open(&self.service, self.entrypoint.as_deref(), opening) {
            Ok(main) => self.opened.get_or_init(|| main.into_handle()).clone(),
            Err(error) => Handle::broken(error),
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entrypoint = self.entrypoint.as_deref().unwrap_or("its default entrypoint");
        write!(f, "{} of {} in this host", entrypoint, self.service)
    }
}
