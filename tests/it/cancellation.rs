//! What dropping a promise does, and what detaching it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use farcall::prelude::*;
use tokio::sync::{Notify, Semaphore};

use crate::kit::{Transport, behaviours, open, until};

/// What a test sees of the methods that run.
#[derive(Clone)]
pub struct Works {
    /// Held by every method that runs.
    running: Arc<()>,
    /// Held by every argument that a method was given.
    turns: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
    started: Arc<Notify>,
    go: Arc<Semaphore>,
}

impl Default for Works {
    fn default() -> Self {
        Self {
            running: Arc::default(),
            turns: Arc::default(),
            finished: Arc::default(),
            started: Arc::default(),
            go: Arc::new(Semaphore::new(0)),
        }
    }
}

impl Works {
    /// How many methods run.
    fn running(&self) -> usize {
        Arc::strong_count(&self.running) - self.handles()
    }

    /// The test's own handle, and the target's.
    fn handles(&self) -> usize {
        2
    }

    fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }
}

pub struct Worker(Works);

#[rpc_target]
impl Worker {
    /// Runs until it is let go.
    pub async fn work(&self) -> i64 {
        let _running = Arc::clone(&self.0.running);
        self.0.started.notify_one();
        self.0.go.acquire().await.unwrap().forget();
        self.0.finished.fetch_add(1, Ordering::SeqCst);
        7
    }

    /// Never ends, and counts its turns.
    pub async fn count(&self) {
        let _running = Arc::clone(&self.0.running);
        loop {
            self.0.turns.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
    }

    /// Gives a part of itself, when it is let go.
    pub async fn log_in(&self) -> Part {
        let _running = Arc::clone(&self.0.running);
        self.0.started.notify_one();
        self.0.go.acquire().await.unwrap().forget();
        Part(Arc::clone(&self.0.finished))
    }

    /// Never ends, and panics when it is given up.
    pub async fn touchy(&self) {
        let _running = Arc::clone(&self.0.running);
        let _touchy = Touchy;
        self.0.started.notify_one();
        std::future::pending::<()>().await;
    }

    pub fn add(&self, a: i64, b: i64) -> i64 {
        self.0.finished.fetch_add(1, Ordering::SeqCst);
        a + b
    }

    pub async fn use_part(&self, part: PartStub) -> Result<i64, Error> {
        part.finish().await
    }

    pub fn ping(&self) -> bool {
        true
    }
}

/// Panics when it is dropped.
struct Touchy;

impl Drop for Touchy {
    fn drop(&mut self) {
        panic!("as the test wants it");
    }
}

/// What a worker gives.
pub struct Part(Arc<AtomicUsize>);

#[rpc_target]
impl Part {
    pub fn finish(&self) -> i64 {
        self.0.fetch_add(1, Ordering::SeqCst);
        9
    }

    pub async fn next(&self) -> Self {
        tokio::task::yield_now().await;
        Self(Arc::clone(&self.0))
    }
}

/// A target that one call has at a time.
#[derive(Default)]
pub struct Guarded {
    calls: i64,
    entered: Arc<Notify>,
}

#[rpc_target]
impl Guarded {
    pub async fn wait_for_ever(&mut self) {
        self.calls += 1;
        self.entered.notify_one();
        std::future::pending::<()>().await;
    }

    pub fn panics(&mut self) {
        self.calls += 1;
        panic!("as the test wants it");
    }

