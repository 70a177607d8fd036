//! [`Watch`]: the one timer of a connection, and what it is for: a greeting that does not come, output that nobody
//! takes, a peer that has vanished.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use farcall_core::connection::Connection;
use farcall_core::limits::Limits;
use tokio::time::{Instant, Sleep};

/// Watches over the time that a peer takes.
///
/// What happens often only leaves a mark; the clock is asked when the timer fires, and when output begins to wait. A
/// timer that fires too early is set again, one that is set is never set back.
#[derive(Debug)]
pub(crate) struct Watch {
    handshake: Duration,
    keep_alive: Option<Duration>,
    dead_peer: Duration,
    write_stall: Duration,
    /// When the driver was first about to sleep.
    began: Option<Instant>,
    greeted: bool,
    /// Something has come in since the last look.
    heard: bool,
    /// Since when output waits and nothing of it is taken.
    blocked: Option<Instant>,
    /// When to look next whether the peer is silent.
    look: Option<Instant>,
    /// When it was asked for a sign of life.
    asked: Option<Instant>,
    timer: Option<Timer>,
    /// There is nothing to look at before output waits again.
    resting: bool,
}

#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes.
    waker: Waker,
}

/// What a driver is waiting for when it is about to sleep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// The transport does not take what waits to be written.
    pub(crate) blocked: bool,
    /// This side has closed its direction.
    pub(crate) closing: bool,
}

impl Watch {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            handshake: limits.handshake,
            keep_alive: limits.keep_alive,
            dead_peer: limits.dead_peer,
            write_stall: limits.write_stall,
            began: None,
            greeted: false,
            heard: false,
            blocked: None,
            look: None,
            asked: None,
            timer: None,
            resting: false,
        }
    }

    /// Something has come in.
    #[inline]
    pub(crate) fn heard(&mut self) {
        self.heard = true;
    }

    /// The transport has taken something. What it could not take before has gone because the peer took it: that is a
    /// sign of life as well.
    #[inline]
    pub(crate) fn took(&mut self) {
        if self.blocked.is_some() {
            self.blocked = None;
            self.heard = true;
        }
    }

    /// Looks whether it is time for something. `Ready`: something was done, and the driver has to go round again.
    /// `Pending`: the driver will be woken.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, peer: &Connection, waiting: Waiting) -> Poll<()> {
        let begins = waiting.blocked && self.blocked.is_none();
        match &self.timer {
            Some(timer) if !begins && !timer.sleep.is_elapsed() && timer.waker.will_wake(cx.waker()) => {
                Poll::Pending
            }
            None if !begins && self.resting => Poll::Pending,
            _ => self.look(cx, peer, waiting),
        }
    }

    #[cold]
    fn look(&mut self, cx: &mut Context<'_>, peer: &Connection, waiting: Waiting) -> Poll<()> {
        loop {
            let now = Instant::now();
            self.began.get_or_insert(now);
            if waiting.blocked {
                self.blocked.get_or_insert(now);
            }
            if self.check(now, peer, waiting) {
                return Poll::Ready(());
            }
            let Some(next) = self.next() else {
                self.timer = None;
                self.resting = true;
                return Poll::Pending;
            };
            // Whatever is due is done above, or moves on: this comes to an end.
            if self.set(cx, next).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Does what it is time for; tells whether anything was done.
    fn check(&mut self, now: Instant, peer: &Connection, waiting: Waiting) -> bool {
        if let Some(since) = passed(self.blocked, self.write_stall, now) {
            peer.stalled(now - since, self.write_stall);
            return true;
        }
        self.greeted = self.greeted || peer.is_greeted();
        if !self.greeted
            && let Some(since) = passed(self.began, self.handshake, now)
        {
            peer.late(now - since, self.handshake);
            return true;
        }
        if self.is_silent(now) && self.asked.is_none() {
            self.asked = Some(now);
            // Who has closed its direction cannot ask any more. The other side has to close its own.
            if !waiting.closing {
                peer.ping();
                return true;
            }
        }
        if let Some(since) = passed(self.awaited(), self.dead_peer, now) {
            peer.silent(now - since, self.dead_peer);
            return true;
        }
        false
    }

    /// Looks, if it is time, whether anything has come since the last look. While output waits, its own limit counts:
    /// a question would wait behind it.
    fn is_silent(&mut self, now: Instant) -> bool {
        let Some(period) = self.period() else { return false };
        let first = self.look.is_none();
        if self.look.is_some_and(|look| look > now) {
            return false;
        }
        self.look = now.checked_add(period);
        let heard = std::mem::take(&mut self.heard);
        if heard || first || !self.greeted || self.blocked.is_some() {
            self.asked = None;
            return false;
        }
        true
    }

    /// Since when a sign of life is waited for.
    fn awaited(&self) -> Option<Instant> {
        self.asked.filter(|_| !self.heard && self.blocked.is_none())
    }

    /// How often to look whether the peer is silent: twice in the time, so that it is asked after at most that.
    fn period(&self) -> Option<Duration> {
        self.keep_alive.map(|after| (after / 2).max(Duration::from_millis(1)))
    }

    /// When there is something to look at next.
    fn next(&self) -> Option<Instant> {
        let end = |since: Option<Instant>, limit| since.and_then(|since| since.checked_add(limit));
        let greeting = self.began.filter(|_| !self.greeted);
        let ends = [
            end(self.blocked, self.write_stall),
            end(greeting, self.handshake),
            end(self.awaited(), self.dead_peer),
            self.look,
        ];
        ends.into_iter().flatten().min()
    }

    /// Sets the timer, if it is later than that or there is none.
    fn set(&mut self, cx: &mut Context<'_>, next: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Timer {
            sleep: Box::pin(tokio::time::sleep_until(next)),
            waker: cx.waker().clone(),
        });
        if timer.sleep.is_elapsed() || timer.sleep.deadline() > next {
            timer.sleep.as_mut().reset(next);
        }
        timer.waker.clone_from(cx.waker());
        // A share of the task's budget would be one more way to stay pending, and nobody would be woken then.
        std::pin::pin!(tokio::task::unconstrained(timer.sleep.as_mut())).poll(cx)
    }
}

/// Since when, if that is as long ago as the limit.
fn passed(since: Option<Instant>, limit: Duration, now: Instant) -> Option<Instant> {
    since.filter(|since| since.checked_add(limit).is_some_and(|end| end <= now))
}
