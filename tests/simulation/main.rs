//! Whole systems of vats, simulated: two or three sides, real connections, stubs, targets and promises, one thread,
//! and a network that delays, holds, reorders between links and cuts. All that happens follows from a seed.
//!
//! `FARCALL_SEED=7 cargo test --test simulation` runs one seed and prints what happened in it.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::needless_pass_by_value, reason = "what a target is given is its own")]

mod calls;
mod checks;
mod executor;
mod flavour;
mod items;
mod lineages;
mod loans;
mod network;
mod node;
mod operations;
mod payloads;
mod random;
mod run;
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use run::Run;

/// Seeds of a usual run.
const SEEDS: u64 = 10_000;

/// What is said of a run that does not end.
const HANGS: &str = "the run hangs";

/// What came of one seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    mistakes: Vec<String>,
    trace: Vec<String>,
    operations: usize,
    calls: usize,
    delivered: usize,
}

/// Runs one seed on a thread of its own, so that nothing is left over from another.
fn simulate(seed: u64, left_out: BTreeSet<usize>, traced: bool) -> Outcome {
    let run = move || {
        world::with(|world| world.trace = traced.then(Vec::new));
        let mut run = Run::new(seed, left_out);
        let went = catch_unwind(AssertUnwindSafe(|| run.go()));
        let outcome = world::with(|world| {
            if let Err(panic) = went {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
                world.mistake(format!("panicked: {text}"));
            }
            let mut mistakes = std::mem::take(&mut world.mistakes);
            mistakes.truncate(8);
            Outcome {
                mistakes,
                trace: world.trace.take().unwrap_or_default(),
                operations: run.operations_done,
                calls: world.calls.len(),
                delivered: world.delivered,
            }
        });
        if !outcome.mistakes.is_empty() {
            executor::leave();
            world::leave();
            std::mem::forget(run);
        }
        outcome
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(run()));
    // A run takes milliseconds. One that waits for a lock of its own would never say which it is.
    receiver
        .recv_timeout(Duration::from_secs(20))
        .unwrap_or_else(|_| Outcome { mistakes: vec![HANGS.to_owned()], ..Outcome::default() })
}

/// What a mistake says, whatever the numbers in it.
fn kind_of(outcome: &Outcome) -> Option<String> {
    Some(outcome.mistakes.first()?.chars().filter(|letter| !letter.is_numeric()).collect())
}

/// Leaves out operations of a seed that fails, as long as it fails in the same way.
fn shrink(seed: u64, outcome: &Outcome) -> BTreeSet<usize> {
    let kind = kind_of(outcome);
    let mut left_out = BTreeSet::new();
    let mut portion = outcome.operations.div_ceil(2);
    while portion > 0 {
        let mut first = 1;
        while first <= outcome.operations {
            let mut more = left_out.clone();
            more.extend(first..first + portion);
            if more.len() > left_out.len() && kind_of(&simulate(seed, more.clone(), false)) == kind {
                left_out = more;
            }
            first += portion;
        }
        portion /= 2;
    }
    left_out
}

fn report(seed: u64, outcome: &Outcome) -> String {
    if outcome.mistakes == [HANGS] {
        return format!("seed {seed}: {HANGS}\n\nFARCALL_SEED={seed} cargo test --test simulation");
    }
    if std::env::var_os("FARCALL_TERSE").is_some() {
        return format!("seed {seed}: {}", outcome.mistakes[0]);
    }
    let left_out = shrink(seed, outcome);
    let again = simulate(seed, left_out.clone(), true);
    let kept: Vec<String> = (1..=outcome.operations)
        .filter(|number| !left_out.contains(number))
        .map(|number| number.to_string())
        .collect();
    format!(
        "seed {seed}, with {} of its {} operations ({}):\n{}\n\n  {}\n\nFARCALL_SEED={seed} cargo test --test simulation",
        kept.len(),
        outcome.operations,
        kept.join(" "),
        again.trace.join("\n"),
        outcome.mistakes.join("\n  ")
    )
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// `FARCALL_OPERATIONS="3 14 15"` leaves out all others.
fn left_out() -> BTreeSet<usize> {
    let Ok(kept) = std::env::var("FARCALL_OPERATIONS") else { return BTreeSet::new() };
    let kept: BTreeSet<usize> = kept.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    (1..1000).filter(|number| !kept.contains(number)).collect()
}

/// Runs seeds on all processors until one fails.
fn simulate_all(first: u64, count: u64) -> (Option<(u64, Outcome)>, Outcome) {
    let next = AtomicU64::new(first);
    let failed = Mutex::new(None::<(u64, Outcome)>);
    let total = Mutex::new(Outcome::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let outcome = simulate(seed, BTreeSet::new(), false);
            if !outcome.mistakes.is_empty() {
                next.store(first + count, Ordering::Relaxed);
                let mut failed = failed.lock().unwrap();
                if failed.as_ref().is_none_or(|(other, _)| *other > seed) {
                    *failed = Some((seed, outcome));
                }
                return;
            }
            let mut total = total.lock().unwrap();
            total.operations += outcome.operations;
            total.calls += outcome.calls;
            total.delivered += outcome.delivered;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    (failed.into_inner().unwrap(), total.into_inner().unwrap())
}

fn set_up() {
    // The first test sets it; they all set the same.
    let _ = farcall_core::spawn::set_spawner(executor::spawn_for_library);
}

#[test]
fn every_seed_keeps_every_invariant() {
    set_up();
    if let Some(seed) = number_from("FARCALL_SEED") {
        let outcome = simulate(seed, left_out(), true);
        println!("{}\n", outcome.trace.join("\n"));
        assert!(outcome.mistakes.is_empty(), "{}", report(seed, &outcome));
        return;
    }
    let first = number_from("FARCALL_FIRST_SEED").unwrap_or(1);
    let count = number_from("FARCALL_SEEDS").unwrap_or(SEEDS);
    let (failed, total) = simulate_all(first, count);
    if let Some((seed, outcome)) = failed {
        panic!("\n{}", report(seed, &outcome));
    }
    println!(
        "{count} seeds, {} operations, {} calls, {} deliveries",
        total.operations, total.calls, total.delivered
    );
    // What delivers nothing finds nothing.
    assert!(total.delivered as u64 > 20 * count);
}

#[test]
fn same_seed_gives_the_same_run() {
    set_up();
    for seed in 1..=20 {
        let (first, second) = (simulate(seed, BTreeSet::new(), true), simulate(seed, BTreeSet::new(), true));
        assert!(first == second, "seed {seed} ran differently");
    }
}
