//! Callers that are faster than their callees, callees that are faster than their callers, and their limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use farcall::prelude::*;
use farcall::{Endpoint, Limits};
use tokio::sync::Semaphore;

use crate::kit::{Transport, behaviours, open, open_with, until};

/// Sets some limits lower than they are.
fn limits(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

/// What a test sees of a slow target.
#[derive(Clone)]
pub struct State {
    go: Arc<Semaphore>,
    started: Arc<AtomicUsize>,
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    last: Arc<AtomicUsize>,
    disorder: Arc<AtomicBool>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            go: Arc::new(Semaphore::new(0)),
            started: Arc::default(),
            inside: Arc::default(),
            most: Arc::default(),
            last: Arc::default(),
            disorder: Arc::default(),
        }
    }
}

impl State {
    fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }
}

pub struct Slow(State);

#[rpc_target]
impl Slow {
    /// Waits until it is let go.
    pub async fn slow(&self, n: u64) -> u64 {
        self.0.started.fetch_add(1, Ordering::SeqCst);
        let inside = self.0.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(inside, Ordering::SeqCst);
        self.0.go.acquire().await.unwrap().forget();
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
        n
    }

    /// Notes whether it was called in order.
    pub fn log(&self, n: u64) {
        let last = self.0.last.swap(n as usize, Ordering::SeqCst);
        self.0.disorder.fetch_or(last + 1 != n as usize, Ordering::SeqCst);
        self.0.started.fetch_add(1, Ordering::SeqCst);
    }

    pub fn take(&self, payload: Bytes) -> u64 {
        self.0.started.fetch_add(1, Ordering::SeqCst);
        payload.len() as u64
    }

    pub fn echo(&self, payload: Bytes) -> Bytes {
        payload
    }

    pub fn make(&self, length: u32) -> Bytes {
        self.0.started.fetch_add(1, Ordering::SeqCst);
        vec![1; length as usize].into()
    }

    /// Calls the caller back with much data, often.
    pub async fn flood(&self, back: SlowStub, rounds: u32) -> u64 {
        let mut sum = 0;
        let calls: Vec<_> = (0..rounds).map(|_| back.echo(vec![2; 256 * 1024])).collect();
        for call in calls {
            sum += call.await.unwrap().len() as u64;
        }
        sum
    }
}

behaviours! {
    async fn many_detached_calls_all_run_in_order(transport: Transport) {
        let state = State::default();
        let (stub, link) = open(transport, Slow(state.clone())).await;
        for n in 1..=50_000 {
            Promise::detach(stub.log(n));
        }
        until(|| state.started() == 50_000).await;
        assert!(!state.disorder.load(Ordering::SeqCst));
        link.server_holds(0).await;
    }

    async fn caller_that_waits_for_room_is_never_refused(transport: Transport) {
        let state = State::default();
        let limits = limits(|limits| {
            limits.window_bytes = 256 * 1024;
            limits.frame_bytes = 64 * 1024;
            limits.line_bytes = 128 * 1024;
        });
        let (stub, link) = open_with(transport, Duration::ZERO, limits, Slow(state.clone())).await;
        let mut calls = Vec::new();
        for _ in 0..500 {
            stub.ready().await;
            calls.push(stub.take(vec![0; 10_000]));
        }
        for call in calls {
            assert_eq!(call.await.unwrap(), 10_000);
        }
        link.server_holds(0).await;
    }

    async fn both_sides_flood_each_other_and_neither_stops(transport: Transport) {
        let (stub, link) = open(transport, Slow(State::default())).await;
        let own: SlowStub = Slow(State::default()).into_stub();
        let floods: Vec<_> = (0..4).map(|_| stub.flood(&own, 32)).collect();
        let echoes: Vec<_> = (0..64).map(|_| stub.echo(vec![3; 256 * 1024])).collect();
        for echo in echoes {
            assert_eq!(echo.await.unwrap().len(), 256 * 1024);
        }
        for flood in floods {
            assert_eq!(flood.await.unwrap(), 32 * 256 * 1024);
        }
        link.server_holds(0).await;
    }
}

