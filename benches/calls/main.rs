//! `cargo bench --bench calls`: what a call costs, beside the cost that no library can beat.
//!
//! Each workload runs twice in turn, once through farcall and once through a program written by hand for
//! nothing but that workload (its *limit*, see [`limit`]), in fresh processes over TCP loopback. A row shows
//! the medians over all rounds and how many times slower farcall is than the limit.
//!
//! ```text
//! cargo bench --bench calls                               # every workload, a table
//! cargo bench --bench calls -- --json                     # one JSON object a line
//! cargo bench --bench calls -- --only add-64,echo-4MiB    # some workloads
//! cargo bench --bench calls -- --rounds 21                # more rounds: steadier medians
//! cargo bench --bench calls -- --quick                    # a rough look, in seconds
//! cargo bench --bench calls -- --side limit               # one side alone, for a profiler
//! ```
//!
//! # Layout
//!
//! - [`workload`]: the table of what is measured; [`check`]: arguments and the answers they must get.
//! - [`limit`] and [`farcall_side`]: the two sides, each a server and a client.
//! - [`role`]: what a child process does; [`measure`] and [`cpu`]: how it takes its figures.
//! - [`args`], [`process`], [`report`]: what the parent does: read the command line, run children, print.

mod args;
mod check;
mod cpu;
mod farcall_side;
mod limit;
mod measure;
mod process;
mod report;
mod role;
mod workload;

use std::error::Error;
use std::process::ExitCode;

use args::Job;

/// Whatever can go wrong in a bench: it is printed and ends the run.
type Failure = Box<dyn Error + Send + Sync>;
/// The result of a step of a bench.
type Outcome<T> = Result<T, Failure>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match args::parse(&words).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("calls: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(job: Job) -> Outcome<()> {
    match job {
        Job::Nothing => {
            println!("calls: a benchmark; run it with `cargo bench --bench calls`");
            Ok(())
        }
        Job::Compare(options) => report::compare(&options),
        Job::Serve(side, work) => role::serve(side, work),
        Job::Call(side, work, plan) => role::call(side, work, &plan),
    }
}
