//! [`Site`]: the workers of a host, and the way from a name to an object.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use farcall_core::connection::{Connection, MainObject};
use farcall_core::error::{Error, ErrorKind};
use farcall_core::interface::Interface;
use farcall_transport::{Endpoint, Uri};

use crate::binding::Source;
use crate::caller::{Caller, Gone};
use crate::certificates::Certificates;
use crate::ctx::{Ctx, Inner};
use crate::entrypoint::{AnyEnv, Class, Entrypoint};
use crate::exports::Exports;
use crate::life::{Hold, Life};
use crate::props::Props;
use crate::service::ServiceAt;
use crate::tasks::Tasks;

/// Tasks that may wait in a host. While there are so many, calls are refused as overloaded: each may begin more.
pub(crate) const WAITING_TASKS: usize = 65_536;

/// The workers of a host.
pub(crate) struct Site {
    workers: Vec<WorkerSite>,
    pub(crate) tasks: Tasks,
    pub(crate) grace: Duration,
    pub(crate) draining: AtomicBool,
    pub(crate) connections: AtomicUsize,
    /// Bindings to other hosts, so that those to one place share a connection.
    remotes: Mutex<HashMap<Elsewhere, ServiceAt>>,
}

/// A place outside of the host: a name, where that is, and the certificates for it.
type Elsewhere = (String, Vec<String>, Certificates);

/// Which worker of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkerAt(pub(crate) usize);

/// One worker.
pub(crate) struct WorkerSite {
    pub(crate) name: String,
    pub(crate) classes: Vec<Class>,
    /// Where the bindings in the props of its file lead.
    pub(crate) bindings: OnceLock<Arc<Source>>,
    /// The environments by their types, once they are read.
    pub(crate) envs: OnceLock<HashMap<TypeId, AnyEnv>>,
}

/// Who opens an entrypoint, and how.
pub(crate) struct Opening {
    pub(crate) caller: Caller,
    /// The caller's connection, and how its end is told; within a process there is none.
    pub(crate) connection: Option<Connection>,
    pub(crate) gone: Gone,
    pub(crate) props: Props,
}

/// What calls on a host that was stopped fail with.
pub(crate) fn stopped() -> Error {
    Error::new(ErrorKind::ShuttingDown, "the host has stopped")
}

impl Site {
    pub(crate) fn new(workers: Vec<WorkerSite>, grace: Duration) -> Arc<Self> {
        Arc::new(Self {
            workers,
            tasks: Tasks::new(),
            grace,
            draining: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            remotes: Mutex::new(HashMap::new()),
        })
    }

    pub(crate) fn workers(&self) -> &[WorkerSite] {
        &self.workers
    }

    /// The worker that is this service.
    pub(crate) fn worker(&self, service: &str) -> Option<WorkerAt> {
        self.workers.iter().position(|worker| worker.name == service).map(WorkerAt)
    }

    pub(crate) fn no_service(&self, service: &str) -> NoSuch {
        let has = self.workers.iter().map(|worker| worker.name.clone()).collect();
        NoSuch { text: format!("there is no service `{}` in this host", shown(service)), has }
    }

    /// An entrypoint of a worker, or its default one.
    pub(crate) fn class(&self, worker: WorkerAt, entrypoint: Option<&str>) -> Result<&Class, NoSuch> {
        let Some(WorkerSite { name, classes, .. }) = self.workers.get(worker.0) else {
            return Err(NoSuch { text: "the worker is of another host".to_owned(), has: Vec::new() });
        };
        let found = match (entrypoint, classes.as_slice()) {
            (Some(wanted), classes) => classes.iter().find(|class| class.name == wanted),
            (None, [sole]) => Some(sole),
            (None, classes) => classes.iter().find(|class| class.is_default),
        };
        found.ok_or_else(|| {
            let text = match entrypoint {
                Some(wanted) => format!("the service `{name}` has no entrypoint `{}`", shown(wanted)),
                None => format!("the service `{name}` has no default entrypoint"),
            };
            NoSuch { text, has: classes.iter().map(|class| class.name.to_owned()).collect() }
        })
    }

    /// What keeps a binding from fitting something in this host. That there is no default entrypoint is no error before
    /// it is used (row 6).
    pub(crate) fn misfits(
        &self,
        (service, entrypoint): (&str, Option<&str>),
        interface: &'static Interface,
        props: &Props,
    ) -> Vec<String> {
        let Some(worker) = self.worker(service) else {
            let text = "say where it is with `address = \"tcp://…\"` if it is in another host";
            return vec![format!("{}; {text}", self.no_service(service))];
        };
        let class = match self.class(worker, entrypoint) {
            Ok(class) => class,
            Err(_) if entrypoint.is_none() => return Vec::new(),
            Err(missing) => return vec![missing.to_string()],
        };
        let whole = format!("the entrypoint `{}` of the service `{service}`", class.name);
        let mut misfits = Vec::new();
        for method in interface.methods() {
            if let Err(error) = (class.knows)(method.id(method.params_count())) {
                let why = match error.kind() {
                    ErrorKind::UnknownMethod => "it has no method of that name",
                    _ => error.message(),
                };
                misfits.push(format!("{whole} is not what the field's stub calls: `{}`: {why}", method.name));
            }
        }
        if let Err(error) = (class.takes)(props) {
            misfits.push(format!("{whole}: {}", error.message()));
        }
        misfits
    }

