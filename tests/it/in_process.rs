//! What is particular to calls that stay in one process: who runs them, and how deep the stack gets.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use farcall::prelude::*;

use crate::kit::{in_time, until};

pub struct Link {
    next: Option<LinkStub>,
    runs: Arc<AtomicUsize>,
}

thread_local! {
    /// Whether `nested` is running in this thread.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

#[rpc_target]
impl Link {
    /// Asks the next one, which asks the next one, and so on.
    pub async fn length(&self) -> u64 {
        self.runs.fetch_add(1, Ordering::SeqCst);
        match &self.next {
            Some(next) => 1 + next.length().await.unwrap(),
            None => 1,
        }
    }

    pub fn add(&self, a: i64, b: i64) -> i64 {
        self.runs.fetch_add(1, Ordering::SeqCst);
        a + b
    }

    pub async fn add_later(&self, a: i64, b: i64) -> i64 {
        tokio::task::yield_now().await;
        self.runs.fetch_add(1, Ordering::SeqCst);
        a + b
    }

    /// Calls another target of this process from inside a method.
    pub async fn add_there(&self, a: i64, b: i64) -> i64 {
        self.next.as_ref().unwrap().add(a, b).await.unwrap()
    }

    pub fn next(&self) -> Self {
        Self { next: None, runs: Arc::clone(&self.runs) }
    }

    pub fn fails(&self) -> Result<Self, Fault> {
        Err(Fault::new("as the test wants it"))
    }

    /// Whether a call of this method runs inside another.
    pub fn nested(&self) -> bool {
        let nested = INSIDE.replace(true);
        if let Some(next) = &self.next {
            // It is not run in here.
            Promise::detach(next.nested());
        }
        self.runs.fetch_add(usize::from(nested), Ordering::SeqCst);
        INSIDE.set(false);
        nested
    }
}

fn chain(links: usize) -> (LinkStub, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let mut head: LinkStub = Link { next: None, runs: Arc::clone(&runs) }.into_stub();
    for _ in 1..links {
        head = Link { next: Some(head), runs: Arc::clone(&runs) }.into_stub();
    }
    (head, runs)
}

macro_rules! on_both_runtimes {
    ($($(#[$meta:meta])* async fn $name:ident() $body:block)*) => {
        $($(#[$meta])* mod $name {
            use super::*;
            async fn behaviour() {
                in_time(async move $body).await;
            }
            #[tokio::test] async fn one_thread() { behaviour().await }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn threads() { behaviour().await }
        })*
    };
}

on_both_runtimes! {
    async fn loop_of_awaited_calls_lets_others_run() {
        let (stub, _) = chain(1);
        let turns = Arc::new(AtomicUsize::new(0));
        let other = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move {
                loop {
                    turns.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            }
        });
        // It ends when the other task has run often, which on one thread it does only if this loop lets it.
        while turns.load(Ordering::SeqCst) < 10 {
            assert_eq!(stub.add(1, 2).await.unwrap(), 3);
        }
        other.abort();
    }

    async fn call_that_nobody_awaits_runs() {
        let (stub, runs) = chain(2);
        Promise::detach(stub.add(1, 2));
        Promise::detach(stub.add_later(1, 2));
        let kept = stub.next();
        Promise::detach(kept.add(1, 2));
        until(|| runs.load(Ordering::SeqCst) == 3).await;
        drop(kept);
        // Pipelined, and awaited at its end only.
        assert_eq!(stub.next().next().add(3, 4).await.unwrap(), 7);
    }

    async fn method_calls_another_target_of_its_process() {
        let (stub, runs) = chain(2);
        assert_eq!(stub.add_there(1, 2).await.unwrap(), 3);
        let sums = (0..100).map(|n| tokio::spawn(stub.add_there(n, 1).into_future()));
        for (n, sum) in (1..).zip(sums.collect::<Vec<_>>()) {
            assert_eq!(sum.await.unwrap().unwrap(), n);
        }
        assert_eq!(runs.load(Ordering::SeqCst), 101);
    }

    async fn synchronous_method_does_not_run_what_it_calls() {
        let runs = Arc::new(AtomicUsize::new(0));
        let last: LinkStub = Link { next: None, runs: Arc::clone(&runs) }.into_stub();
        let first: LinkStub = Link { next: Some(last.clone()), runs: Arc::clone(&runs) }.into_stub();
        assert!(!first.nested().await.unwrap());
        assert!(!last.nested().await.unwrap());
        assert_eq!(runs.load(Ordering::SeqCst), 0);
    }

    async fn dropped_promise_of_a_call_that_has_not_begun_never_runs() {
        let (stub, runs) = chain(1);
        if tokio::runtime::Handle::current().metrics().num_workers() == 1 {
            drop(stub.add(1, 2));
            drop(stub.next().add(1, 2));
            assert_eq!(stub.add(1, 2).await.unwrap(), 3);
            assert_eq!(runs.load(Ordering::SeqCst), 1);
        }
    }

    async fn ten_thousand_targets_that_await_each_other_do_not_recurse() {
        let (head, runs) = chain(10_000);
        assert_eq!(head.length().await.unwrap(), 10_000);
        assert_eq!(runs.load(Ordering::SeqCst), 10_000);
    }

    async fn long_chain_of_promises_is_awaited_failed_and_dropped_without_recursion() {
        let (stub, _) = chain(1);
        let long = |first: LinkStub| {
            let mut last = first.next();
            for _ in 0..20_000 {
                last = last.next();
            }
            last
        };
        assert_eq!(long(stub.clone()).add(1, 2).await.unwrap(), 3);
        let failed = stub.fails();
        let error = long(LinkStub::clone(&failed)).add(1, 2).await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_run()), (ErrorKind::Upstream, false));
        drop(long(stub.clone()));
        assert_eq!(stub.add(1, 2).await.unwrap(), 3);
    }
}

#[test]
fn targets_are_called_without_any_runtime() {
    let (stub, runs) = chain(3);
    let block_on = |future: std::pin::Pin<Box<dyn Future<Output = u64>>>| {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut future = future;
        for _ in 0..10_000 {
            if let std::task::Poll::Ready(ready) =
                future.as_mut().poll(&mut std::task::Context::from_waker(&waker))
            {
                return ready;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
        panic!("it does not end");
    };
    Promise::detach(stub.add(1, 2));
    assert_eq!(block_on(Box::pin(async move { stub.length().await.unwrap() })), 3);
    assert_eq!(runs.load(Ordering::SeqCst), 4);
}
