//! The typed configuration of a topic: its overrides over the defaults that the broker's configuration gives.

use std::collections::BTreeMap;

use crate::definition::Valid;
use crate::keys;
use crate::typed::typed_config;
use crate::value::{FromValue, InvalidValue, Value};

/// What happens to old segments (`cleanup.policy`). Neither is possible, too: then nothing is ever deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Older records of the same key are removed.
    pub compact: bool,
    /// Old segments are deleted by time and size.
    pub delete: bool,
}

/// How the broker stores batches (`compression.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    /// Not compressed.
    Uncompressed,
    /// By gzip.
    Gzip,
    /// By snappy.
    Snappy,
    /// By LZ4.
    Lz4,
    /// By Zstandard.
    Zstd,
}

/// Which timestamp records carry (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageTimestampType {
    /// The one that the producer set.
    CreateTime,
    /// The time of the append.
    LogAppendTime,
}

impl FromValue for CleanupPolicy {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::List(policies) = value else { return None };
        let has = |policy: &str| policies.iter().any(|text| text == policy);
        Some(Self {
            compact: has("compact"),
            delete: has("delete"),
        })
    }
}

impl FromValue for CompressionType {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::String(name) = value else { return None };
        Some(match name.as_str() {
            "producer" => Self::Producer,
            "uncompressed" => Self::Uncompressed,
            "gzip" => Self::Gzip,
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }
}

impl FromValue for MessageTimestampType {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(name) if name == "CreateTime" => Some(Self::CreateTime),
            Value::String(name) if name == "LogAppendTime" => Some(Self::LogAppendTime),
            _ => None,
        }
    }
}

typed_config! {
    /// The configuration of one topic. A field's name is its key's, with `_` for `.`; its type is the key's type.
    #[derive(Debug, Clone, PartialEq)]
    pub struct TopicConfig {
        cleanup_policy: CleanupPolicy = "cleanup.policy",
        compression_type: CompressionType = "compression.type",
        compression_gzip_level: i32 = "compression.gzip.level",
        compression_lz4_level: i32 = "compression.lz4.level",
        compression_zstd_level: i32 = "compression.zstd.level",
        delete_retention_ms: i64 = "delete.retention.ms",
        file_delete_delay_ms: i64 = "file.delete.delay.ms",
        flush_messages: i64 = "flush.messages",
        flush_ms: i64 = "flush.ms",
        index_interval_bytes: i32 = "index.interval.bytes",
        max_compaction_lag_ms: i64 = "max.compaction.lag.ms",
        max_message_bytes: i32 = "max.message.bytes",
        message_downconversion_enable: bool = "message.downconversion.enable",
        message_timestamp_type: MessageTimestampType = "message.timestamp.type",
        min_cleanable_dirty_ratio: f64 = "min.cleanable.dirty.ratio",
        min_compaction_lag_ms: i64 = "min.compaction.lag.ms",
        min_insync_replicas: i32 = "min.insync.replicas",
        preallocate: bool = "preallocate",
        retention_bytes: i64 = "retention.bytes",
        retention_ms: i64 = "retention.ms",
        segment_bytes: i32 = "segment.bytes",
        segment_index_bytes: i32 = "segment.index.bytes",
        segment_jitter_ms: i64 = "segment.jitter.ms",
        segment_ms: i64 = "segment.ms",
        unclean_leader_election_enable: bool = "unclean.leader.election.enable",
        leader_replication_throttled_replicas: Vec<String> = "leader.replication.throttled.replicas",
        follower_replication_throttled_replicas: Vec<String> = "follower.replication.throttled.replicas",
    }
    derived Rest {
        /// How much older than the broker's clock a record's timestamp may be, in milliseconds:
        /// `message.timestamp.before.max.ms`, or where that is not limited the older
        /// `message.timestamp.difference.max.ms`.
        message_timestamp_before_max_ms: i64,
        /// How much newer than the broker's clock a record's timestamp may be, in milliseconds; as above.
        message_timestamp_after_max_ms: i64,
        /// What the topic itself sets, as it was given.
        overrides: BTreeMap<String, String>,
    }
}

