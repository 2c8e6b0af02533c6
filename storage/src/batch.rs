//! The header of a record batch (magic 2), as far as the log needs it: read once by `protocol` and then kept by value.

pub use protocol::records::{
    ATTRIBUTES_OFFSET as ATTRIBUTES_AT, BATCH_HEADER_SIZE as BATCH_HEADER_LEN, CRC_OFFSET as CRC_AT, LOG_OVERHEAD,
    crc32c,
};
use protocol::records::{
    Attributes, BatchHeader as HeaderView, ControlRecordType, NO_SEQUENCE, Record, increment_sequence,
};

use crate::producer_state::EndTxnMarker;

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
    /// Reads the fields from the front of `bytes`; `None` where there are too few, of another format, or with a length that no batch
    /// can have. Nothing else is checked.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let view = HeaderView::parse(bytes).ok()?;
        Some(Self {
            base_offset: view.base_offset(),
            batch_length: view.batch_length(),
            partition_leader_epoch: view.partition_leader_epoch(),
            magic: view.magic(),
            crc: view.crc(),
            attributes: view.attributes().0,
            last_offset_delta: view.last_offset_delta(),
            base_timestamp: view.base_timestamp(),
            max_timestamp: view.max_timestamp(),
            producer_id: view.producer_id(),
            producer_epoch: view.producer_epoch(),
            base_sequence: view.base_sequence(),
            records_count: view.records_count(),
        })
    }

    /// [`BatchHeader::parse`] of what lies on a disk or comes from another broker: `None` for offsets, too, that no batch can have.
    pub(crate) fn parse_stored(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes).filter(|header| header.last_offset_delta >= 0 && header.base_offset >= 0)
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
        Attributes(self.attributes).compression_id() != 0
    }

    /// Whether it belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        Attributes(self.attributes).is_transactional()
    }

    /// Whether it holds a control record.
    pub fn is_control(&self) -> bool {
        Attributes(self.attributes).is_control()
    }

    /// The sequence number of the last record; it wraps to 0 after `i32::MAX`. −1 without a producer.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            NO_SEQUENCE => NO_SEQUENCE,
            first => increment_sequence(first, self.last_offset_delta),
        }
    }
}

/// What a control batch says about its transaction; `None` for every other batch, and for an empty one.
pub fn end_txn_marker(header: &BatchHeader, mut records: &[u8]) -> Option<EndTxnMarker> {
    if !header.is_control() || header.records_count == 0 {
        return None;
    }
    let record = Record::read(&mut records).ok()?;
    match ControlRecordType::parse(record.key?)? {
        ControlRecordType::Abort | ControlRecordType::Commit => {}
        ControlRecordType::LeaderChange
        | ControlRecordType::SnapshotHeader
        | ControlRecordType::SnapshotFooter
        | ControlRecordType::KRaftVersion
        | ControlRecordType::KRaftVoters
        | ControlRecordType::Unknown(_) => return None,
    }
    // Behind the value's version (int16).
    let (_, coordinator_epoch) = record.value?.split_first_chunk::<2>()?;
    Some(EndTxnMarker {
        coordinator_epoch: i32::from_be_bytes(*coordinator_epoch.first_chunk()?),
        timestamp: header.base_timestamp + record.timestamp_delta,
    })
}
