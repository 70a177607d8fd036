//! What a child process does: be the server or the client of one run.
//!
//! Both use one thread. A server ends when its standard input does, a client when it is done or when nothing
//! has come of it for long, so that neither outlives the parent.

use std::io::{self, Write};
use std::process;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::measure::Plan;
use crate::workload::{Side, Work};
use crate::{Outcome, farcall_side, limit};

/// How much longer than planned a client may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves on a port of the system's choice, prints it, and goes on until standard input ends.
pub(crate) fn serve(side: Side, work: Work) -> Outcome<()> {
    thread::spawn(|| {
        // Whether it ended or broke: the parent is gone or done.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(0);
    });
    runtime()?.block_on(async {
        match side {
            Side::Limit => limit::serve(work, announce).await,
            Side::Farcall => farcall_side::serve(announce).await,
        }
    })
}

/// Makes calls as planned and prints the sample.
pub(crate) fn call(side: Side, work: Work, plan: &Plan) -> Outcome<()> {
    let patience = plan.warm_up + plan.measured + PATIENCE;
    thread::spawn(move || {
        thread::sleep(patience);
        eprintln!("calls: the client of {work:?} got stuck");
        process::exit(1);
    });
    let sample = runtime()?.block_on(async {
        match side {
            Side::Limit => limit::call(work, plan).await,
            Side::Farcall => farcall_side::call(work, plan).await,
        }
    })?;
    println!("{sample}");
    Ok(())
}

fn announce(port: u16) -> Outcome<()> {
    println!("{port}");
    Ok(io::stdout().flush()?)
}

fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
