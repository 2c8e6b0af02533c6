//! The settings of one partition's log: a topic's configuration, typed. The broker makes it from its own configuration.

/// What `message.timestamp.type` says: whose clock a record's timestamp shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at append.
    LogAppendTime,
}

/// What `cleanup.policy` says; both may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Old segments are deleted by time and size.
    pub delete: bool,
    /// Only the newest record of each key must be kept.
    pub compact: bool,
}

/// The settings of one log. Names are Kafka's topic keys; −1 means «without limit» where Kafka says so.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is rolled before it would grow past this.
    pub segment_bytes: i32,
    /// `segment.ms`: a segment is rolled when a record is this much younger than its first one.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: upper bound of what is subtracted from `segment_ms`, so that not all partitions roll at once.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: the size at which an index counts as full.
    pub segment_index_bytes: i32,
    /// `index.interval.bytes`: about how many bytes of records lie between two index entries.
    pub index_interval_bytes: i32,
    /// `retention.ms`; −1 keeps for ever.
    pub retention_ms: i64,
    /// `retention.bytes`; −1 keeps all.
    pub retention_bytes: i64,
    /// `flush.messages`: a flush is due after this many records.
    pub flush_messages: i64,
    /// `flush.ms`: a flush is due after this long.
    pub flush_ms: i64,
    /// `max.message.bytes`: the largest batch that a client may append.
    pub max_message_bytes: i32,
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `file.delete.delay.ms`: how long a deleted segment's files stay under the name `*.deleted`.
    pub file_delete_delay_ms: i64,
    /// `preallocate`: whether a new segment's file is allocated at its full size.
    pub preallocate: bool,
    /// `producer.id.expiration.ms` of the broker: how long an idle producer is remembered.
    pub producer_id_expiration_ms: i64,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 7 * 24 * 3_600_000,
            retention_bytes: -1,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            max_message_bytes: 1_048_588,
            cleanup_policy: CleanupPolicy {
                delete: true,
                compact: false,
            },
            file_delete_delay_ms: 60_000,
            preallocate: false,
            producer_id_expiration_ms: 86_400_000,
        }
    }
}
