//! How a client takes its figures: run the work for a while unmeasured, then run it again between two
//! readings of the clock and of the CPU time of both processes.
//!
//! The end of a run is a flag that a sleeping thread sets. Asking the clock after each call would cost more
//! than some of the calls measured here.

use std::fmt;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Outcome, cpu};

/// How long to run, and whose CPU time counts beside the client's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// `None` where all happens in one process.
    pub(crate) server: Option<Peer>,
}

/// A server that is running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) process: u32,
    pub(crate) port: u16,
}

/// What one run of a client measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Calls answered; objects dropped, where the work is objects.
    pub(crate) calls: u64,
    pub(crate) elapsed: Duration,
    /// CPU time of client and server together.
    pub(crate) cpu: Option<Duration>,
}

/// Tells workers that the run is over.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Plan {
    /// The port to connect to.
    pub(crate) fn port(&self) -> Outcome<u16> {
        Ok(self.server.ok_or("this work needs a server")?.port)
    }

    /// Runs `work` twice, first to warm up. Each run works until its [`Stop`] is due, then says how many
    /// calls it made.
    pub(crate) async fn measure(&self, mut work: impl AsyncFnMut(Stop) -> Outcome<u64>) -> Outcome<Sample> {
        work(Stop::after(self.warm_up)).await?;
        let (start, cpu_before) = (Instant::now(), self.cpu());
        let calls = work(Stop::after(self.measured)).await?;
        let (elapsed, cpu_after) = (start.elapsed(), self.cpu());
        let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        Ok(Sample { calls, elapsed, cpu })
    }

    fn cpu(&self) -> Option<Duration> {
        let own = cpu::nanos(process::id())?;
        let server = self.server.map_or(Some(0), |server| cpu::nanos(server.process))?;
        Some(Duration::from_nanos(own + server))
    }
}

impl Stop {
    fn after(span: Duration) -> Self {
        let due = Arc::new(AtomicBool::new(false));
        let flag = due.clone();
        thread::spawn(move || {
            thread::sleep(span);
            flag.store(true, Ordering::Relaxed);
        });
        Self(due)
    }

    /// Whether no further call should be made.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs one task for each call that may be under way and adds up how many calls they made.
pub(crate) async fn workers<F>(count: usize, worker: impl FnMut(usize) -> F) -> Outcome<u64>
where
    F: Future<Output = Outcome<u64>> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(worker).map(tokio::spawn).collect();
    let mut calls = 0;
    for task in tasks {
        calls += task.await??;
    }
    Ok(calls)
}

/// A sample crosses from client to parent as one line: calls, elapsed and CPU nanoseconds (`-`: unknown).
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.calls, self.elapsed.as_nanos())?;
        match self.cpu {
            Some(cpu) => write!(f, " {}", cpu.as_nanos()),
            None => f.write_str(" -"),
        }
    }
}

impl Sample {
    /// Reads the line that a client printed.
    pub(crate) fn parse(line: &str) -> Outcome<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [calls, elapsed, cpu] = words[..] else {
            return Err(format!("a client printed {line:?} instead of its figures").into());
        };
        let cpu = match cpu {
            "-" => None,
            nanos => Some(Duration::from_nanos(nanos.parse()?)),
        };
        Ok(Self { calls: calls.parse()?, elapsed: Duration::from_nanos(elapsed.parse()?), cpu })
    }
}
