//! How long to wait before connecting again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_millis(50);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(5);

/// A connection that lasted this long was a good one: the next attempt after it is made at once.
pub(super) const GOOD: Duration = Duration::from_secs(10);

/// How long to wait after so many failures in a row: twice as long after each, and by chance somewhat less, so that all
/// who lost the same peer do not come back at the same moment.
pub(super) fn wait(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let whole = FIRST.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST);
    // The hasher of std is seeded by chance.
    let chance = RandomState::new().hash_one(failures) % 1024;
    let half = whole / 2;
    half + half.mul_f64(chance as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_stays_bounded_and_differs() {
        assert_eq!(wait(0), Duration::ZERO);
        for failures in 1..100 {
            let whole = FIRST.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST);
            let waited = wait(failures);
            assert!(waited >= whole / 2 && waited <= whole, "{waited:?} after {failures} failures");
        }
        let waits: std::collections::HashSet<Duration> = (0..64).map(|_| wait(10)).collect();
        assert!(waits.len() > 1);
    }
}
