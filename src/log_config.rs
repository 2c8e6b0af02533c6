//! From a topic's configuration to what its log and its validation need.

use std::sync::Arc;

use config::{BrokerConfig, MessageTimestampType, TopicConfig};
use controller::ConfigMap;
use storage::{CleanupPolicy, LogConfig, TimestampType};

/// A topic's configuration in all the forms that a partition uses.
#[derive(Debug, Clone)]
pub struct PartitionConfig {
    /// As the topic sets it.
    pub topic: Arc<TopicConfig>,
    /// For the log.
    pub log: Arc<LogConfig>,
}

impl PartitionConfig {
    /// Reads a topic's overrides over the broker's defaults. Overrides that this broker does not take (another broker wrote them)
    /// are left out, each with a line.
    pub fn new(broker: &BrokerConfig, topic: &str, overrides: &ConfigMap) -> Self {
        let config = TopicConfig::new(&broker.topic_defaults, overrides).unwrap_or_else(|e| {
            log::error!("topic {topic}: its configuration is not valid here and its defaults are used instead: {e}");
            let usable = overrides.iter().filter(|(key, value)| {
                let alone = ConfigMap::from([((*key).clone(), (*value).clone())]);
                TopicConfig::new(&broker.topic_defaults, &alone).is_ok()
            });
            let usable: ConfigMap = usable.map(|(key, value)| (key.clone(), value.clone())).collect();
            TopicConfig::new(&broker.topic_defaults, &usable).unwrap_or_default()
        });
        Self {
            log: Arc::new(log_config(broker, &config)),
            topic: Arc::new(config),
        }
    }
}

fn log_config(broker: &BrokerConfig, topic: &TopicConfig) -> LogConfig {
    LogConfig {
        segment_bytes: topic.segment_bytes,
        segment_ms: topic.max_segment_ms(),
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: topic.segment_index_bytes,
        index_interval_bytes: topic.index_interval_bytes,
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
        flush_messages: topic.flush_messages,
        flush_ms: topic.flush_ms,
        max_message_bytes: topic.max_message_bytes,
        cleanup_policy: CleanupPolicy {
            delete: topic.cleanup_policy.delete,
            compact: topic.cleanup_policy.compact,
        },
        file_delete_delay_ms: topic.file_delete_delay_ms,
        preallocate: topic.preallocate,
        producer_id_expiration_ms: i64::from(broker.producer_id_expiration_ms),
    }
}

/// Whose clock records show.
pub fn timestamp_type(config: &TopicConfig) -> TimestampType {
    match config.message_timestamp_type {
        MessageTimestampType::CreateTime => TimestampType::CreateTime,
        MessageTimestampType::LogAppendTime => TimestampType::LogAppendTime,
    }
}
