//! Notices of changed configurations, `/config/changes/config_change_…`: written for whoever watches, of use only while they are
//! new. Kafka's brokers delete them after 15 minutes (`ZkNodeChangeNotificationListener`); without that the store grows for ever.

use std::sync::Arc;

use crate::state::{ControllerState, Record};
use crate::store::OpResult;
use crate::znodes;

/// How long a notice stays.
pub const EXPIRATION_MS: i64 = 15 * 60 * 1000;
/// How many notices go with a new one: more than come, so a backlog shrinks, and few enough that nobody waits for it.
pub const PURGED_WITH_A_NEW_ONE: usize = 100;
/// How many notices go at the start, where there may be a backlog.
pub const PURGED_AT_START: usize = 1_000;

/// The record that deletes notices which are too old, the oldest first, and at most `limit`.
pub(crate) fn purge(state: &ControllerState, now_ms: i64, limit: usize) -> Option<Record> {
    let is_obsolete = |created_ms: i64| now_ms.saturating_sub(created_ms) > EXPIRATION_MS;
    let oldest_first = state.config_changes();
    let obsolete = oldest_first.take_while(|(_, created_ms)| is_obsolete(*created_ms));
    let names: Vec<Arc<str>> = obsolete.take(limit).map(|(name, _)| name.clone()).collect();
    (!names.is_empty()).then_some(Record::ConfigChangesPurged { names })
}

/// The notices among what a transaction has created now: only the store knows their numbers.
pub(crate) fn written(results: &[OpResult], now_ms: i64) -> impl Iterator<Item = Record> {
    results.iter().filter_map(move |result| match result {
        OpResult::Created { path, stat } => Some(Record::ConfigChangeWritten {
            name: Arc::from(path.strip_prefix(znodes::CONFIG_CHANGES)?.strip_prefix('/')?),
            created_ms: stat.map_or(now_ms, |stat| stat.ctime_ms),
        }),
        OpResult::Set(_) | OpResult::Deleted | OpResult::Checked => None,
    })
}
