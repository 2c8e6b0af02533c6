//! The header of a record batch (magic 2), as far as the log needs it. All numbers are big-endian.

use crate::producer_state::EndTxnMarker;

/// Bytes of a batch's header, records not included.
pub const BATCH_HEADER_LEN: usize = 61;
/// Bytes in front of what the batch's length counts: base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// Where the checksum is.
pub const CRC_AT: usize = 17;
/// Where the checksummed part begins.
pub const ATTRIBUTES_AT: usize = 21;

/// The fixed fields in front of a batch's records (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The first record's offset.
    pub base_offset: i64,
    /// Bytes behind the length field.
    pub batch_length: i32,
    /// The leader's epoch at append; −1 from a producer.
    pub partition_leader_epoch: i32,
    /// The format: 2.
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Codec (bits 0–2), timestamp type (3), transactional (4), control (5), delete horizon (6).
    pub attributes: i16,
    /// The last record's offset minus the first one's.
    pub last_offset_delta: i32,
    /// What the records' timestamps are relative to.
    pub base_timestamp: i64,
    /// The largest timestamp of the records.
    pub max_timestamp: i64,
    /// The idempotent producer, or −1.
    pub producer_id: i64,
    /// Its epoch, or −1.
    pub producer_epoch: i16,
    /// The sequence number of the first record, or −1.
    pub base_sequence: i32,
    /// How many records there are.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the fields from the front of `bytes`; `None` where there are too few. Nothing is checked.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; BATCH_HEADER_LEN] = bytes.first_chunk()?;
        Some(Self {
            base_offset: i64::from_be_bytes(field(header, 0)),
            batch_length: i32::from_be_bytes(field(header, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(header, 12)),
            magic: header[16] as i8,
            crc: u32::from_be_bytes(field(header, 17)),
            attributes: i16::from_be_bytes(field(header, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(field(header, 23)),
            base_timestamp: i64::from_be_bytes(field(header, 27)),
            max_timestamp: i64::from_be_bytes(field(header, 35)),
            producer_id: i64::from_be_bytes(field(header, 43)),
            producer_epoch: i16::from_be_bytes(field(header, 51)),
            base_sequence: i32::from_be_bytes(field(header, 53)),
            records_count: i32::from_be_bytes(field(header, 57)),
        })
    }

    /// Whether the length and the format can be those of a batch at all.
    pub fn is_plausible(&self) -> bool {
        self.magic == 2
            && self.batch_length >= (BATCH_HEADER_LEN - LOG_OVERHEAD) as i32
            && self.last_offset_delta >= 0
            && self.base_offset >= 0
    }

    /// Bytes of the whole batch.
    pub fn size_in_bytes(&self) -> usize {
        LOG_OVERHEAD + self.batch_length as usize
    }

    /// The last record's offset.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// Whether an idempotent producer wrote it.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > -1
    }

    /// Whether its records are compressed, so that validating them means inflating them.
    pub fn is_compressed(&self) -> bool {
        self.attributes & 0x07 != 0
    }

    /// Whether it belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// Whether it holds a control record.
    pub fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    /// The sequence number of the last record; it wraps to 0 after `i32::MAX`. −1 without a producer.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == -1 {
            return -1;
        }
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        if last > i64::from(i32::MAX) {
            (last - i64::from(i32::MAX) - 1) as i32
        } else {
            last as i32
        }
    }
}

fn field<const N: usize>(header: &[u8; BATCH_HEADER_LEN], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&header[at..at + N]);
    out
}

/// CRC-32C (Castagnoli) of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// What a control batch says about its transaction; `None` for every other batch, and for an empty one.
pub fn end_txn_marker(header: &BatchHeader, records: &[u8]) -> Option<EndTxnMarker> {
    if !header.is_control() || header.records_count == 0 {
        return None;
    }
    let mut fields = Fields(records);
    let _length = fields.varint()?;
    let _attributes: [u8; 1] = fields.take()?;
    let timestamp_delta = fields.varint()?;
    let _offset_delta = fields.varint()?;
    let _key_length = fields.varint()?;
    let _key_version: [u8; 2] = fields.take()?;
    // Abort and commit; other control records end nothing.
    if !matches!(i16::from_be_bytes(fields.take()?), 0 | 1) {
        return None;
    }
    let _value_length = fields.varint()?;
    let _value_version: [u8; 2] = fields.take()?;
    let coordinator_epoch = i32::from_be_bytes(fields.take()?);
    Some(EndTxnMarker {
        coordinator_epoch,
        timestamp: header.base_timestamp + timestamp_delta,
    })
}

/// Fixed-size and variable-size fields from the front of a slice.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    /// A zigzag-encoded number of at most 64 bits.
    pub(crate) fn varint(&mut self) -> Option<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        None
    }
}