behaviours! { wire
    async fn calls_wait_in_line_and_leave_it_in_order(transport: Transport) {
        let state = State::default();
        let limits = limits(|limits| {
            limits.running_calls = 4;
            limits.window_bytes = 128 * 1024;
            limits.frame_bytes = 64 * 1024;
        });
        let (stub, link) = open_with(transport, Duration::ZERO, limits, Slow(state.clone())).await;
        // Four of them run and fill the window with what is behind them; the rest waits here.
        let slow: Vec<_> = (0..4).map(|n| stub.slow(n)).collect();
        let large: Vec<_> = (0..40).map(|_| stub.take(vec![0; 20_000])).collect();
        let (promised, detached) = (stub.make(10), stub.log(1));
        // What refers to calls in the line waits behind them.
        let of_promise = stub.take(&promised);
        Promise::detach(detached);
        let dropped = stub.take(vec![0; 20_000]);
        drop(dropped);
        let last = stub.log(2);
        until(|| state.started() == 4).await;
        state.go.add_permits(4);
        for large in large {
            assert_eq!(large.await.unwrap(), 20_000);
        }
        assert_eq!(of_promise.await.unwrap(), 10);
        last.await.unwrap();
        assert!(!state.disorder.load(Ordering::SeqCst));
        for (n, slow) in (0..).zip(slow) {
            assert_eq!(slow.await.unwrap(), n);
        }
        // All but the one that was dropped: it left the line without a trace.
        assert_eq!(state.started(), 4 + 40 + 1 + 1 + 1 + 1);
        drop(promised);
        link.server_holds(0).await;
    }

    async fn full_line_refuses_calls_which_did_not_run(transport: Transport) {
        let state = State::default();
        let limits = limits(|limits| limits.calls_in_flight = 8);
        let (stub, link) = open_with(transport, Duration::ZERO, limits, Slow(state.clone())).await;
        let calls: Vec<_> = (0..8).map(|n| stub.slow(n)).collect();
        let error = stub.slow(9).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Overloaded, false));
        assert!(error.message().contains("calls_in_flight") && error.message().contains('8'), "{error}");
        // What is behind it fails for the same reason.
        let behind = stub.take(stub.make(1)).await.unwrap_err();
        assert_eq!(behind.origin(), ErrorKind::Overloaded);
        state.go.add_permits(8);
        for (n, call) in (0..).zip(calls) {
            assert_eq!(call.await.unwrap(), n);
        }
        state.go.add_permits(1);
        assert_eq!(stub.slow(10).await.unwrap(), 10);
        assert_eq!(state.started(), 9);
        link.server_holds(0).await;
    }

    async fn full_line_is_told_by_bytes_too(transport: Transport) {
        let state = State::default();
        let limits = limits(|limits| {
            limits.window_bytes = 64 * 1024;
            limits.frame_bytes = 64 * 1024;
            limits.running_calls = 1;
            limits.line_bytes = 101_000;
        });
        let (stub, link) = open_with(transport, Duration::ZERO, limits, Slow(state.clone())).await;
        let slow = stub.slow(1);
        let calls: Vec<_> = (0..100).map(|_| stub.take(vec![0; 20_000])).collect();
        until(|| state.started() == 1).await;
        state.go.add_permits(1);
        assert_eq!(slow.await.unwrap(), 1);
        let mut answered = 0;
        for call in calls {
            match call.await {
                Ok(length) => answered += usize::from(length == 20_000),
                Err(error) => {
                    assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Overloaded, false));
                    assert!(error.message().contains("line_bytes"), "{error}");
                }
            }
        }
        // Three in the window, five in the line.
        assert_eq!((answered, state.started()), (8, 9));
        stub.ready().await;
        assert_eq!(stub.take(vec![0; 20_000]).await.unwrap(), 20_000);
        link.server_holds(0).await;
    }

    async fn callee_runs_no_more_calls_than_it_allows(transport: Transport) {
        let state = State::default();
        let limits = limits(|limits| limits.running_calls = 16);
        let (stub, link) = open_with(transport, Duration::ZERO, limits, Slow(state.clone())).await;
        let mut calls: Vec<_> = (0..100).map(|n| stub.slow(n)).collect();
        until(|| state.started() == 16).await;
        // A call that is given up while it waits never starts; one that runs makes room when it has ended.
        drop(calls.split_off(60));
        link.server_holds(60).await;
        state.go.add_permits(60);
        for (n, call) in (0..).zip(calls) {
            assert_eq!(call.await.unwrap(), n);
        }
        assert_eq!((state.most.load(Ordering::SeqCst), state.started()), (16, 60));
        link.server_holds(0).await;
    }

    async fn cancelled_calls_make_room_only_when_they_are_over(transport: Transport) {
        let state = State::default();
        let limits = limits(|limits| limits.running_calls = 4);
        let (stub, link) = open_with(transport, Duration::ZERO, limits, Slow(state.clone())).await;
        for round in 0..50 {
            let calls: Vec<_> = (0..4).map(|n| stub.slow(n)).collect();
            until(|| state.started() == 4 * (round + 1)).await;
            drop(calls);
        }
        // Calls that are just being given up may take some.
        state.go.add_permits(5);
        assert_eq!(stub.slow(1).await.unwrap(), 1);
        link.server_holds(0).await;
    }
}

#[tokio::test]
async fn caller_that_does_not_read_stops_what_is_delivered_and_not_the_callee() {
    crate::kit::in_time(async {
        let state = State::default();
        let limits = limits(|limits| {
            limits.unsent_answer_bytes = 1024 * 1024;
            limits.unsent_answer_bytes_hard = 64 * 1024 * 1024;
        });
        let (near, caller_end) = tokio::io::duplex(64 * 1024);
        let (callee_end, far) = tokio::io::duplex(64 * 1024);
        let callee = Endpoint::new().limits(limits).offer::<SlowStub>(Slow(state.clone()));
        let (_server, driver) = callee.accept_over(far);
        tokio::spawn(driver);
        let (connection, driver) = Endpoint::new().connect_over(near);
        let stub: SlowStub = farcall::main_stub(&connection);
        tokio::spawn(driver);
        // What the caller writes is passed on; what comes back stays where it is until it is let through.
        let (mut from_callee, mut to_callee) = tokio::io::split(callee_end);
        let (mut from_caller, mut to_caller) = tokio::io::split(caller_end);
        tokio::spawn(async move { tokio::io::copy(&mut from_caller, &mut to_callee).await });
        let calls: Vec<_> = (0..100).map(|_| stub.make(256 * 1024).into_future()).map(tokio::spawn).collect();
        until(|| state.started() >= 4).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        // Four fill the mark; what was under way counts beside.
        assert!(state.started() < 10, "{} were started", state.started());
        tokio::spawn(async move { tokio::io::copy(&mut from_callee, &mut to_caller).await });
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().len(), 256 * 1024);
        }
    })
    .await;
}
