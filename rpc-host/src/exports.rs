//! [`Exports`]: bindings of a worker to its own entrypoints.

use std::fmt;
use std::sync::Weak;

use farcall_core::error::{Error, ErrorKind};

use crate::entrypoint::Entrypoint;
use crate::props::Props;
use crate::service::{Service, ServiceAt};
use crate::site::{Site, WorkerAt};

/// Bindings of a worker to its own entrypoints, of which it may give others one. Rows 249 and 250.
#[derive(Clone)]
pub struct Exports(Option<(Weak<Site>, WorkerAt)>);

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exports")
    }
}

impl Exports {
    pub(crate) fn none() -> Self {
        Self(None)
    }

    pub(crate) fn of(site: Weak<Site>, worker: WorkerAt) -> Self {
        Self(Some((site, worker)))
    }

    /// A binding to the entrypoint `E` of the same worker, without props; see [`Service::with_props`].
    ///
    /// # Errors
    /// The worker has no such entrypoint, or the context was made by hand.
    pub fn service<E: Entrypoint>(&self) -> Result<Service<E::Stub>, Error> {
        let missing = |text: String| Error::new(ErrorKind::Unsupported, text);
        let Some((site, worker)) = &self.0 else {
            return Err(missing(
                "a context that was made by hand has no worker, and so no exports".to_owned(),
            ));
        };
        let Some(found) = site.upgrade() else { return Err(crate::site::stopped()) };
        let name = found.export::<E>(*worker).map_err(missing)?;
        let at = ServiceAt::local(Weak::clone(site), *worker, name, Some(E::NAME.to_owned()));
        Ok(Service::new(at, Props::default()))
    }
}
