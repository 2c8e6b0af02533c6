//! What leaders know of the other brokers: those in the metadata cache, and when each has fetched here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use controller::BrokerEpoch;
use controller::ids::BrokerId;
use parking_lot::RwLock;

use super::leader::Members;
use crate::metadata_cache::MetadataCache;

/// The brokers of the cluster, as this one sees them.
pub struct ClusterMembers {
    metadata: Arc<MetadataCache>,
    /// ms on this process's own clock.
    fetched: RwLock<HashMap<BrokerId, AtomicI64>>,
}

impl ClusterMembers {
    /// Those that the cache knows.
    pub fn new(metadata: Arc<MetadataCache>) -> Self {
        Self {
            metadata,
            fetched: RwLock::default(),
        }
    }

    /// A broker has sent a fetch, for whichever partitions.
    pub fn note_fetch(&self, broker: BrokerId, now_ms: i64) {
        if let Some(fetched) = self.fetched.read().get(&broker) {
            fetched.fetch_max(now_ms, Ordering::Relaxed);
            return;
        }
        // Nobody but live brokers is kept: any client can call itself a broker.
        if self.metadata.broker_epoch(broker).is_some() {
            self.fetched.write().insert(broker, AtomicI64::new(now_ms));
        }
    }
}

impl Members for ClusterMembers {
    fn is_eligible(&self, broker: BrokerId, seen: Option<BrokerEpoch>) -> bool {
        let registered = self.metadata.broker_epoch(broker);
        // What other brokers are told of a broker has no epoch: the controller compares.
        registered.is_some_and(|registered| registered.0 < 0 || seen.is_none_or(|seen| seen == registered))
    }

    fn last_fetch_ms(&self, broker: BrokerId) -> i64 {
        let fetched = self.fetched.read();
        fetched
            .get(&broker)
            .map_or(0, |fetched| fetched.load(Ordering::Relaxed))
    }
}
