//! Connections that have introduced themselves and then say nothing.

use super::Target;
use crate::usage::resident;
use crate::wire::Connection;
use anyhow::Result;
use std::time::Duration;

/// Long enough for whatever a broker frees or allocates after a burst of connections.
const SETTLE: Duration = Duration::from_secs(1);

/// Bytes of anonymous memory that each of `count` idle connections adds.
pub fn memory_of_each(target: Target, count: usize) -> Result<f64> {
    let before = resident(target.pid)?.anonymous;
    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let mut connection = Connection::open(target.address)?;
        connection.api_versions()?;
        connections.push(connection);
    }
    std::thread::sleep(SETTLE);
    let grown = resident(target.pid)?.anonymous.saturating_sub(before);
    Ok(grown as f64 / count as f64)
}
