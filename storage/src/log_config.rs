//! The settings of one partition's log, typed.

use config::{CleanupPolicy, CompressionType, MessageTimestampType, TopicConfig};

/// The settings of one log. Names are those of the topic's keys; −1 means «without limit» where Kafka says so.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// A segment is rolled before it would grow past this.
    pub segment_bytes: i32,
    /// A segment is rolled when a record is this much younger than its first one.
    pub segment_ms: i64,
    /// Upper bound of what is subtracted from `segment_ms`, so that not all partitions roll at once.
    pub segment_jitter_ms: i64,
    /// The size at which an index counts as full.
    pub segment_index_bytes: i32,
    /// About how many bytes of records lie between two index entries.
    pub index_interval_bytes: i32,
    /// How long records are kept; −1 for ever.
    pub retention_ms: i64,
    /// How many bytes are kept; −1 all.
    pub retention_bytes: i64,
    /// A flush is due after this many records.
    pub flush_messages: i64,
    /// A flush is due after this long.
    pub flush_ms: i64,
    /// The largest batch that a client may append.
    pub max_message_bytes: i32,
    /// Whether old segments are deleted, compacted, or both.
    pub cleanup_policy: CleanupPolicy,
    /// The codec in which batches are stored, or the producer's.
    pub compression_type: CompressionType,
    /// The level when storing as gzip.
    pub compression_gzip_level: i32,
    /// The level when storing as LZ4.
    pub compression_lz4_level: i32,
    /// The level when storing as Zstandard.
    pub compression_zstd_level: i32,
    /// Whose clock timestamps show.
    pub message_timestamp_type: MessageTimestampType,
    /// How much older than the broker's clock a timestamp may be.
    pub message_timestamp_before_max_ms: i64,
    /// How much newer than the broker's clock a timestamp may be.
    pub message_timestamp_after_max_ms: i64,
    /// How long a deleted segment's files stay under the name `*.deleted`.
    pub file_delete_delay_ms: i64,
    /// Whether a new segment's file is allocated at its full size.
    pub preallocate: bool,
    /// How long an idle producer is remembered: the broker's `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
}

impl LogConfig {
    /// The settings that a topic's configuration and the broker's `producer.id.expiration.ms` give.
    pub fn new(topic: &TopicConfig, producer_id_expiration_ms: i64) -> Self {
        Self {
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
            cleanup_policy: topic.cleanup_policy,
            compression_type: topic.compression_type,
            compression_gzip_level: topic.compression_gzip_level,
            compression_lz4_level: topic.compression_lz4_level,
            compression_zstd_level: topic.compression_zstd_level,
            message_timestamp_type: topic.message_timestamp_type,
            message_timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
            message_timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
            file_delete_delay_ms: topic.file_delete_delay_ms,
            preallocate: topic.preallocate,
            producer_id_expiration_ms,
        }
    }

    /// What `segment.jitter.ms` takes off `segment.ms` for one segment: spread evenly, and the same at every start.
    pub(crate) fn roll_jitter_ms(&self, topic: &str, partition: i32, base_offset: i64) -> i64 {
        let bound = self.segment_jitter_ms.min(self.segment_ms);
        if bound <= 0 {
            return 0;
        }
        // FNV-1a over what names the segment.
        let name = topic
            .bytes()
            .chain(partition.to_be_bytes())
            .chain(base_offset.to_be_bytes());
        let hash = name.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash >> 1) as i64 % bound
    }
}

impl Default for LogConfig {
    /// Those of a topic without overrides on a broker without configuration.
    fn default() -> Self {
        let topic = TopicConfig::new(&Default::default(), &Default::default()).expect("Kafka's defaults are valid");
        Self::new(&topic, 86_400_000)
    }
}
