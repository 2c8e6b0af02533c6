//! The time, read at the edges and handed to the cores as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 by the wall clock: what Kafka stores in records, indexes and znodes.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
