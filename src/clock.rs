//! The time, read at the edges and handed to the cores as an argument.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 by the wall clock: what Kafka stores in records, indexes and znodes.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Microseconds, never 0, since this was first asked; it only goes forward. For durations.
pub fn monotonic_us() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX - 1) + 1
}

/// As [`monotonic_us`], in milliseconds.
pub fn monotonic_ms() -> i64 {
    i64::try_from(monotonic_us() / 1000).unwrap_or(i64::MAX)
}
