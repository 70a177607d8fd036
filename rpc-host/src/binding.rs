//! Services in props: `#[serde(with = "farcall::binding")]` on a field of type [`Service`]. Row 251.
//!
//! ```
//! # use farcall_core::function::RpcFn;
//! # use farcall_host as farcall;
//! # use farcall::Service;
//! # use serde::{Deserialize, Serialize};
//! # type LogStub = RpcFn<fn(String)>;
//! #[derive(Serialize, Deserialize)]
//! struct Scope {
//!     user: String,
//!     #[serde(with = "farcall::binding")]
//!     log: Service<LogStub>,
//! }
//! ```
//!
//! In a file such a field is written as a binding without its name: `log = { service = "log", entrypoint = "Line" }`. It
//! leads where a binding of the worker leads whose file it is in. Bindings in props stay within their host.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use farcall_core::interface::Interface;
use farcall_core::stub::Stub;
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::{Map, Value};

use crate::certificates::Certificates;
use crate::config::Addresses;
use crate::props::Props;
use crate::service::{Service, ServiceAt};
use crate::site::{Site, WorkerAt};

/// What stands for a service that the program gave: its place in a list.
const GIVEN: &str = "$service";

/// Writes a service into props.
///
/// # Errors
/// It is not props that are written.
pub fn serialize<S: Stub, Z: Serializer>(service: &Service<S>, serializer: Z) -> Result<Z::Ok, Z::Error> {
    let index = SCOPE.with_borrow_mut(|scope| match scope {
        Some(Scope::Writing(given)) => {
            given.push(service.place().clone());
            Ok(given.len() - 1)
        }
        _ => Err(Z::Error::custom("a service can be written only into the props of a binding")),
    })?;
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(GIVEN, &index)?;
    map.end()
}

/// Reads a service from props.
///
/// # Errors
/// It is not props that are read, or there is no such service, or it does not fit.
pub fn deserialize<'de, S: Stub, D: Deserializer<'de>>(deserializer: D) -> Result<Service<S>, D::Error> {
    let written = Value::deserialize(deserializer)?;
    let bound = SCOPE.with_borrow(|scope| match scope {
        Some(Scope::Reading(bound)) => Some(bound.clone()),
        _ => None,
    });
    let bound =
        bound.ok_or_else(|| D::Error::custom("a service can be read only from the props of a binding"))?;
    bound.find(&written, S::interface()).map(Service::of).map_err(D::Error::custom)
}

thread_local! {
    /// The props that this thread reads or writes.
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

enum Scope {
    Writing(Vec<ServiceAt>),
    Reading(Bound),
}

/// Puts the scope around back, also when something panics.
struct Around(Option<Scope>);

impl Around {
    fn enter(scope: Scope) -> Self {
        Self(SCOPE.replace(Some(scope)))
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        let inner = SCOPE.replace(self.0.take());
        drop(inner);
    }
}

/// Writes props: gives the services in them beside.
pub(crate) fn writing<R>(write: impl FnOnce() -> R) -> (R, Vec<ServiceAt>) {
    let _around = Around::enter(Scope::Writing(Vec::new()));
    let written = write();
    let given = SCOPE.with_borrow_mut(|scope| match scope {
        Some(Scope::Writing(given)) => std::mem::take(given),
        _ => Vec::new(),
    });
    (written, given)
}

/// Reads props with these services.
pub(crate) fn reading<R>(bound: &Bound, read: impl FnOnce() -> R) -> R {
    let _around = Around::enter(Scope::Reading(bound.clone()));
    read()
}

/// Where the services in props lead.
#[derive(Clone, Default)]
pub(crate) struct Bound {
    /// Those that the program gave.
    pub(crate) given: Arc<[ServiceAt]>,
    /// Where a file's are looked for. The site keeps it.
    pub(crate) source: Option<Weak<Source>>,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("given", &self.given.len()).finish_non_exhaustive()
    }
}

impl Bound {
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let nothing = |bound: &Self| bound.given.is_empty() && bound.source.is_none();
        let same_source = match (&self.source, &other.source) {
            (None, None) => true,
            (Some(one), Some(two)) => Weak::ptr_eq(one, two),
            _ => false,
        };
        (nothing(self) && nothing(other)) || (same_source && Arc::ptr_eq(&self.given, &other.given))
    }

    fn find(&self, written: &Value, interface: &'static Interface) -> Result<ServiceAt, String> {
        if let Some(index) = written.get(GIVEN).and_then(Value::as_u64) {
            let given = usize::try_from(index).ok().and_then(|index| self.given.get(index));
            return given.cloned().ok_or_else(|| "there is no such service here".to_owned());
        }
        let source =
            self.source.as_ref().ok_or_else(|| "bindings in props do not leave their host".to_owned())?;
        let source = source.upgrade().ok_or_else(|| crate::site::stopped().to_string())?;
        source.find(written, interface)
    }
}

/// Where the bindings in the props of a file are looked for.
pub(crate) struct Source {
    pub(crate) site: Weak<Site>,
    pub(crate) worker: WorkerAt,
    pub(crate) file: PathBuf,
    /// Those that were found, so that each is one however often the props are read.
    known: Mutex<Vec<(Value, ServiceAt)>>,
}

/// A binding without its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    service: String,
    entrypoint: Option<String>,
    #[serde(default)]
    props: Map<String, Value>,
    address: Option<Addresses>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Source {
    pub(crate) fn new(site: &Arc<Site>, worker: WorkerAt, file: PathBuf) -> Arc<Self> {
        Arc::new(Self { site: Arc::downgrade(site), worker, file, known: Mutex::default() })
    }

    fn find(self: &Arc<Self>, written: &Value, interface: &'static Interface) -> Result<ServiceAt, String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, at)) = known.iter().find(|(of, _)| of == written) {
            return Ok(at.clone());
        }
        drop(known);
        let found = self.look_up(written, interface)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.push((written.clone(), found.clone()));
        Ok(found)
    }

    fn look_up(
        self: &Arc<Self>,
        written: &Value,
        interface: &'static Interface,
    ) -> Result<ServiceAt, String> {
        let written = Written::deserialize(written).map_err(|error| error.to_string())?;
        let Written { service, entrypoint, props, address, ca, cert, key } = written;
        let site = self.site.upgrade().ok_or_else(|| crate::site::stopped().to_string())?;
        let props = Props::from_json(props, Bound { source: Some(Arc::downgrade(self)), ..Bound::default() });
        let at = match address {
            None => {
                let misfits = site.misfits((&service, entrypoint.as_deref()), interface, &props);
                if !misfits.is_empty() {
                    return Err(misfits.join("; "));
                }
                ServiceAt::local(Weak::clone(&self.site), self.worker, service, entrypoint)
            }
            Some(addresses) => {
                let certificates = Certificates { cert, key, ca, client_ca: None }.beside(&self.file);
                site.remote((&service, entrypoint.as_deref()), addresses.list(), certificates)?
            }
        };
        Ok(at.with_props(props))
    }
}
