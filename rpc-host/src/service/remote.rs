//! A service in another host, or in several.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use farcall_core::address::{Address, Settle, pending};
use farcall_core::connection::{Connection, Greeting};
use farcall_core::error::{Error, ErrorKind};
use farcall_core::handle::Handle;
use farcall_transport::Endpoint;

use super::balance::Balancer;
use super::place::Place;

/// How long an attempt to connect may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls that may wait for a connection.
const MOST_WAITING: usize = 65_536;

/// A service in other hosts: one connection for each address, made when calls need it. Calls are spread over those that
/// there are; an address without one is left out, and tried again by a later call.
pub(crate) struct Remote {
    addresses: Vec<String>,
    endpoint: Endpoint,
    wanted: Greeting,
    state: Mutex<State>,
}

struct State {
    places: Vec<Place>,
    /// Where there are several of them.
    balancer: Option<Balancer>,
    /// What calls wait for while there is no connection.
    waiting: Option<Waiting>,
}

struct Waiting {
    handle: Arc<Handle>,
    calls: usize,
    /// Gone while the calls are being made.
    settle: Option<Settle>,
    problems: Vec<String>,
}

/// Attempts that are to be made: which place, and after how long.
type Attempts = Vec<(usize, Duration)>;

impl Remote {
    pub(super) fn new(addresses: Vec<String>, endpoint: Endpoint, wanted: Greeting) -> Arc<Self> {
        let places: Vec<Place> = addresses.iter().map(|_| Place::default()).collect();
        let balancer = (places.len() > 1).then(Balancer::new);
        let state = Mutex::new(State { places, balancer, waiting: None });
        let endpoint = endpoint.want(wanted.clone());
        Arc::new(Self { addresses, endpoint, wanted, state })
    }

    pub(super) fn props(&self) -> &str {
        &self.wanted.props
    }

    pub(super) fn with_props(&self, props: String) -> Arc<Self> {
        let wanted = Greeting { name: self.wanted.name.clone(), props };
        Self::new(self.addresses.clone(), self.endpoint.clone(), wanted)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the attempts, each on a task of its own.
    fn begin(self: &Arc<Self>, attempts: Attempts) {
        if attempts.is_empty() {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                for (place, wait) in attempts {
                    runtime.spawn(Arc::clone(self).attempt(place, wait));
                }
            }
            Err(_) => {
                for (place, _) in attempts {
                    self.failed(place, "a service needs a tokio runtime to connect");
                }
            }
        }
    }

    async fn attempt(self: Arc<Self>, place: usize, wait: Duration) {
        tokio::time::sleep(wait).await;
        let Some(address) = self.addresses.get(place) else { return };
        match tokio::time::timeout(PATIENCE, self.endpoint.connect(address)).await {
            Ok(Ok(connection)) => self.made(place, connection),
            Ok(Err(error)) => self.failed(place, &error.to_string()),
            Err(_) => self.failed(place, &format!("no connection within {PATIENCE:?}")),
        }
    }

    fn made(&self, place: usize, connection: Connection) {
        let main = connection.main();
        let settle = self.lock().waiting.as_mut().and_then(|waiting| waiting.settle.take());
        let was_first = settle.is_some();
        if let Some(settle) = settle {
            // Those that wait go first; whoever calls meanwhile waits behind them.
            settle.found(main.clone());
        }
        let left = {
            let mut state = self.lock();
            if let Some(balancer) = &state.balancer {
                balancer.insert(place, &connection, &main);
            }
            let waiting = if was_first { state.waiting.take() } else { None };
            (waiting, state.places.get_mut(place).map(|place| place.made(connection, main)))
        };
        drop(left);
    }

    /// An attempt has failed. If it was the last, so have the calls that wait.
    fn failed(&self, place: usize, problem: &str) {
        let address = self.addresses.get(place).map_or("", String::as_str);
        tracing::warn!(service = self.name(), address, problem, "a service could not be reached");
        let (left, waiting) = {
            let mut state = self.lock();
            let left = state.places.get_mut(place).map(Place::failed);
            let hopeless =
                !state.places.iter().any(|place| place.is_connecting() || place.connected().is_some());
            let noted = match &mut state.waiting {
                Some(Waiting { settle: Some(_), problems, .. }) => {
                    problems.push(format!("{address}: {problem}"));
                    hopeless
                }
                _ => false,
            };
            (left, if noted { state.waiting.take() } else { None })
        };
        drop(left);
        if let Some(Waiting { settle: Some(settle), problems, .. }) = waiting {
            settle.failed(self.unreachable(&problems.join("; ")));
        }
    }

    fn unreachable(&self, problems: &str) -> Error {
        let text = format!("`{}` could not be reached at {problems}", self.name());
        Error::new(ErrorKind::Disconnected, text).did_not_run()
    }

    fn name(&self) -> &str {
        if self.wanted.name.is_empty() { "the main object" } else { &self.wanted.name }
    }
}

impl State {
    /// The main object over a connection that takes calls, if there is one, and the attempts to begin beside: those
    /// whose time has come.
    fn choose(&mut self, left: &mut Vec<super::place::Left>) -> (Option<Handle>, Attempts) {
        if let Some(balancer) = &mut self.balancer {
            let chosen = balancer.choose();
            if balancer.len() == self.places.len() {
                return (chosen, Attempts::new());
            }
            left.extend(self.places.iter_mut().filter_map(Place::give_up_lost));
            return (chosen, self.attempts(true));
        }
        left.extend(self.places.first_mut().and_then(Place::give_up_lost));
        let connected = self.places.first().and_then(Place::connected);
        (connected.map(|(_, main)| main.clone()), Attempts::new())
    }

    fn attempts(&mut self, at_once: bool) -> Attempts {
        let places = self.places.iter_mut().enumerate();
        places.filter_map(|(at, place)| Some((at, place.begin(at_once)?))).collect()
    }

    /// What a call waits for that finds no connection. `None`: too many wait already.
    fn wait(&mut self) -> Option<Arc<Handle>> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let (handle, settle) = pending();
            Waiting { handle: Arc::new(handle), calls: 0, settle: Some(settle), problems: Vec::new() }
        });
        if waiting.calls >= MOST_WAITING {
            return None;
        }
        waiting.calls += 1;
        Some(Arc::clone(&waiting.handle))
    }
}

impl Address for Remote {
    fn current(self: Arc<Self>) -> Handle {
        if self.addresses.is_empty() {
            return Handle::broken(self.unreachable("any address: it has none"));
        }
        let mut left = Vec::new();
        let (handle, attempts) = {
            let mut state = self.lock();
            match state.choose(&mut left) {
                (Some(main), attempts) => (Ok(main), attempts),
                (None, mut attempts) => {
                    let waiting = state.wait();
                    attempts.append(&mut state.attempts(false));
                    (Err(waiting), attempts)
                }
            }
        };
        drop(left);
        self.begin(attempts);
        match handle {
            Ok(main) => main,
            Err(Some(waiting)) => (*waiting).clone(),
            Err(None) => {
                let text = format!("{MOST_WAITING} calls wait for a connection to `{}`", self.name());
                Handle::broken(Error::new(ErrorKind::Overloaded, text))
            }
        }
    }

    fn connection(&self) -> Option<Connection> {
        let state = self.lock();
        state.places.iter().find_map(Place::connected).map(|(connection, _)| connection.clone())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name(), self.addresses.join(", "))
    }
}
