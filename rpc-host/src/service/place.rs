//! [`Place`]: one of the addresses of a service, and what is known of it.

use std::time::Duration;

use farcall_core::connection::Connection;
use farcall_core::handle::Handle;
use tokio::time::Instant;

use super::backoff::{GOOD, wait};

/// One of the addresses of a service.
#[derive(Debug, Default)]
pub(super) struct Place {
    link: Link,
    /// Attempts and connections that failed, one after another.
    failures: u32,
}

#[derive(Debug)]
enum Link {
    /// There is no connection; the next attempt is made at this time or later.
    Down(Option<Instant>),
    Connecting,
    Up(Connection, Handle, Instant),
}

/// What was given up of a place, to be dropped without its lock.
pub(super) struct Left(#[expect(dead_code, reason = "it is there to be dropped")] Link);

impl Default for Link {
    fn default() -> Self {
        Self::Down(None)
    }
}

impl Place {
    /// The connection and the peer's main object, if there is one.
    pub(super) fn connected(&self) -> Option<(&Connection, &Handle)> {
        match &self.link {
            Link::Up(connection, main, _) => Some((connection, main)),
            Link::Down(_) | Link::Connecting => None,
        }
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.link, Link::Connecting)
    }

    /// Gives the connection up if it takes no calls.
    pub(super) fn give_up_lost(&mut self) -> Option<Left> {
        let Link::Up(connection, _, since) = &self.link else { return None };
        if connection.takes_calls() {
            return None;
        }
        self.failures = if since.elapsed() >= GOOD { 0 } else { self.failures.saturating_add(1) };
        Some(self.rest())
    }

    /// Begins an attempt: gives how long to wait before it. `None`: there is a connection or an attempt, or, with
    /// `at_once`, the time for one has not come.
    pub(super) fn begin(&mut self, at_once: bool) -> Option<Duration> {
        let Link::Down(not_before) = self.link else { return None };
        let wait = not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
        if at_once && !wait.is_zero() {
            return None;
        }
        self.link = Link::Connecting;
        Some(wait)
    }

    /// The attempt has failed.
    pub(super) fn failed(&mut self) -> Left {
        self.failures = self.failures.saturating_add(1);
        self.rest()
    }

    /// The attempt has given a connection.
    pub(super) fn made(&mut self, connection: Connection, main: Handle) -> Left {
        Left(std::mem::replace(&mut self.link, Link::Up(connection, main, Instant::now())))
    }

    fn rest(&mut self) -> Left {
        let next = Instant::now().checked_add(wait(self.failures));
        Left(std::mem::replace(&mut self.link, Link::Down(next)))
    }
}
