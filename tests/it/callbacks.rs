//! When functions run: beside the method that made them, and in the order of their calls.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use tokio::sync::Semaphore;

use crate::kit::{Transport, behaviours, open, until};

type Number = RpcFn<fn(i64) -> i64>;

/// Runs one call at a time, and asks its caller's object in the middle of it.
pub struct Maker;

#[rpc_target]
impl Maker {
    pub async fn ask(&mut self, user: UserStub) -> Result<i64, Error> {
        let mut sum = 100;
        user.with(move |n: i64| {
            sum += n;
            sum
        })
        .await
        .map_err(|error| error.rpc().cloned().unwrap())
    }
}

pub struct User;

#[rpc_target]
impl User {
    pub async fn with(&self, f: Number) -> Result<i64, Error> {
        let (a, b) = (f.call(1), f.call(2));
        Ok(a.await? + b.await?)
    }
}

/// Functions that write down what they do.
#[derive(Clone)]
pub struct Log {
    events: Arc<Mutex<Vec<(&'static str, u32)>>>,
    gate: Arc<Semaphore>,
    inside: Arc<AtomicBool>,
}

#[rpc_target]
impl Log {
    pub fn waiting(&self) -> RpcFn<fn(u32) -> u32> {
        let log = self.clone();
        RpcFn::new_async(move |n: u32| {
            log.events.lock().unwrap().push(("start", n));
            let log = log.clone();
            async move {
                let permit = log.gate.acquire().await;
                log.events.lock().unwrap().push(("end", n));
                drop(permit);
                n
            }
        })
    }

    pub fn exclusive(&self) -> RpcFn<fn(u32) -> bool> {
        let log = self.clone();
        RpcFn::new(move |n: u32| {
            let alone = !log.inside.swap(true, SeqCst);
            std::thread::yield_now();
            log.events.lock().unwrap().push(("run", n));
            log.inside.store(false, SeqCst);
            alone
        })
    }
}

behaviours! {
    async fn r67_callback_runs_while_its_maker_is_busy(transport: Transport) {
        let (stub, _link) = open(transport, Maker).await;
        assert_eq!(stub.ask(User).await.unwrap(), 101 + 103);
    }

    async fn r69_calls_of_a_function_start_in_order(transport: Transport) {
        let log = Log { events: Arc::default(), gate: Arc::new(Semaphore::new(0)), inside: Arc::default() };
        let (events, gate) = (Arc::clone(&log.events), Arc::clone(&log.gate));
        let (stub, _link) = open(transport, log).await;
        let waiting = stub.waiting().await.unwrap();
        let calls: Vec<_> = (0..20).map(|n| waiting.call(n)).collect();
        until(|| events.lock().unwrap().len() == 20).await;
        let started: Vec<_> = (0..20).map(|n| ("start", n)).collect();
        assert_eq!(*events.lock().unwrap(), started, "all started before any ended");
        gate.add_permits(1);
        for (call, n) in calls.into_iter().zip(0..) {
            assert_eq!(call.await.unwrap(), n);
        }
        events.lock().unwrap().clear();
        let exclusive = stub.exclusive().await.unwrap();
        let calls: Vec<_> = (0..50).map(|n| exclusive.call(n)).collect();
        for call in calls {
            assert!(call.await.unwrap(), "no two calls overlap");
        }
        assert_eq!(*events.lock().unwrap(), (0..50).map(|n| ("run", n)).collect::<Vec<_>>());
    }
}