    /// The service that a worker is, if it has this entrypoint.
    pub(crate) fn export<E: Entrypoint>(&self, worker: WorkerAt) -> Result<String, String> {
        match self.workers.get(worker.0) {
            Some(site) if site.classes.iter().any(|class| class.id == TypeId::of::<E>()) => {
                Ok(site.name.clone())
            }
            _ => Err(format!("`{}` is no entrypoint of this worker", E::NAME)),
        }
    }

    /// A target that makes an object for each call.
    pub(crate) fn open(
        self: &Arc<Self>,
        service: &str,
        entrypoint: Option<&str>,
        opening: Opening,
    ) -> Result<MainObject, Error> {
        let unsupported = |text: String| Error::new(ErrorKind::Unsupported, text);
        if self.draining.load(Ordering::Acquire) && opening.gone.is_some() {
            return Err(stopped());
        }
        if service == crate::health::SERVICE {
            return Ok(crate::health::open(self));
        }
        // Who comes from outside is not told what else there is.
        let outside = opening.connection.is_some();
        let missing = |missing: NoSuch| unsupported(if outside { missing.text } else { missing.to_string() });
        let at = self.worker(service).ok_or_else(|| missing(self.no_service(service)))?;
        let class = self.class(at, entrypoint).map_err(missing)?;
        (class.takes)(&opening.props)?;
        let envs = self.workers.get(at.0).and_then(|worker| worker.envs.get());
        let Some(env) = envs.and_then(|envs| envs.get(&class.env)) else {
            return Err(unsupported(format!("the service `{service}` is still starting")));
        };
        let (site, tasks, grace) = (Arc::downgrade(self), self.tasks.clone(), self.grace);
        let Opening { caller, connection, gone, props } = opening;
        let make_ctx = Box::new(move || {
            let waiting = tasks.count();
            if waiting >= WAITING_TASKS {
                let text = format!(
                    "{waiting} tasks wait in this host; the limit `WAITING_TASKS` is {WAITING_TASKS}"
                );
                return Err(Error::new(ErrorKind::Overloaded, text));
            }
            let life = Life::new();
            let hold = Arc::new(Hold { life: Arc::clone(&life), connection: connection.clone() });
            let ctx = Ctx::new(Inner {
                life,
                hold: Arc::downgrade(&hold),
                own_hold: None,
                caller: caller.clone(),
                gone: gone.clone(),
                props: props.clone(),
                tasks: tasks.clone(),
                grace,
                exports: Exports::of(site.clone(), at),
            });
            Ok((ctx, hold))
        });
        let fault =
            || Error::new(ErrorKind::Internal, "an environment is of another type than its entrypoint's");
        (class.open)(env, make_ctx).ok_or_else(fault)
    }

    /// A binding to another host. Those to one place share it.
    pub(crate) fn remote(
        &self,
        (service, entrypoint): (&str, Option<&str>),
        addresses: Vec<String>,
        certificates: Certificates,
    ) -> Result<ServiceAt, String> {
        let parsed: Result<Vec<Uri>, _> = addresses.iter().map(|address| address.parse::<Uri>()).collect();
        let parsed = parsed.map_err(|error| error.to_string())?;
        let endpoint = certificates.connecting(Endpoint::new(), &parsed)?;
        let name = match entrypoint {
            Some(entrypoint) => format!("{service}/{entrypoint}"),
            None => service.to_owned(),
        };
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        let at = remotes.entry((name.clone(), addresses.clone(), certificates));
        Ok(at.or_insert_with(|| ServiceAt::remote(name, addresses, endpoint)).clone())
    }
}

/// What was asked for is not there.
#[derive(Debug)]
pub(crate) struct NoSuch {
    text: String,
    /// What there is.
    has: Vec<String>,
}

impl fmt::Display for NoSuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<String> = self.has.iter().map(|name| format!("`{name}`")).collect();
        let has = if quoted.is_empty() { "nothing".to_owned() } else { quoted.join(", ") };
        write!(f, "{}; it has: {has}", self.text)
    }
}

/// A name that came from elsewhere, cut to what a message has room for.
fn shown(name: &str) -> &str {
    let end = name.char_indices().nth(64).map_or(name.len(), |(end, _)| end);
    &name[..end]
}