/// The values of every topic key for a topic that overrides none (Kafka's `KafkaConfig.extractLogConfigMap`).
#[derive(Debug, Clone, PartialEq)]
pub struct TopicDefaults(pub(crate) BTreeMap<&'static str, Value>);

impl Default for TopicDefaults {
    /// Those of a broker without any configuration.
    fn default() -> Self {
        Self(
            keys::topic()
                .map(|definition| (definition.name, definition.default_value()))
                .collect(),
        )
    }
}

/// Why a topic's configuration is refused. The text is Kafka's; its error code is always INVALID_CONFIG.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopicConfig {
    /// There is no such key.
    #[error("Unknown topic config name: {0}")]
    UnknownKey(String),
    /// The value is of the wrong type or out of range.
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    InvalidValue {
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// Why it is not valid.
        reason: String,
    },
    /// Two keys contradict each other.
    #[error("conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})")]
    CompactionLags {
        /// `min.compaction.lag.ms`
        min: i64,
        /// `max.compaction.lag.ms`
        max: i64,
    },
    /// Tiered storage, which this broker does not have.
    #[error("{0}")]
    TieredStorage(&'static str),
}

impl TopicConfig {
    /// Reads and validates a topic's overrides over the broker's defaults, as Kafka's `LogConfig.validate` does.
    pub fn new(defaults: &TopicDefaults, overrides: &BTreeMap<String, String>) -> Result<Self, InvalidTopicConfig> {
        let values = Self::values(defaults, overrides)?;
        let config = Self::from_values(&values, overrides.clone());
        config.validate(&values)?;
        Ok(config)
    }

    /// Every key of the topic with its value.
    pub(crate) fn values(
        defaults: &TopicDefaults,
        overrides: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<&'static str, Value>, InvalidTopicConfig> {
        if let Some(unknown) = overrides.keys().find(|key| keys::find_topic(key).is_none()) {
            return Err(InvalidTopicConfig::UnknownKey(unknown.clone()));
        }
        let mut values = defaults.0.clone();
        for definition in keys::topic() {
            let Some(text) = overrides.get(definition.name) else {
                continue;
            };
            let refused = |invalid: InvalidValue| InvalidTopicConfig::InvalidValue {
                key: definition.name,
                value: invalid.value,
                reason: match definition.valid {
                    // Kafka names the key once more there.
                    Valid::ThrottledReplicas => format!("{} {}", definition.name, invalid.reason),
                    _ => invalid.reason,
                },
            };
            values.insert(definition.name, definition.parse(text).map_err(refused)?);
        }
        Ok(values)
    }

    fn from_values(values: &BTreeMap<&'static str, Value>, overrides: BTreeMap<String, String>) -> Self {
        let long = |key: &str| crate::typed::field::<i64>(|key| &values[key], key);
        let difference = long("message.timestamp.difference.max.ms");
        let limit = |key: &str| if long(key) == i64::MAX { difference } else { long(key) };
        let rest = Rest {
            message_timestamp_before_max_ms: limit("message.timestamp.before.max.ms"),
            message_timestamp_after_max_ms: limit("message.timestamp.after.max.ms"),
            overrides,
        };
        Self::assemble(|key| &values[key], rest)
    }

    fn validate(&self, values: &BTreeMap<&'static str, Value>) -> Result<(), InvalidTopicConfig> {
        let (min, max) = (self.min_compaction_lag_ms, self.max_compaction_lag_ms);
        if min > max {
            return Err(InvalidTopicConfig::CompactionLags { min, max });
        }
        let set = |key: &str| values[key] == Value::Boolean(true);
        if set("remote.log.delete.on.disable") || set("remote.log.copy.disable") {
            return Err(InvalidTopicConfig::TieredStorage(
                "It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under Zookeeper's mode.",
            ));
        }
        if set("remote.storage.enable") {
            return Err(InvalidTopicConfig::TieredStorage(
                "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
            ));
        }
        Ok(())
    }

    /// After how many milliseconds an active segment is rolled at the latest (Kafka's `LogConfig.maxSegmentMs`): a compacted
    /// topic may ask for less than `segment.ms`, so that its records become eligible for compaction.
    pub fn max_segment_ms(&self) -> i64 {
        match self.cleanup_policy.compact && self.max_compaction_lag_ms > 0 {
            true => self.max_compaction_lag_ms.min(self.segment_ms),
            false => self.segment_ms,
        }
    }
}

impl Default for TopicConfig {
    /// The configuration of a topic without overrides on a broker without configuration.
    fn default() -> Self {
        Self::from_values(&TopicDefaults::default().0, BTreeMap::new())
    }
}