    pub fn calls(&mut self) -> i64 {
        self.calls
    }
}

behaviours! {
    async fn r24_dropped_promise_cancels(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        let promise = worker.work();
        works.started.notified().await;
        until(|| works.running() == 1).await;
        drop(promise);
        until(|| works.running() == 0).await;
        assert_eq!(works.finished(), 0);
        link.server_holds(0).await;
    }

    async fn r24_detached_call_runs_to_its_end(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        Promise::detach(worker.work());
        works.started.notified().await;
        assert!(worker.ping().await.unwrap());
        works.go.add_permits(1);
        until(|| works.finished() == 1).await;
        // The promises before the last are dropped here and now; the calls run nevertheless.
        Promise::detach(worker.log_in().next().next().finish());
        works.started.notified().await;
        assert!(worker.ping().await.unwrap());
        works.go.add_permits(1);
        until(|| works.finished() == 2).await;
        link.server_holds(0).await;
    }

    async fn detached_call_outlives_the_last_stub(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        Promise::detach(worker.log_in().finish());
        works.started.notified().await;
        drop(worker);
        // Time enough for a connection that thinks it is not used any more.
        tokio::time::sleep(Duration::from_millis(20)).await;
        works.go.add_permits(1);
        until(|| works.finished() == 1).await;
        link.server_holds(0).await;
    }

    async fn r281_cancel_drops_the_method_at_its_await(transport: Transport) {
        let works = Works::default();
        let (worker, _link) = open(transport, Worker(works.clone())).await;
        let promise = worker.count();
        until(|| works.turns.load(Ordering::SeqCst) > 3).await;
        drop(promise);
        until(|| works.running() == 0).await;
        let turns = works.turns.load(Ordering::SeqCst);
        for _ in 0..10 {
            assert!(worker.ping().await.unwrap());
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        assert_eq!(works.turns.load(Ordering::SeqCst), turns);
    }

    async fn r282_drop_cancels_and_detach_does_not(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        let (dropped, detached, of_two) = (worker.work(), worker.work(), worker.log_in());
        let other: PartStub = of_two.clone();
        until(|| works.running() == 3).await;
        drop(dropped);
        Promise::detach(detached);
        drop(of_two);
        until(|| works.running() == 2).await;
        works.go.add_permits(3);
        until(|| works.finished() == 1 && works.running() == 0).await;
        assert_eq!(other.finish().await.unwrap(), 9);
        assert_eq!(works.finished(), 2);
        drop(other);
        link.server_holds(0).await;
    }

    async fn timeout_and_select_cancel(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        assert!(tokio::time::timeout(Duration::from_millis(5), worker.work()).await.is_err());
        until(|| works.running() == 0).await;
        tokio::select! {
            biased;
            ended = worker.work() => panic!("nobody let it go: {ended:?}"),
            () = until(|| works.running() == 1) => {}
        }
        until(|| works.running() == 0).await;
        assert_eq!(works.finished(), 0);
        link.server_holds(0).await;
    }

    async fn dropped_chain_cancels_what_only_it_waits_for(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        let chain = worker.log_in().next().finish();
        works.started.notified().await;
        assert!(worker.ping().await.unwrap());
        assert_eq!(works.running(), 1);
        drop(chain);
        until(|| works.running() == 0).await;
        // A call that has it as its argument holds it in the same way.
        let uses = worker.use_part(worker.log_in().next());
        let adds = worker.add(worker.work(), 1);
        until(|| works.running() == 2).await;
        assert!(worker.ping().await.unwrap());
        drop(adds);
        until(|| works.running() == 1).await;
        drop(uses);
        until(|| works.running() == 0).await;
        assert_eq!(works.finished(), 0);
        link.server_holds(0).await;
    }

    async fn cancelled_parked_call_does_not_run(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        let part = worker.log_in();
        let (kept, given_up) = (part.finish(), part.finish());
        let number = worker.work();
        let sum = worker.add(&number, 1);
        until(|| works.running() == 2).await;
        drop((given_up, sum));
        assert!(worker.ping().await.unwrap());
        works.go.add_permits(2);
        assert_eq!(kept.await.unwrap(), 9);
        assert_eq!(number.await.unwrap(), 7);
        // Itself, and the one that was kept.
        assert_eq!(works.finished(), 2);
        drop(part);
        link.server_holds(0).await;
    }

    async fn object_of_a_cancelled_or_panicked_call_stays_in_use(transport: Transport) {
        let main = Guarded::default();
        let entered = Arc::clone(&main.entered);
        let (guarded, link) = open(transport, main).await;
        let waiting = guarded.wait_for_ever();
        entered.notified().await;
        let behind = guarded.calls();
        drop(waiting);
        assert_eq!(behind.await.unwrap(), 1);
        assert_eq!(guarded.panics().await.unwrap_err().kind(), ErrorKind::Panicked);
        assert_eq!(guarded.calls().await.unwrap(), 2);
        link.server_holds(0).await;
    }

    async fn panic_in_a_cancelled_method_harms_nobody(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        let other = worker.work();
        for _ in 0..3 {
            let touchy = worker.touchy();
            until(|| works.running() == 2).await;
            drop(touchy);
            until(|| works.running() == 1).await;
        }
        works.go.add_permits(1);
        assert_eq!(other.await.unwrap(), 7);
        assert!(worker.ping().await.unwrap());
        link.server_holds(0).await;
    }

    async fn promise_dropped_while_its_answer_is_under_way_leaks_nothing(transport: Transport) {
        let works = Works::default();
        let (worker, link) = open(transport, Worker(works.clone())).await;
        for round in 0..100 {
            let part = worker.log_in();
            if round % 3 == 0 {
                // Its answer is asked for, and given up at whatever moment.
                let asked = tokio::spawn(part.into_future());
                works.go.add_permits(1);
                if round % 2 == 0 {
                    assert!(worker.ping().await.unwrap());
                }
                asked.abort();
                let _ = asked.await;
            } else {
                works.go.add_permits(1);
                let _ = tokio::time::timeout(Duration::from_micros(round), part).await;
            }
        }
        assert!(worker.ping().await.unwrap());
        until(|| works.running() == 0).await;
        link.server_holds(0).await;
        if let Some(client) = &link.client {
            until(|| client.table_sizes() == (0, 1)).await;
        }
    }
}
