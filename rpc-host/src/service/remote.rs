//! A service in another host.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use farcall_core::address::{Address, Settle, pending};
use farcall_core::connection::{Connection, Greeting};
use farcall_core::error::{Error, ErrorKind};
use farcall_core::handle::Handle;
use farcall_transport::Endpoint;
use tokio::time::Instant;

use super::backoff::{GOOD, wait};

/// How long an attempt to connect may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls that may wait for a connection.
const MOST_WAITING: usize = 65_536;

/// A service in another host: one connection at a time, made when a call needs it.
pub(crate) struct Remote {
    addresses: Vec<String>,
    wanted: Greeting,
    state: Mutex<State>,
}

struct State {
    link: Link,
    /// Attempts and connections that failed, one after another.
    failures: u32,
    /// Which of the addresses is tried first the next time.
    next: usize,
}

enum Link {
    /// There is no connection; the next attempt is made at this time or later.
    None(Option<Instant>),
    /// Calls wait for this.
    Connecting(Arc<Handle>, usize),
    Connected(Connection, Handle, Instant),
}

impl Remote {
    pub(super) fn new(addresses: Vec<String>, wanted: Greeting) -> Arc<Self> {
        let state = State { link: Link::None(None), failures: 0, next: 0 };
        Arc::new(Self { addresses, wanted, state: Mutex::new(state) })
    }

    pub(super) fn props(&self) -> &str {
        &self.wanted.props
    }

    pub(super) fn with_props(&self, props: String) -> Arc<Self> {
        let wanted = Greeting { name: self.wanted.name.clone(), props };
        Self::new(self.addresses.clone(), wanted)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if there is one that takes calls. One that does not is given up.
    fn connected(&self) -> Option<Handle> {
        let (connection, main) = match &self.lock().link {
            Link::Connected(connection, main, _) => (connection.clone(), main.clone()),
            _ => return None,
        };
        if connection.takes_calls() {
            return Some(main);
        }
        let lost = {
            let mut state = self.lock();
            match &state.link {
                Link::Connected(same, _, since) if same.is(&connection) => {
                    let good = since.elapsed() >= GOOD;
                    state.failures = if good { 0 } else { state.failures + 1 };
                    let next = Link::None(Instant::now().checked_add(wait(state.failures)));
                    Some(std::mem::replace(&mut state.link, next))
                }
                _ => None,
            }
        };
        drop(lost);
        None
    }

    /// What calls wait for while there is no connection. The first of them begins the attempt.
    fn connecting(self: &Arc<Self>) -> Handle {
        let (handle, settle) = pending();
        let begun = Arc::new(handle);
        let (waiting, attempt) = {
            let mut state = self.lock();
            match &mut state.link {
                Link::Connected(_, main, _) => return main.clone(),
                Link::Connecting(_, calls) if *calls >= MOST_WAITING => (None, None),
                Link::Connecting(waiting, calls) => {
                    *calls += 1;
                    (Some(Arc::clone(waiting)), None)
                }
                Link::None(not_before) => {
                    let not_before = *not_before;
                    state.link = Link::Connecting(Arc::clone(&begun), 1);
                    let first = state.next;
                    state.next = state.next.wrapping_add(1);
                    (Some(Arc::clone(&begun)), Some((not_before, first)))
                }
            }
        };
        if let Some((not_before, first)) = attempt {
            let this = Arc::clone(self);
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(this.attempt(not_before, first, settle))),
                Err(_) => this.failed(settle, "any address: a service needs a tokio runtime to connect"),
            }
        }
        match waiting {
            Some(waiting) => (*waiting).clone(),
            None => {
                let text = format!("{MOST_WAITING} calls wait for a connection to `{}`", self.name());
                Handle::broken(Error::new(ErrorKind::Overloaded, text))
            }
        }
    }

    /// Tries each of the addresses once, beginning with the one whose turn it is.
    async fn attempt(self: Arc<Self>, not_before: Option<Instant>, first: usize, settle: Settle) {
        if let Some(not_before) = not_before {
            tokio::time::sleep_until(not_before).await;
        }
        let mut problems = Vec::new();
        let count = self.addresses.len();
        for address in self.addresses.iter().cycle().skip(first % count.max(1)).take(count) {
            let endpoint = Endpoint::new().want(self.wanted.clone());
            let error = match tokio::time::timeout(PATIENCE, endpoint.connect(address)).await {
                Ok(Ok(connection)) => return self.made(settle, connection),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no connection within {PATIENCE:?}"),
            };
            problems.push(format!("{address}: {error}"));
        }
        if problems.is_empty() {
            problems.push("any address: it has none".to_owned());
        }
        self.failed(settle, &problems.join("; "));
    }

    fn made(&self, settle: Settle, connection: Connection) {
        let main = connection.main();
        // Those that wait go first; whoever calls meanwhile waits behind them.
        settle.found(main.clone());
        let left = {
            let mut state = self.lock();
            std::mem::replace(&mut state.link, Link::Connected(connection, main, Instant::now()))
        };
        drop(left);
    }

    fn failed(&self, settle: Settle, problem: &str) {
        let left = {
            let mut state = self.lock();
            state.failures = state.failures.saturating_add(1);
            let next = Link::None(Instant::now().checked_add(wait(state.failures)));
            std::mem::replace(&mut state.link, next)
        };
        drop(left);
        tracing::warn!(service = self.name(), problem, "a service could not be reached");
        let text = format!("`{}` could not be reached at {problem}", self.name());
        settle.failed(Error::new(ErrorKind::Disconnected, text));
    }

    fn name(&self) -> &str {
        if self.wanted.name.is_empty() { "the main object" } else { &self.wanted.name }
    }
}

/// An address that is asked on behalf of itself.
impl Address for Remote {
    fn current(self: Arc<Self>) -> Handle {
        self.connected().unwrap_or_else(|| self.connecting())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name(), self.addresses.join(", "))
    }
}
