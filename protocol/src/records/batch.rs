//! Views of batches in a buffer.

use std::ops::Deref;

use super::record::{RecordError, Records};
use super::{ATTRIBUTES_OFFSET, BATCH_HEADER_SIZE, LOG_OVERHEAD, MAGIC_V2, NO_SEQUENCE, crc32c, increment_sequence};
use crate::compression::{self, CompressionError, CompressionType};

/// Why bytes are no batch of records.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes are left than the batch, or its header, needs. At the end of a fetched range that is no fault.
    #[error("{needed} bytes needed for a batch, {remaining} left")]
    Short {
        /// Bytes needed.
        needed: usize,
        /// Bytes left.
        remaining: usize,
    },
    /// A length that is smaller than a batch's header.
    #[error("a batch cannot have length {0}")]
    Length(i32),
    /// Not format v2.
    #[error("magic {0}, not 2")]
    Magic(i8),
    /// The checksum does not match.
    #[error("checksum {computed:#010x}, but the batch says {stored:#010x}")]
    Crc {
        /// What the batch says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// A codec that Kafka does not have.
    #[error("unknown compression type {0}")]
    CompressionType(u8),
    /// The records could not be inflated.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// The records themselves are malformed.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Whose clock a batch's timestamps come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The leader's: every record has the batch's max timestamp.
    LogAppendTime,
}

/// A batch's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const TIMESTAMP_TYPE: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// The number of the codec, 0 to 7.
    pub fn compression_id(self) -> u8 {
        (self.0 & 0x07) as u8
    }

    /// The codec.
    ///
    /// # Errors
    /// 5, 6 or 7, which Kafka does not have.
    pub fn compression_type(self) -> Result<CompressionType, BatchError> {
        CompressionType::from_id(self.compression_id()).map_err(|_| BatchError::CompressionType(self.compression_id()))
    }

    /// Whose clock the timestamps come from.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::TIMESTAMP_TYPE == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether it holds control records, which consumers never see.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is a delete horizon (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The same with another codec.
    #[must_use]
    pub fn with_compression_type(self, compression_type: CompressionType) -> Self {
        Attributes(self.0 & !0x07 | i16::from(compression_type.id()))
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(Self::TIMESTAMP_TYPE, timestamp_type == TimestampType::LogAppendTime)
    }

    /// The same, transactional or not.
    #[must_use]
    pub fn with_transactional(self, transactional: bool) -> Self {
        self.with(Self::TRANSACTIONAL, transactional)
    }

    /// The same, control or not.
    #[must_use]
    pub fn with_control(self, control: bool) -> Self {
        self.with(Self::CONTROL, control)
    }

    /// The same, with or without a delete horizon.
    #[must_use]
    pub fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(Self::DELETE_HORIZON, delete_horizon)
    }

    fn with(self, bit: i16, set: bool) -> Self {
        Attributes(if set { self.0 | bit } else { self.0 & !bit })
    }
}

/// What every format has in common at the start of a batch (or of a message of formats 0 and 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Offset of the first record (formats 0 and 1: of the last one, when compressed).
    pub base_offset: i64,
    /// Bytes behind the length field; not checked.
    pub batch_length: i32,
    /// The format.
    pub magic: i8,
}

impl Prefix {
    /// Bytes that it takes to know it.
    pub const SIZE: usize = 17;

    /// Reads it; `None` when fewer than [`Prefix::SIZE`] bytes are there.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (bytes, _) = bytes.split_first_chunk::<17>()?;
        let base_offset = i64::from_be_bytes(array(bytes, 0));
        let batch_length = i32::from_be_bytes(array(bytes, 8));
        Some(Prefix {
            base_offset,
            batch_length,
            magic: bytes[16] as i8,
        })
    }
}

/// The header of a v2 batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchHeader<'a> {
    bytes: &'a [u8; BATCH_HEADER_SIZE],
}

