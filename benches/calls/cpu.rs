//! CPU time of a process, user and system together, to the nanosecond.
//!
//! The kernel's `schedstat` files are exact where `/proc/<pid>/stat` counts ticks of 10 ms. They are kept per
//! thread, so the figure is the sum over the threads alive.

use std::fs;
use std::path::Path;

/// The CPU nanoseconds that all threads of a process have used; `None` where the system does not say.
pub(crate) fn nanos(process: u32) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    // A thread that ended since the directory was read has no file any more.
    let running = threads.flatten().filter_map(|thread| running_nanos(&thread.path()));
    running.reduce(|total, nanos| total + nanos)
}

/// The first number of `schedstat`: how long the thread has run.
fn running_nanos(thread: &Path) -> Option<u64> {
    fs::read_to_string(thread.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
}
