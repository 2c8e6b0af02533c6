//! Replication: what a leader knows of its followers, and what a follower does. `leader` and `follower` are pure cores; `fetcher` asks
//! the leaders, `isr_changes` the controller.

mod fetch_wire;
pub mod fetcher;
pub mod follower;
pub mod isr_changes;
pub mod leader;
pub mod members;
mod session;

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::partition::Partition;
use leader::Members;

/// What the partitions of a broker need to lead.
pub struct ReplicationContext {
    /// Which brokers may be in sync.
    pub members: Arc<dyn Members>,
    /// `replica.lag.time.max.ms`
    pub lag_time_max_ms: i64,
    /// Takes the partitions whose leader has something to ask of the controller.
    pub proposing: UnboundedSender<Arc<Partition>>,
}
