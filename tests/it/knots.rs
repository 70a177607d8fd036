//! Promises that are promised to be themselves: a peer can tie such knots, and must come to no harm by them.

use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use farcall::{Reason, Revocable, Stub, WeakStub};
use tokio::sync::Semaphore;

use crate::kit::{Transport, behaviours, open, until};

pub struct Leaf;

#[rpc_target]
impl Leaf {
    pub fn ping(&self) -> i64 {
        1
    }
}

#[derive(Clone)]
pub struct Knot {
    held: Arc<Mutex<Vec<LeafStub>>>,
    go: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<WeakStub<LeafStub>>>>,
}

impl Default for Knot {
    fn default() -> Self {
        Self { held: Arc::default(), go: Arc::new(Semaphore::new(0)), seen: Arc::default() }
    }
}

#[rpc_target]
impl Knot {
    /// Gives the stub that was held first.
    pub async fn tie(&self) -> LeafStub {
        self.go.acquire().await.unwrap().forget();
        self.held.lock().unwrap().remove(0)
    }

    pub fn hold(&self, stub: LeafStub) {
        self.held.lock().unwrap().push(stub);
    }

    /// Holds it behind a gate.
    pub fn hold_wrapped(&self, stub: LeafStub) {
        let (lent, _revoker) = Revocable::wrap(stub);
        self.seen.lock().unwrap().push(lent.downgrade());
        self.held.lock().unwrap().push(lent);
    }

    pub fn pull(&self, times: u32) {
        self.go.add_permits(times as usize);
    }

    pub fn ping(&self) -> bool {
        true
    }
}

behaviours! {
    async fn promise_that_is_promised_to_be_itself_fails(transport: Transport) {
        let (knot, link) = open(transport, Knot::default()).await;
        for length in [1, 2, 5] {
            let promises: Vec<_> = (0..length).map(|_| knot.tie()).collect();
            // The last is held first: each becomes another of them.
            for promise in promises.iter().cycle().skip(1).take(length) {
                knot.hold(promise).await.unwrap();
            }
            let stubs: Vec<LeafStub> = promises.iter().map(|promise| LeafStub::clone(promise)).collect();
            knot.pull(length as u32).await.unwrap();
            for stub in &stubs {
                let error = stub.ping().await.unwrap_err();
                assert!(!error.may_have_run() && error.message().contains("or to itself"), "{error}");
                if transport == Transport::InProcess {
                    let reason = stub.closed().await;
                    assert!(matches!(&reason, Reason::Rejected(broken) if *broken == error), "{reason}");
                }
            }
            assert!(knot.ping().await.unwrap());
            drop((stubs, promises));
            link.server_holds(0).await;
        }
    }
    async fn promise_that_leads_to_itself_through_a_gate_fails(transport: Transport) {
        let main = Knot::default();
        // Whose gate it is: the callee's, or the caller's.
        for (length, callers) in [(1, false), (2, false), (5, false), (1, true), (2, true)] {
            let (knot, link) = open(transport, main.clone()).await;
            let promises: Vec<_> = (0..length).map(|_| knot.tie()).collect();
            let stubs: Vec<LeafStub> = promises.iter().map(|promise| LeafStub::clone(promise)).collect();
            for stub in stubs.iter().cycle().skip(1).take(length) {
                if callers {
                    knot.hold(Revocable::wrap(stub.clone()).0).await.unwrap();
                } else {
                    knot.hold_wrapped(stub).await.unwrap();
                }
            }
            knot.pull(length as u32).await.unwrap();
            for stub in &stubs {
                let error = stub.ping().await.unwrap_err();
                assert!(!error.may_have_run() && error.message().contains("or to itself"), "{error}");
            }
            assert!(knot.ping().await.unwrap());
            if callers {
                // What a caller ties to its own call it holds itself.
                continue;
            }
            let seen = std::mem::take(&mut *main.seen.lock().unwrap());
            let weak: Vec<_> = stubs.iter().map(Stub::downgrade).chain(seen).collect();
            drop((stubs, promises));
            link.server_holds(0).await;
            until(|| weak.iter().all(|weak| weak.upgrade().is_none())).await;
        }
    }
    async fn promise_that_becomes_promise_after_promise_is_followed_so_far(transport: Transport) {
        // Each is to become the one after it, and settles before that: only when the last has settled is it known
        // where a call on the first goes.
        for (length, must_arrive) in [(20, true), (500, false)] {
            let (knot, link) = open(transport, Knot::default()).await;
            let mut promises = Vec::new();
            let first = knot.tie();
            for _ in 1..length {
                promises.push(knot.tie());
            }
            for promise in &promises {
                knot.hold(promise).await.unwrap();
            }
            knot.pull(length - 1).await.unwrap();
            assert!(knot.ping().await.unwrap());
            knot.hold(Leaf).await.unwrap();
            knot.pull(1).await.unwrap();
            match first.ping().await {
                Ok(one) => assert_eq!(one, 1),
                Err(error) => assert!(!must_arrive && error.message().contains("or to itself"), "{error}"),
            }
            drop((first, promises));
            link.server_holds(0).await;
        }
    }
}
