//! What a leader checks of a batch from a client before it may enter the log, and what it sets in it. Pure; no offset is needed,
//! so that it runs before the partition's lock is taken.

use bytes::Bytes;
use config::{CompressionType as TopicCompressionType, MessageTimestampType};
use protocol::TopicPartition;
use protocol::compression::{CompressionError, CompressionType};
use protocol::records::{BatchBuilder, BatchError, Record, RecordBatch, RecordSkimmer, TimestampType};

use crate::batch::{ATTRIBUTES_AT, BATCH_HEADER_LEN, BatchHeader, CRC_AT};
use crate::log_config::LogConfig;
use crate::only_batch::OnlyBatch;

/// The least that a compressed batch may inflate to, whatever its size.
const MIN_INFLATE_LIMIT: usize = 16 << 20;
/// How many times its own size a compressed batch may inflate to beyond that: what deflate reaches at best.
const MAX_INFLATE_RATIO: usize = 1100;
/// How many times `max.message.bytes` it may inflate to at the most.
const MAX_INFLATE_FACTOR: usize = 100;
/// How many refused records are named one by one.
const MAX_RECORD_ERRORS: usize = 100;

/// What the topic and the request say about the batch.
#[derive(Clone, Copy, Debug)]
pub struct ValidateOptions<'a> {
    /// The partition, for messages.
    pub partition: &'a TopicPartition,
    /// The topic's settings.
    pub config: &'a LogConfig,
}

/// A batch that may be appended: its header, which still lacks offset and leader epoch, and its records, untouched.
#[derive(Clone, Debug)]
pub struct ValidatedBatch {
    header: BatchHeader,
    head: [u8; BATCH_HEADER_LEN],
    body: Bytes,
    log_append_time_ms: i64,
}

impl ValidatedBatch {
    fn new(batch: Bytes, config: &LogConfig, now_ms: i64) -> Self {
        let head = *batch.first_chunk().expect("a whole batch");
        Self {
            header: BatchHeader::parse(&head).expect("a whole header"),
            head,
            body: batch.slice(BATCH_HEADER_LEN..),
            log_append_time_ms: match config.message_timestamp_type {
                MessageTimestampType::CreateTime => -1,
                MessageTimestampType::LogAppendTime => now_ms,
            },
        }
    }

    fn set_timestamps(&mut self, attributes: i16, max_timestamp: i64) {
        let head = &mut self.head;
        head[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
        head[35..43].copy_from_slice(&max_timestamp.to_be_bytes());
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        digest.update(&head[ATTRIBUTES_AT..]);
        digest.update(&self.body);
        head[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&(digest.finalize() as u32).to_be_bytes());
        self.header = BatchHeader::parse(head).expect("a whole header");
    }

    /// The header's fields; `base_offset` counts from 0 until the append assigns it.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The broker's time where `message.timestamp.type` is `LogAppendTime`, else −1.
    pub fn log_append_time_ms(&self) -> i64 {
        self.log_append_time_ms
    }

    /// Bytes of the whole batch.
    pub fn size_in_bytes(&self) -> usize {
        BATCH_HEADER_LEN + self.body.len()
    }

    /// The header and its bytes as they will stand at `base_offset`, and the records. Neither field is under the checksum.
    pub(crate) fn placed_at(
        &self,
        base_offset: i64,
        leader_epoch: i32,
    ) -> (BatchHeader, [u8; BATCH_HEADER_LEN], Bytes) {
        let header = BatchHeader {
            base_offset,
            partition_leader_epoch: leader_epoch,
            ..self.header
        };
        let mut head = self.head;
        head[..8].copy_from_slice(&base_offset.to_be_bytes());
        head[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
        (header, head, self.body.clone())
    }
}

/// One record that was refused (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The record's place in its batch, from 0.
    pub batch_index: i32,
    /// Why.
    pub message: String,
}

/// Why a batch was refused; nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidateError {
    /// `INVALID_RECORD`.
    #[error("{message}")]
    InvalidRecord {
        /// For the client.
        message: String,
        /// The records at fault, where it is not the batch.
        record_errors: Vec<RecordError>,
    },
    /// `INVALID_TIMESTAMP`.
    #[error("One or more records have been rejected due to invalid timestamp")]
    InvalidTimestamp {
        /// The records at fault.
        record_errors: Vec<RecordError>,
    },
    /// `CORRUPT_MESSAGE`.
    #[error("{message}")]
    CorruptMessage {
        /// For the client.
        message: String,
    },
    /// `MESSAGE_TOO_LARGE`.
    #[error("The record batch size is {size} bytes which exceeds the maximum configured value of {max_message_bytes}")]
    RecordTooLarge {
        /// Bytes of the batch.
        size: usize,
        /// `max.message.bytes`.
        max_message_bytes: i32,
    },
    /// `INVALID_RECORD`: a limit of ours, beyond what any producer packs into one batch.
    #[error("{message}")]
    TooMuchInflated {
        /// For the client.
        message: String,
    },
    /// `UNKNOWN_SERVER_ERROR`: what a codec refuses, or a codec that there is not; Kafka has no code for it.
    #[error("{message}")]
    Undecodable {
        /// For the client.
        message: String,
    },
    /// `UNSUPPORTED_COMPRESSION_TYPE`.
    #[error("{message}")]
    UnsupportedCompressionType {
        /// For the client.
        message: String,
    },
}

