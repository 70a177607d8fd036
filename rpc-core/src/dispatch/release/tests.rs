use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::*;

/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(20);

fn gate(most: usize, patience: Duration) -> &'static Gate {
    Box::leak(Box::new(Gate::new(most, patience)))
}

fn job(future: impl Future<Output = ()> + Send + 'static) -> Job {
    Job { name: "Test", home: Home::here(), future: Box::pin(future) }
}

/// Says so when it is dropped.
struct Tells(Sender<usize>, usize);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.send(self.1).unwrap();
    }
}

#[test]
fn r153_so_many_hooks_run_at_once_and_the_rest_in_their_turn() {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let gate = gate(3, LONG);
    let (sender, ended) = channel();
    for n in 0..50 {
        let tells = Tells(sender.clone(), n);
        let mut polls = 0;
        gate.admit(job(async move {
            MOST.fetch_max(UNDER_WAY.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            poll_fn(|_| {
                polls += 1;
                if polls > 3 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
            drop(tells);
        }));
    }
    let mut all: Vec<usize> = (0..50).map(|_| ended.recv_timeout(LONG).unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
    assert_eq!(MOST.load(Ordering::SeqCst), 3);
}

#[test]
fn r153_a_hook_that_never_ends_loses_its_place_if_others_wait() {
    let gate = gate(2, Duration::ZERO);
    let (sender, ended) = channel();
    for n in 0..2 {
        let tells = Tells(sender.clone(), n);
        gate.admit(job(async move {
            let _tells = tells;
            std::future::pending::<()>().await;
        }));
    }
    // Nobody waits for their places yet.
    assert!(gate.lock().waiting.is_empty() && !gate.lock().watched);
    let tells = Tells(sender, 2);
    gate.admit(job(async move { drop(tells) }));
    let mut all: Vec<usize> = (0..3).map(|_| ended.recv_timeout(LONG).unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2]);
}

#[test]
fn a_hook_that_panics_gives_its_place_to_the_next() {
    let gate = gate(1, LONG);
    let (sender, ended) = channel();
    for n in 0..3 {
        let tells = Tells(sender.clone(), n);
        gate.admit(job(async move {
            let _tells = tells;
            caught("Test", || {
                if n < 2 {
                    panic!("as the test wants it")
                }
            });
        }));
    }
    let all: Vec<usize> = (0..3).map(|_| ended.recv_timeout(LONG).unwrap()).collect();
    assert_eq!(all, [0, 1, 2]);
}
