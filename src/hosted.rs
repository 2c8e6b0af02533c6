//! Finding a partition on this broker, or the code that says why it is not here. Kafka's `ReplicaManager.getPartitionOrError`.

use std::sync::Arc;

use protocol::ErrorCode;

use crate::broker::Broker;
use crate::partition::Partition;

impl Broker {
    /// A partition that is here.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`; for one that exists `KAFKA_STORAGE_ERROR` or `NOT_LEADER_OR_FOLLOWER`.
    pub fn hosted(&self, topic: &str, partition: i32) -> Result<Arc<Partition>, ErrorCode> {
        if let Some(hosted) = self.replicas.get(topic, partition) {
            return Ok(hosted);
        }
        Err(match self.metadata.contains(topic, partition) {
            true => self.replicas.missing_code(),
            false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        })
    }
}