impl ValidateError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidRecord {
            message: message.into(),
            record_errors: Vec::new(),
        }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::CorruptMessage {
            message: message.into(),
        }
    }
}

impl From<BatchError> for ValidateError {
    fn from(error: BatchError) -> Self {
        let message = error.to_string();
        match error {
            BatchError::Record(_) => Self::invalid(message),
            BatchError::Compression(CompressionError::Limit { .. }) => Self::TooMuchInflated { message },
            BatchError::Compression(_) | BatchError::CompressionType(_) => Self::Undecodable { message },
            BatchError::Short { .. } | BatchError::Length(_) | BatchError::Magic(_) | BatchError::Crc { .. } => {
                Self::corrupt(message)
            }
        }
    }
}

/// Checks what a client sent for one partition and sets what the leader sets: the largest timestamp, where the client's is not true;
/// the time of the append and the codec, where the topic asks for it.
///
/// # Errors
/// [`ValidateError`]
pub fn validate(batch: OnlyBatch, options: &ValidateOptions<'_>, now_ms: i64) -> Result<ValidatedBatch, ValidateError> {
    let limit = max_inflated_bytes(batch.size_in_bytes(), options.config);
    Ok(validate_within(batch, options, now_ms, limit, Rebuild::WhereAsked)?
        .expect("without a bound there is an outcome"))
}

/// [`validate`] where it does not take long: `None` for a batch that becomes more than `max_inflated_bytes`, or that has to be
/// written anew in another codec.
///
/// # Errors
/// [`ValidateError`]
pub fn validate_if_cheap(
    batch: OnlyBatch,
    options: &ValidateOptions<'_>,
    now_ms: i64,
    max_inflated_bytes: usize,
) -> Result<Option<ValidatedBatch>, ValidateError> {
    validate_within(batch, options, now_ms, max_inflated_bytes, Rebuild::Never)
}

/// Whether a batch may be written anew now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rebuild {
    WhereAsked,
    Never,
}

fn validate_within(
    batch: OnlyBatch,
    options: &ValidateOptions<'_>,
    now_ms: i64,
    bound: usize,
    may_rebuild: Rebuild,
) -> Result<Option<ValidatedBatch>, ValidateError> {
    let (partition, config) = (options.partition, options.config);
    let records = batch.into_bytes();
    let offset = records.first_chunk().map_or(0, |offset| i64::from_be_bytes(*offset));
    if offset != 0 {
        let message =
            format!("The baseOffset of the record batch in the append to {partition} should be 0, but it is {offset}");
        return Err(ValidateError::invalid(message));
    }
    check_size(records.len(), config)?;
    let batch = RecordBatch::parse(&records)?;
    if batch.check_crc().is_err() {
        let message = format!(
            "Record is corrupt (stored crc = {}) in topic partition {partition}.",
            batch.crc()
        );
        return Err(ValidateError::corrupt(message));
    }
    let source = batch.attributes().compression_type()?;
    validate_batch(&batch, partition)?;
    let target = target_compression(config, source);
    // Before its records are looked at: whoever writes it anew looks at them again.
    if source != target && may_rebuild == Rebuild::Never {
        return Ok(None);
    }
    let max_inflated_bytes = max_inflated_bytes(records.len(), config);
    let checked = Checker::new(&batch, options, now_ms).check_all(source, max_inflated_bytes.min(bound));
    if bound < max_inflated_bytes && matches!(checked, Err(ValidateError::TooMuchInflated { .. })) {
        return Ok(None);
    }
    let checked = checked?;
    if source != target || !checked.in_order {
        if may_rebuild == Rebuild::Never {
            return Ok(None);
        }
        let rebuilt = rebuild(&batch, target, max_inflated_bytes, config, now_ms)?;
        check_size(rebuilt.len(), config)?;
        return Ok(Some(ValidatedBatch::new(rebuilt, config, now_ms)));
    }
    patched(records, checked.max_timestamp, config, now_ms).map(Some)
}

