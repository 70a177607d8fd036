//! Which methods of one target run side by side, and which one after another.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use tokio::sync::{Barrier, Semaphore};

use crate::kit::{Transport, behaviours, open};

/// Returns when two have come.
pub struct Meeting(Barrier);

#[rpc_target]
impl Meeting {
    pub async fn meet(&self) -> bool {
        self.0.wait().await.is_leader()
    }
}

pub struct Shop {
    gate: Arc<Semaphore>,
    log: Arc<Mutex<Vec<u32>>>,
}

impl Default for Shop {
    fn default() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), log: Arc::default() }
    }
}

#[rpc_target]
impl Shop {
    pub fn desk(&self) -> Desk {
        Desk {
            gate: Arc::clone(&self.gate),
            log: Arc::clone(&self.log),
            inside: AtomicBool::new(false),
            overlaps: AtomicU32::new(0),
        }
    }

    pub fn ping(&self) {}
}

pub struct Desk {
    gate: Arc<Semaphore>,
    log: Arc<Mutex<Vec<u32>>>,
    inside: AtomicBool,
    overlaps: AtomicU32,
}

#[rpc_target]
impl Desk {
    pub async fn hold(&mut self) {
        let _permit = self.gate.acquire().await;
    }

    pub async fn step(&mut self, n: u32) -> u32 {
        self.overlaps.fetch_add(u32::from(self.inside.swap(true, SeqCst)), SeqCst);
        self.log.lock().unwrap().push(n);
        tokio::task::yield_now().await;
        self.inside.store(false, SeqCst);
        n
    }

    pub fn overlaps(&self) -> u32 {
        self.overlaps.load(SeqCst) + u32::from(self.inside.load(SeqCst))
    }
}

behaviours! {
    async fn r88_shared_methods_overlap(transport: Transport) {
        let (stub, _link) = open(transport, Meeting(Barrier::new(2))).await;
        let (first, second) = tokio::join!(stub.meet(), stub.meet());
        assert_ne!(first.unwrap(), second.unwrap(), "one of the two is the leader");
    }

    async fn r88_serial_methods_run_one_at_a_time(transport: Transport) {
        let shop = Shop::default();
        let (gate, log) = (Arc::clone(&shop.gate), Arc::clone(&shop.log));
        let (stub, _link) = open(transport, shop).await;
        let desk = stub.desk().await.unwrap();
        let first = desk.hold();
        let mut calls: Vec<_> = (0..50).map(|n| (n, desk.step(n))).collect();
        // It waits for its turn, and is given up.
        drop(calls.remove(25));
        // A release may follow the next call: the second answer says that it has come.
        stub.ping().await.unwrap();
        stub.ping().await.unwrap();
        gate.add_permits(1);
        first.await.unwrap();
        for (n, call) in calls {
            assert_eq!(call.await.unwrap(), n);
        }
        let expected: Vec<u32> = (0..50).filter(|n| *n != 25).collect();
        assert_eq!(*log.lock().unwrap(), expected);
        assert_eq!(desk.overlaps().await.unwrap(), 0);
    }
}
