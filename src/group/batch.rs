//! Record batches of `__consumer_offsets`: one is made per append, all are read at a load.

use bytes::Bytes;
use protocol::compression::{CompressionError, CompressionType};
use protocol::records::{BatchBuilder, Batches, ControlRecordType, RecordBatch, Records};

use super::record::EncodedRecord;

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

/// What records take in a batch, roughly.
pub fn size_in_bytes(records: &[EncodedRecord]) -> usize {
    const RECORD_OVERHEAD_BYTES: usize = 20;
    let size = |record: &EncodedRecord| record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
    records.iter().map(|record| size(record) + RECORD_OVERHEAD_BYTES).sum()
}

/// One batch of these records.
pub fn build<'a>(
    records: impl Iterator<Item = &'a EncodedRecord>,
    timestamp_ms: i64,
    compression_type: CompressionType,
) -> Result<Bytes, CompressionError> {
    let mut builder = BatchBuilder::new().compression(compression_type, None);
    for record in records {
        builder.append(timestamp_ms, Some(&record.key), record.value.as_deref());
    }
    builder.build()
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