fn check_size(size: usize, config: &LogConfig) -> Result<(), ValidateError> {
    let max_message_bytes = config.max_message_bytes;
    if size > max_message_bytes.max(0) as usize {
        return Err(ValidateError::RecordTooLarge {
            size,
            max_message_bytes,
        });
    }
    Ok(())
}

fn validate_batch(batch: &RecordBatch<'_>, partition: &TopicPartition) -> Result<(), ValidateError> {
    let count = i64::from(batch.records_count());
    let count_from_offsets = i64::from(batch.last_offset_delta()) + 1;
    let range = format_args!("[0, {}]", batch.last_offset_delta()).to_string();
    let message = if count_from_offsets <= 0 {
        format!("Batch has an invalid offset range: {range} in topic partition {partition}")
    } else if count <= 0 {
        format!("Invalid reported count for record batch: {count} in topic partition {partition}")
    } else if count_from_offsets != count {
        format!("Inconsistent batch offset range {range} and count of records {count} in topic partition {partition}")
    } else if batch.attributes().is_control() {
        format!("Clients are not allowed to write control records in topic partition {partition}")
    } else if batch.producer_id() > -1 && batch.base_sequence() < 0 {
        let (sequence, producer) = (batch.base_sequence(), batch.producer_id());
        format!(
            "Invalid sequence number {sequence} in record batch with producerId {producer} in topic partition {partition}"
        )
    } else {
        return Ok(());
    };
    Err(ValidateError::invalid(message))
}

fn target_compression(config: &LogConfig, source: CompressionType) -> CompressionType {
    match config.compression_type {
        TopicCompressionType::Producer => source,
        TopicCompressionType::Uncompressed => CompressionType::None,
        TopicCompressionType::Gzip => CompressionType::Gzip,
        TopicCompressionType::Snappy => CompressionType::Snappy,
        TopicCompressionType::Lz4 => CompressionType::Lz4,
        TopicCompressionType::Zstd => CompressionType::Zstd,
    }
}

fn max_inflated_bytes(size: usize, config: &LogConfig) -> usize {
    let absolute = (config.max_message_bytes.max(0) as usize).saturating_mul(MAX_INFLATE_FACTOR);
    size.saturating_mul(MAX_INFLATE_RATIO)
        .min(absolute)
        .max(MIN_INFLATE_LIMIT)
}

/// What looking at every record gave.
struct Checked {
    max_timestamp: i64,
    /// Whether the records' offsets are 0, 1, 2 and so on.
    in_order: bool,
}

/// Looks at the records one by one (Kafka's `LogValidator.validateRecord`).
struct Checker<'a> {
    batch: &'a RecordBatch<'a>,
    options: &'a ValidateOptions<'a>,
    now_ms: i64,
    next_index: i32,
    checked: Checked,
    errors: Vec<RecordError>,
    errors_count: usize,
    invalid_timestamp: bool,
}

impl<'a> Checker<'a> {
    fn new(batch: &'a RecordBatch<'a>, options: &'a ValidateOptions<'a>, now_ms: i64) -> Self {
        let checked = Checked {
            max_timestamp: -1,
            in_order: true,
        };
        let (next_index, errors, errors_count, invalid_timestamp) = (0, Vec::new(), 0, false);
        Self {
            batch,
            options,
            now_ms,
            next_index,
            checked,
            errors,
            errors_count,
            invalid_timestamp,
        }
    }

    fn check_all(mut self, source: CompressionType, max_inflated_bytes: usize) -> Result<Checked, ValidateError> {
        if source == CompressionType::None {
            for record in self.batch.records()? {
                let record = record.map_err(BatchError::from)?;
                self.check(record.offset_delta, record.timestamp_delta, record.key.is_some());
            }
        } else {
            let (count, bytes) = (self.batch.records_count(), self.batch.records_bytes());
            for shape in RecordSkimmer::new(source, count, bytes, max_inflated_bytes)? {
                let shape = shape?;
                self.check(shape.offset_delta, shape.timestamp_delta, shape.key_size.is_some());
            }
        }
        self.finish()
    }

