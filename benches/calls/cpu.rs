//! CPU time of a process, user and system together, to the nanosecond.
//!
//! The kernel's `schedstat` files are exact where `/proc/<pid>/stat` counts ticks of 10 ms. They are kept per
//! thread, so the figure is the sum over the threads alive.

use std::fs;

/// The CPU nanoseconds that all threads of a process have used; `None` where the system does not say.
pub(crate) fn nanos(process: u32) -> Option<u64> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let line = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        let running: u64 = line.split_whitespace().next()?.parse().ok()?;
        total += running;
    }
    Some(total)
}
