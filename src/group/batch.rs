//! Record batches of `__consumer_offsets`: one is made per append, all are read at a load.

use bytes::Bytes;
use protocol::EncodeError;
use protocol::compression::{CompressionError, CompressionType};
use protocol::records::{BatchBuilder, Batches, ControlRecordType, RecordBatch, Records};

use super::record::{self, Record};

/// The most that a batch of the log may inflate to. What was appended was within `max.message.bytes`, compressed; a
/// group whose records compress better than this allows for does not exist.
const INFLATE_LIMIT_BYTES: usize = 256 * 1024 * 1024;

/// Why the log's bytes are not batches of records.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The batch itself.
    #[error("a batch cannot be read: {0}")]
    Batch(#[from] protocol::records::BatchError),
    /// One of its records.
    #[error("a record cannot be read: {0}")]
    Record(#[from] protocol::records::RecordError),
}

/// A batch of the log.
pub struct LoggedBatch {
    /// The offset after its last record.
    pub next_offset: i64,
    /// Of an idempotent or transactional producer.
    pub producer_id: i64,
    /// Data, or the end of a transaction.
    pub kind: BatchKind,
    /// Its records.
    pub records: Vec<LoggedRecord>,
}

/// What a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    /// Records of groups.
    Data {
        /// They count when their transaction is committed.
        transactional: bool,
    },
    /// The end of a transaction.
    TransactionEnd {
        /// Committed, or aborted.
        commit: bool,
    },
    /// Another control record.
    OtherControl,
}

/// A record of the log. Nothing in it keeps the read buffer alive.
pub struct LoggedRecord {
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// What a record takes in a batch beside its key and value, at the least: length, attributes, deltas, lengths, no headers.
const RECORD_OVERHEAD_BYTES: usize = 7;
/// How many times the size that the log allows a batch's records may have before they are compressed. It bounds what is encoded at
/// once; a commit that compresses better than that is refused, where Kafka encodes it whatever it takes.
const COMPRESSION_FACTOR: usize = 16;

/// What a group's record takes in a batch, never too much.
pub fn size_in_bytes(group_id: &str, record: &Record) -> usize {
    RECORD_OVERHEAD_BYTES + record::size_in_bytes(group_id, record)
}

/// How large the records of one batch may be together, where the log takes batches of `max_batch_bytes`.
pub fn room_in_bytes(max_batch_bytes: usize, compression_type: CompressionType) -> usize {
    match compression_type {
        CompressionType::None => max_batch_bytes,
        CompressionType::Gzip | CompressionType::Snappy | CompressionType::Lz4 | CompressionType::Zstd => {
            max_batch_bytes.saturating_mul(COMPRESSION_FACTOR)
        }
    }
}

/// Why no batch was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// One of its records.
    #[error("a record cannot be encoded: {0}")]
    Record(#[from] EncodeError),
    /// The batch itself.
    #[error("the batch cannot be compressed: {0}")]
    Batch(#[from] CompressionError),
}

/// One batch of these records, each with the name of its group.
pub fn build<'a>(
    records: impl Iterator<Item = (&'a str, &'a Record)>,
    timestamp_ms: i64,
    compression_type: CompressionType,
) -> Result<Bytes, BuildError> {
    let mut builder = BatchBuilder::new().compression(compression_type, None);
    for (group_id, record) in records {
        let encoded = record::encode(group_id, record)?;
        builder.append(timestamp_ms, Some(&encoded.key), encoded.value.as_deref());
    }
    Ok(builder.build()?)
}

/// The batches of a chunk of the log.
pub fn read(chunk: &Bytes) -> impl Iterator<Item = Result<LoggedBatch, BatchError>> + '_ {
    Batches::new(chunk).map(|batch| read_batch(&batch?))
}

fn read_batch(batch: &RecordBatch<'_>) -> Result<LoggedBatch, BatchError> {
    batch.check_crc()?;
    let inflated = batch.inflate(INFLATE_LIMIT_BYTES)?;
    let mut records = Vec::new();
    let mut kind = BatchKind::Data {
        transactional: batch.attributes().is_transactional(),
    };
    let is_control = batch.attributes().is_control();
    if is_control {
        kind = BatchKind::OtherControl;
    }
    for record in Records::new(batch.records_count(), &inflated)? {
        let record = record?;
        if is_control {
            kind = match record.key.and_then(ControlRecordType::parse) {
                Some(ControlRecordType::Commit) => BatchKind::TransactionEnd { commit: true },
                Some(ControlRecordType::Abort) => BatchKind::TransactionEnd { commit: false },
                _ => BatchKind::OtherControl,
            };
            break;
        }
        records.push(LoggedRecord {
            offset: batch.base_offset() + i64::from(record.offset_delta),
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
        });
    }
    Ok(LoggedBatch {
        next_offset: batch.next_offset(),
        producer_id: batch.producer_id(),
        kind,
        records,
    })
}
