//! When a target's `Drop` runs, what a panic in it does, and what five functions cost beside five methods.

use std::sync::{Arc, Mutex};

use farcall::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::capture::Capture;
use crate::kit::{Transport, behaviours, open, until};

/// Takes a lock and writes down that it was dropped.
pub struct Noted(Arc<Mutex<u32>>);

#[rpc_target]
impl Noted {
    pub fn ping(&self) {}
}

impl Drop for Noted {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

pub struct Grumpy;

#[rpc_target]
impl Grumpy {
    pub fn ping(&self) {}

    pub async fn wait(&self) -> u32 {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        5
    }
}

impl Drop for Grumpy {
    fn drop(&mut self) {
        panic!("it does not want to go");
    }
}

type Thunk = RpcFn<fn() -> u8>;

#[derive(Serialize, Deserialize, RpcValue)]
pub struct Five {
    pub a: Thunk,
    pub b: Thunk,
    pub c: Thunk,
    pub d: Thunk,
    pub e: Thunk,
}

pub struct Methods;

#[rpc_target]
impl Methods {
    pub fn a(&self) -> u8 {
        1
    }

    pub fn b(&self) -> u8 {
        2
    }

    pub fn c(&self) -> u8 {
        3
    }

    pub fn d(&self) -> u8 {
        4
    }

    pub fn e(&self) -> u8 {
        5
    }
}

/// The same, one call at a time.
pub struct Sour;

#[rpc_target]
impl Sour {
    pub async fn wait(&mut self) -> u32 {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        6
    }
}

impl Drop for Sour {
    fn drop(&mut self) {
        panic!("it does not want to go either");
    }
}

/// Panics in its release hook, and then not in its `Drop`.
pub struct Hooked;

#[rpc_target]
impl Hooked {
    pub fn ping(&self) {}

    #[rpc(on_release)]
    async fn close(&self) {
        tokio::task::yield_now().await;
        panic!("it does not want to close");
    }
}

pub struct House(Arc<Mutex<u32>>);

#[rpc_target]
impl House {
    pub fn noted(&self) -> Noted {
        Noted(Arc::clone(&self.0))
    }

    pub fn grumpy(&self) -> Grumpy {
        Grumpy
    }

    pub fn hooked(&self) -> Hooked {
        Hooked
    }

    pub fn sour(&self) -> Sour {
        Sour
    }

    pub fn functions(&self) -> Five {
        let thunk = |n: u8| RpcFn::new(move || n);
        Five { a: thunk(1), b: thunk(2), c: thunk(3), d: thunk(4), e: thunk(5) }
    }

    pub fn methods(&self) -> Methods {
        Methods
    }

    pub async fn slow(&self, n: u32) -> u32 {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        n
    }
}

behaviours! {
    async fn r303_drop_is_seen_after_the_release(transport: Transport) {
        let drops = Arc::new(Mutex::new(0));
        let (stub, _link) = open(transport, House(Arc::clone(&drops))).await;
        let (remote, local) = (stub.noted().await.unwrap(), Noted(Arc::clone(&drops)).into_stub());
        remote.ping().await.unwrap();
        local.ping().await.unwrap();
        for (stub, seen) in [(remote, 0), (local, 1)] {
            // Were the target dropped inside, it would wait for itself here.
            {
                let guard = drops.lock().unwrap();
                drop(stub);
                assert_eq!(*guard, seen);
            }
            until(|| *drops.lock().unwrap() == seen + 1).await;
        }
    }
}

behaviours! {
    async fn a_call_answers_although_its_target_panics_after_it(transport: Transport) {
        let (stub, _link) = open(transport, House(Arc::default())).await;
        let grumpy = stub.grumpy().await.unwrap();
        let sour = stub.sour().await.unwrap();
        // The calls are the last that keep their targets.
        let last = (grumpy.wait(), sour.wait());
        drop((grumpy, sour));
        assert_eq!((last.0.await.unwrap(), last.1.await.unwrap()), (5, 6));
        assert_eq!(stub.slow(1).await.unwrap(), 1);
    }
}

behaviours! { wire
    async fn r296_five_functions_against_one_target(transport: Transport) {
        let (stub, link) = open(transport, House(Arc::default())).await;
        stub.slow(1).await.unwrap();
        link.server_holds(0).await;
        let five = stub.functions().await.unwrap();
        assert_eq!((five.a.call().await.unwrap(), five.e.call().await.unwrap()), (1, 5));
        link.server_holds(5).await;
        drop(five);
        link.server_holds(0).await;
        let methods = stub.methods().await.unwrap();
        assert_eq!((methods.a().await.unwrap(), methods.e().await.unwrap()), (1, 5));
        link.server_holds(1).await;
        drop(methods);
        link.server_holds(0).await;
    }
}

#[tokio::test]
async fn r303_panic_in_drop_is_only_logged() {
    let capture = Capture::default();
    let logged = capture.clone();
    // With a single subscriber, a thread that has none may decide for all that nobody listens to an event.
    let _other = tracing::Dispatch::new(Capture::default());
    // Everything of this runtime runs on this thread.
    let _guard = tracing::subscriber::set_default(capture);
    for transport in [Transport::InProcess, Transport::Duplex, Transport::Tcp, Transport::Unix] {
        logged.clear();
        let (stub, _link) = open(transport, House(Arc::default())).await;
        let grumpy = stub.grumpy().await.unwrap();
        grumpy.ping().await.unwrap();
        let other = stub.slow(7);
        drop(grumpy);
        assert_eq!(stub.slow(8).await.unwrap(), 8);
        until(|| !logged.lines().is_empty()).await;
        assert_eq!(other.await.unwrap(), 7);
        assert_eq!(stub.slow(9).await.unwrap(), 9);
        let lines = logged.lines();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(line.starts_with("ERROR") && line.contains("Grumpy") && line.contains("panicked"), "{line}");
    }
}

#[tokio::test]
async fn r152_panic_in_a_release_hook_is_only_logged() {
    let capture = Capture::default();
    let logged = capture.clone();
    let _other = tracing::Dispatch::new(Capture::default());
    let _guard = tracing::subscriber::set_default(capture);
    for transport in [Transport::InProcess, Transport::Duplex, Transport::Tcp, Transport::Unix] {
        let before = logged.lines().len();
        let (stub, _link) = open(transport, House(Arc::default())).await;
        stub.hooked().await.unwrap().ping().await.unwrap();
        until(|| logged.lines().len() > before).await;
        assert_eq!(stub.slow(9).await.unwrap(), 9);
        let lines = logged.lines();
        let [line] = &lines[before..] else { panic!("{lines:?}") };
        assert!(
            line.starts_with("ERROR") && line.contains("Hooked") && line.contains("release hook"),
            "{line}"
        );
    }
}
