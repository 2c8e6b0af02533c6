//! One record of a batch, read from inflated bytes without copying any.

use super::varint::{read_varint, read_varlong};

/// Why bytes are no record. Kafka answers INVALID_RECORD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end within a record.
    #[error("the records end too early")]
    Short,
    /// A varint that does not end.
    #[error("malformed varint in a record")]
    Varint,
    /// A record whose content does not fill its size.
    #[error("a record claims {claimed} bytes and holds {held}")]
    Size {
        /// What its size says.
        claimed: i32,
        /// What its fields take.
        held: usize,
    },
    /// More headers than there can be.
    #[error("a record with {0} headers")]
    HeadersCount(i32),
    /// A header without a key.
    #[error("a header without a key")]
    HeaderKey,
    /// A batch with a negative number of records.
    #[error("a batch with {0} records")]
    RecordsCount(i32),
    /// Bytes behind the last record.
    #[error("bytes behind the last record")]
    Trailing,
}

/// One record. Offset and timestamp are relative to its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Bytes of the record, its size field included.
    pub size_in_bytes: usize,
    /// Unused so far.
    pub attributes: i8,
    /// Milliseconds after the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Offset after the batch's base offset.
    pub offset_delta: i32,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value; null is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// A record's headers; read one by one, already known to be well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

/// One header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// UTF-8 by convention; nobody checks it.
    pub key: &'a [u8],
    /// The value, or null.
    pub value: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes` and moves them behind it.
    ///
    /// # Errors
    /// The bytes are no record.
    pub fn read(bytes: &mut &'a [u8]) -> Result<Self, RecordError> {
        let start = bytes.len();
        let claimed = read_varint(bytes)?;
        let size_field = start - bytes.len();
        let size = usize::try_from(claimed).map_err(|_| RecordError::Size { claimed, held: 0 })?;
        let mut body = bytes.get(..size).ok_or(RecordError::Short)?;
        let record = Self::read_body(&mut body, size_field + size)?;
        if !body.is_empty() {
            return Err(RecordError::Size {
                claimed,
                held: size - body.len(),
            });
        }
        *bytes = &bytes[size..];
        Ok(record)
    }

    fn read_body(body: &mut &'a [u8], size_in_bytes: usize) -> Result<Self, RecordError> {
        let (&attributes, rest) = body.split_first().ok_or(RecordError::Short)?;
        *body = rest;
        let timestamp_delta = read_varlong(body)?;
        let offset_delta = read_varint(body)?;
        let key = read_bytes(body)?;
        let value = read_bytes(body)?;
        let headers = Headers::read(body)?;
        let attributes = attributes as i8;
        Ok(Record {
            size_in_bytes,
            attributes,
            timestamp_delta,
            offset_delta,
            key,
            value,
            headers,
        })
    }
}

/// Kafka takes any negative length for null.
#[inline]
fn read_bytes<'a>(body: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordError> {
    let Ok(length) = usize::try_from(read_varint(body)?) else {
        return Ok(None);
    };
    let (value, rest) = body.split_at_checked(length).ok_or(RecordError::Short)?;
    *body = rest;
    Ok(Some(value))
}

impl<'a> Headers<'a> {
    fn read(body: &mut &'a [u8]) -> Result<Self, RecordError> {
        let claimed = read_varint(body)?;
        let count = usize::try_from(claimed).map_err(|_| RecordError::HeadersCount(claimed))?;
        if count > body.len() {
            return Err(RecordError::HeadersCount(claimed));
        }
        let bytes = *body;
        for _ in 0..count {
            Header::read(body)?;
        }
        Ok(Headers {
            count,
            bytes: &bytes[..bytes.len() - body.len()],
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers in order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut rest = self.bytes;
        // They were read once already; an error ends the iteration and cannot happen.
        (0..self.count).map_while(move |_| Header::read(&mut rest).ok())
    }
}

impl<'a> Header<'a> {
    fn read(body: &mut &'a [u8]) -> Result<Self, RecordError> {
        let key = read_bytes(body)?.ok_or(RecordError::HeaderKey)?;
        let value = read_bytes(body)?;
        Ok(Header { key, value })
    }
}

/// The records of a batch, in order. Ends behind the first error; after the last record no bytes may be left.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    left: i32,
    bytes: &'a [u8],
    failed: bool,
}

impl<'a> Records<'a> {
    /// `count` records in inflated `bytes`.
    ///
    /// # Errors
    /// `count` is negative.
    pub fn new(count: i32, bytes: &'a [u8]) -> Result<Self, RecordError> {
        if count < 0 {
            return Err(RecordError::RecordsCount(count));
        }
        Ok(Records {
            left: count,
            bytes,
            failed: false,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 || self.failed {
            return None;
        }
        self.left -= 1;
        let record = match Record::read(&mut self.bytes) {
            Ok(_) if self.left == 0 && !self.bytes.is_empty() => Err(RecordError::Trailing),
            record => record,
        };
        self.failed = record.is_err();
        Some(record)
    }
}

/// What a control record says; the second int16 of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecordType {
    /// End of an aborted transaction.
    Abort,
    /// End of a committed transaction.
    Commit,
    /// A new leader of the Raft quorum.
    LeaderChange,
    /// Start of a Raft snapshot.
    SnapshotHeader,
    /// End of a Raft snapshot.
    SnapshotFooter,
    /// The version of the Raft protocol.
    KRaftVersion,
    /// The voters of the Raft quorum.
    KRaftVoters,
    /// A type that this crate does not know; Kafka skips such records.
    Unknown(i16),
}

impl ControlRecordType {
    /// Reads a control record's key: version and type. `None` when it is no such key.
    pub fn parse(key: &[u8]) -> Option<Self> {
        let [a, b, c, d, ..] = *key else { return None };
        if i16::from_be_bytes([a, b]) < 0 {
            return None;
        }
        Some(match i16::from_be_bytes([c, d]) {
            0 => ControlRecordType::Abort,
            1 => ControlRecordType::Commit,
            2 => ControlRecordType::LeaderChange,
            3 => ControlRecordType::SnapshotHeader,
            4 => ControlRecordType::SnapshotFooter,
            5 => ControlRecordType::KRaftVersion,
            6 => ControlRecordType::KRaftVoters,
            other => ControlRecordType::Unknown(other),
        })
    }

    /// The number on the wire.
    pub fn id(self) -> i16 {
        match self {
            ControlRecordType::Abort => 0,
            ControlRecordType::Commit => 1,
            ControlRecordType::LeaderChange => 2,
            ControlRecordType::SnapshotHeader => 3,
            ControlRecordType::SnapshotFooter => 4,
            ControlRecordType::KRaftVersion => 5,
            ControlRecordType::KRaftVoters => 6,
            ControlRecordType::Unknown(id) => id,
        }
    }

    /// A control record's key of version 0.
    pub fn to_key(self) -> [u8; 4] {
        let [c, d] = self.id().to_be_bytes();
        [0, 0, c, d]
    }
}