    fn check(&mut self, offset_delta: i32, timestamp_delta: i64, has_key: bool) {
        let timestamp = self.batch.record_timestamp(timestamp_delta);
        self.checked.max_timestamp = self.checked.max_timestamp.max(timestamp);
        self.checked.in_order &= offset_delta == self.next_index;
        if self.options.config.cleanup_policy.compact && !has_key {
            let partition = self.options.partition;
            self.refuse(|| {
                format!("Compacted topic cannot accept message without key in topic partition {partition}.")
            });
        } else {
            self.check_timestamp(timestamp, offset_delta);
        }
        self.next_index += 1;
    }

    fn check_timestamp(&mut self, timestamp: i64, offset: i32) {
        let (config, now) = (self.options.config, self.now_ms);
        let (before, after) = (
            config.message_timestamp_before_max_ms,
            config.message_timestamp_after_max_ms,
        );
        if config.message_timestamp_type == MessageTimestampType::CreateTime && timestamp != -1 {
            let age = now.wrapping_sub(timestamp);
            if age > before || age.wrapping_neg() > after {
                self.invalid_timestamp = true;
                let (earliest, latest) = (now.wrapping_sub(before), now.wrapping_add(after));
                self.refuse(|| {
                    format!(
                        "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be \
                         within [{earliest}, {latest}]"
                    )
                });
            }
        } else if self.batch.attributes().timestamp_type() == TimestampType::LogAppendTime {
            self.invalid_timestamp = true;
            self.refuse(|| {
                format!(
                    "Invalid timestamp type in message with offset {offset}. Producer should not set timestamp type to \
                     LogAppendTime."
                )
            });
        }
    }

    fn refuse(&mut self, message: impl FnOnce() -> String) {
        self.errors_count += 1;
        if self.errors.len() < MAX_RECORD_ERRORS {
            self.errors.push(RecordError {
                batch_index: self.next_index,
                message: message(),
            });
        }
    }

    fn finish(self) -> Result<Checked, ValidateError> {
        let record_errors = self.errors;
        if record_errors.is_empty() {
            return Ok(self.checked);
        }
        if self.invalid_timestamp {
            return Err(ValidateError::InvalidTimestamp { record_errors });
        }
        let first: Vec<&str> = record_errors
            .iter()
            .take(3)
            .map(|error| error.message.as_str())
            .collect();
        let message = format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three \
             errors at most: {first:?}",
            self.errors_count
        );
        Err(ValidateError::InvalidRecord { message, record_errors })
    }
}

/// The same records as a new batch in the target's codec, with offsets from 0.
fn rebuild(
    batch: &RecordBatch<'_>,
    target: CompressionType,
    max_inflated_bytes: usize,
    config: &LogConfig,
    now_ms: i64,
) -> Result<Bytes, ValidateError> {
    let level = match target {
        CompressionType::Gzip => Some(config.compression_gzip_level),
        CompressionType::Lz4 => Some(config.compression_lz4_level),
        CompressionType::Zstd => Some(config.compression_zstd_level),
        CompressionType::None | CompressionType::Snappy => None,
    };
    let mut builder = BatchBuilder::new()
        .compression(target, level)
        .producer(batch.producer_id(), batch.producer_epoch(), batch.base_sequence())
        .transactional(batch.attributes().is_transactional());
    if config.message_timestamp_type == MessageTimestampType::LogAppendTime {
        builder = builder.log_append_time(now_ms);
    }
    let inflated = batch.inflate(max_inflated_bytes)?;
    let mut rest = &inflated[..];
    for _ in 0..batch.records_count() {
        let record = Record::read(&mut rest).map_err(BatchError::from)?;
        let headers: Vec<_> = record.headers.iter().map(|header| (header.key, header.value)).collect();
        let timestamp = batch.record_timestamp(record.timestamp_delta);
        builder.append_with_headers(timestamp, record.key, record.value, &headers);
    }
    Ok(builder.build().map_err(BatchError::from)?)
}

/// The batch as it came, but for what the leader sets in its header. The records are neither copied nor touched.
fn patched(
    records: Bytes,
    max_timestamp: i64,
    config: &LogConfig,
    now_ms: i64,
) -> Result<ValidatedBatch, ValidateError> {
    let (timestamp_type, max_timestamp) = match config.message_timestamp_type {
        MessageTimestampType::CreateTime => (TimestampType::CreateTime, max_timestamp),
        MessageTimestampType::LogAppendTime => (TimestampType::LogAppendTime, now_ms),
    };
    let attributes = RecordBatch::parse(&records)?.attributes();
    let mut batch = ValidatedBatch::new(records, config, now_ms);
    if attributes.timestamp_type() != timestamp_type || batch.header.max_timestamp != max_timestamp {
        batch.set_timestamps(attributes.with_timestamp_type(timestamp_type).0, max_timestamp);
    }
    Ok(batch)
}