fn array<const N: usize, const M: usize>(bytes: &[u8; M], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

impl<'a> BatchHeader<'a> {
    /// Reads the header at the start of `bytes`; the records need not be there.
    ///
    /// # Errors
    /// Fewer than [`BATCH_HEADER_SIZE`] bytes, another format, a length that does not cover the header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        if let Some(prefix) = Prefix::parse(bytes) {
            if prefix.magic != MAGIC_V2 {
                return Err(BatchError::Magic(prefix.magic));
            }
            if prefix.batch_length < (BATCH_HEADER_SIZE - LOG_OVERHEAD) as i32 {
                return Err(BatchError::Length(prefix.batch_length));
            }
        }
        match bytes.split_first_chunk() {
            Some((bytes, _)) => Ok(BatchHeader { bytes }),
            None => Err(BatchError::Short {
                needed: BATCH_HEADER_SIZE,
                remaining: bytes.len(),
            }),
        }
    }

    /// Offset of the batch's first record, as it was when the batch was written (compaction may have taken records away).
    pub fn base_offset(&self) -> i64 {
        i64::from_be_bytes(array(self.bytes, 0))
    }

    /// Bytes behind the length field.
    pub fn batch_length(&self) -> i32 {
        i32::from_be_bytes(array(self.bytes, 8))
    }

    /// Bytes of the whole batch.
    pub fn size_in_bytes(&self) -> usize {
        LOG_OVERHEAD + self.batch_length() as usize
    }

    /// The leader epoch under which it was appended.
    pub fn partition_leader_epoch(&self) -> i32 {
        i32::from_be_bytes(array(self.bytes, 12))
    }

    /// The format, always 2.
    pub fn magic(&self) -> i8 {
        self.bytes[16] as i8
    }

    /// The checksum that the batch claims.
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(array(self.bytes, 17))
    }

    /// Codec, timestamp type and flags.
    pub fn attributes(&self) -> Attributes {
        Attributes(i16::from_be_bytes(array(self.bytes, 21)))
    }

    /// Offset of the last record after the base offset; stays when compaction takes records away.
    pub fn last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(array(self.bytes, 23))
    }

    /// What the records' timestamps count from; the delete horizon where the attributes say so.
    pub fn base_timestamp(&self) -> i64 {
        i64::from_be_bytes(array(self.bytes, 27))
    }

    /// The latest timestamp, or the time of the append.
    pub fn max_timestamp(&self) -> i64 {
        i64::from_be_bytes(array(self.bytes, 35))
    }

    /// The producer's id, −1 without idempotence.
    pub fn producer_id(&self) -> i64 {
        i64::from_be_bytes(array(self.bytes, 43))
    }

    /// The producer's epoch, −1 without idempotence.
    pub fn producer_epoch(&self) -> i16 {
        i16::from_be_bytes(array(self.bytes, 51))
    }

    /// Sequence number of the first record, −1 without idempotence.
    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(array(self.bytes, 53))
    }

    /// How many records it claims to hold.
    pub fn records_count(&self) -> i32 {
        i32::from_be_bytes(array(self.bytes, 57))
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset().wrapping_add(i64::from(self.last_offset_delta()))
    }

    /// The offset behind the batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Sequence number of the last record, −1 without idempotence.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence() {
            NO_SEQUENCE => NO_SEQUENCE,
            base_sequence => increment_sequence(base_sequence, self.last_offset_delta()),
        }
    }

    /// When a tombstone or marker in it may go (KIP-534), in milliseconds since 1970.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes().has_delete_horizon().then(|| self.base_timestamp())
    }

    /// The timestamp of a record of this batch.
    pub fn record_timestamp(&self, timestamp_delta: i64) -> i64 {
        match self.attributes().timestamp_type() {
            TimestampType::CreateTime => self.base_timestamp().wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => self.max_timestamp(),
        }
    }

    /// The header's bytes.
    pub fn as_bytes(&self) -> &'a [u8; BATCH_HEADER_SIZE] {
        self.bytes
    }
}

/// A whole v2 batch; its header's methods are its own.
#[derive(Debug, Clone, Copy)]
pub struct RecordBatch<'a> {
    header: BatchHeader<'a>,
    bytes: &'a [u8],
}

impl<'a> RecordBatch<'a> {
    /// Reads the batch at the start of `bytes`, which may hold more. The checksum is not looked at.
    ///
    /// # Errors
    /// No whole v2 batch is there.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let needed = header.size_in_bytes();
        match bytes.get(..needed) {
            Some(bytes) => Ok(RecordBatch { header, bytes }),
            None => Err(BatchError::Short {
                needed,
                remaining: bytes.len(),
            }),
        }
    }

    /// The header.
    pub fn header(&self) -> BatchHeader<'a> {
        self.header
    }

    /// All bytes of the batch.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records, still compressed.
    pub fn records_bytes(&self) -> &'a [u8] {
        &self.bytes[BATCH_HEADER_SIZE..]
    }

    /// The checksum that the bytes give.
    pub fn compute_crc(&self) -> u32 {
        crc32c(&self.bytes[ATTRIBUTES_OFFSET..])
    }

    /// Compares the checksums.
    ///
    /// # Errors
    /// [`BatchError::Crc`] when they differ.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let (stored, computed) = (self.crc(), self.compute_crc());
        if stored == computed {
            Ok(())
        } else {
            Err(BatchError::Crc { stored, computed })
        }
    }

    /// The records of an uncompressed batch.
    ///
    /// # Errors
    /// The count is negative, or the batch is compressed: inflate [`RecordBatch::records_bytes`] first.
    pub fn records(&self) -> Result<Records<'a>, BatchError> {
        match self.attributes().compression_type()? {
            CompressionType::None => Ok(Records::new(self.records_count(), self.records_bytes())?),
            compressed => Err(BatchError::CompressionType(compressed.id())),
        }
    }

    /// The records' bytes, inflated to `limit` bytes at the most.
    ///
    /// # Errors
    /// An unknown codec, malformed content, or more of it than the limit.
    pub fn inflate(&self, limit: usize) -> Result<bytes::Bytes, BatchError> {
        Ok(compression::decompress(
            self.attributes().compression_type()?,
            self.records_bytes(),
            limit,
        )?)
    }
}

impl<'a> Deref for RecordBatch<'a> {
    type Target = BatchHeader<'a>;

    fn deref(&self) -> &BatchHeader<'a> {
        &self.header
    }
}

/// The batches of a buffer, one after another. Ends at the end of the buffer or behind the first error; a batch that is cut
/// off at the end is [`BatchError::Short`].
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
    failed: bool,
}

impl<'a> Batches<'a> {
    /// Starts at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Batches {
            bytes,
            position: 0,
            failed: false,
        }
    }

    /// Where the next batch starts, in bytes: behind the last whole one.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<RecordBatch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.position..];
        if rest.is_empty() || self.failed {
            return None;
        }
        let batch = RecordBatch::parse(rest);
        match &batch {
            Ok(batch) => self.position += batch.as_bytes().len(),
            Err(_) => self.failed = true,
        }
        Some(batch)
    }
}
