//! Record batches of format v2 (magic 2): views, iterators, patches, a builder. Formats 0 and 1 have no room here.
//!
//! ```text
//!  0  base_offset            8
//!  8  batch_length           4   bytes behind this field
//! 12  partition_leader_epoch 4
//! 16  magic                  1   2
//! 17  crc                    4   CRC-32C of everything behind it
//! 21  attributes             2   codec (0–2), timestamp type (3), transactional (4), control (5), delete horizon (6)
//! 23  last_offset_delta      4
//! 27  base_timestamp         8
//! 35  max_timestamp          8
//! 43  producer_id            8
//! 51  producer_epoch         2
//! 53  base_sequence          4
//! 57  records_count          4
//! 61  records, compressed as a whole
//! ```

mod batch;
mod builder;
mod patch;
mod record;
mod skim;
#[cfg(test)]
mod tests;
mod varint;

pub use batch::{Attributes, BatchError, BatchHeader, Batches, Prefix, RecordBatch, TimestampType};
pub use builder::BatchBuilder;
pub use patch::{set_base_offset, set_last_offset, set_max_timestamp, set_partition_leader_epoch, update_crc};
pub use record::{ControlRecordType, Header, Headers, Record, RecordError, Records};
pub use skim::{RecordShape, RecordSkimmer};

/// Bytes before a batch's length counts: base offset and length itself. A batch takes `LOG_OVERHEAD + batch_length` bytes.
pub const LOG_OVERHEAD: usize = 12;

/// Bytes of a batch's header; its records follow.
pub const BATCH_HEADER_SIZE: usize = 61;

/// Offset of the magic byte, the same in every format.
pub const MAGIC_OFFSET: usize = 16;

/// The one format that this module reads and writes.
pub const MAGIC_V2: i8 = 2;

/// Offset of the checksum, which covers everything behind it.
pub const CRC_OFFSET: usize = 17;

/// Offset of the first byte that the checksum covers.
pub const ATTRIBUTES_OFFSET: usize = 21;

/// «No producer id»: the batch is not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;

/// «No producer epoch».
pub const NO_PRODUCER_EPOCH: i16 = -1;

/// «No sequence number».
pub const NO_SEQUENCE: i32 = -1;

/// «No timestamp».
pub const NO_TIMESTAMP: i64 = -1;

/// «No leader epoch».
pub const NO_PARTITION_LEADER_EPOCH: i32 = -1;

/// CRC-32C (Castagnoli), with the processor's instructions where it has them.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The sequence number `increment` after `sequence`; it wraps from `i32::MAX` to 0.
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    ((i64::from(sequence) + i64::from(increment)) & i64::from(i32::MAX)) as i32
}

/// The sequence number `decrement` before `sequence`; it wraps from 0 to `i32::MAX`.
pub fn decrement_sequence(sequence: i32, decrement: i32) -> i32 {
    ((i64::from(sequence) - i64::from(decrement)) & i64::from(i32::MAX)) as i32
}
