//! What groups and their coordinator take from the broker's configuration.

use config::BrokerConfig;
use protocol::compression::CompressionType;

use super::memory::GROUP_MEMORY_BYTES;
use super::state::GroupConfig;

/// What the coordinator takes from the broker's configuration.
#[derive(Debug, Clone)]
pub struct CoordinatorConfig {
    /// What the groups decide by.
    pub group: GroupConfig,
    /// `offsets.topic.num.partitions`: for as long as the topic does not exist.
    pub offsets_topic_partitions: i32,
    /// `offsets.commit.timeout.ms`
    pub commit_timeout_ms: u64,
    /// `offsets.retention.check.interval.ms`
    pub retention_check_interval_ms: i64,
    /// `offsets.load.buffer.size`
    pub load_buffer_bytes: usize,
    /// `offsets.topic.compression.codec`
    pub compression: CompressionType,
    /// What all groups may hold in memory for their members; Kafka has no key for it.
    pub memory_bytes: usize,
}

impl CoordinatorConfig {
    /// Of a broker.
    pub fn new(config: &BrokerConfig) -> Self {
        let unsigned = |value: i32| usize::try_from(value).unwrap_or(0);
        CoordinatorConfig {
            group: GroupConfig {
                min_session_timeout_ms: config.group_min_session_timeout_ms,
                max_session_timeout_ms: config.group_max_session_timeout_ms,
                initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
                max_size: unsigned(config.group_max_size),
                offset_metadata_max_bytes: unsigned(config.offset_metadata_max_bytes),
                offsets_retention_ms: i64::from(config.offsets_retention_minutes) * 60 * 1000,
            },
            offsets_topic_partitions: config.offsets_topic_num_partitions,
            commit_timeout_ms: u64::try_from(config.offsets_commit_timeout_ms).unwrap_or(0),
            retention_check_interval_ms: config.offsets_retention_check_interval_ms,
            load_buffer_bytes: unsigned(config.offsets_load_buffer_size),
            compression: u8::try_from(config.offsets_topic_compression_codec)
                .ok()
                .and_then(|id| CompressionType::from_id(id).ok())
                .unwrap_or_default(),
            memory_bytes: GROUP_MEMORY_BYTES,
        }
    }
}
