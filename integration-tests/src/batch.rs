//! Record batches, written by hand: a right one, and any number of wrong ones made from it.

use crate::wire::{Body, crc32c};
use std::time::{SystemTime, UNIX_EPOCH};

/// A batch of magic 2, every header field free to lie.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Offset of the first record; clients send 0.
    pub base_offset: i64,
    /// What is added to the true length.
    pub length_error: i32,
    /// Record format.
    pub magic: i8,
    /// What the checksum is xored with.
    pub crc_error: u32,
    /// Codec in the lowest three bits, then timestamp type, transactional, control.
    pub attributes: i16,
    /// Number of records less one, when it is right.
    pub last_offset_delta: i32,
    /// Milliseconds.
    pub base_timestamp: i64,
    /// Milliseconds.
    pub max_timestamp: i64,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// -1 without idempotence.
    pub producer_epoch: i16,
    /// -1 without idempotence.
    pub base_sequence: i32,
    /// How many records it says that it holds.
    pub record_count: i32,
    /// The records, compressed as the attributes say.
    pub records: Vec<u8>,
}

/// The time, as a batch holds it.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    since.as_millis().try_into().expect("a sane clock")
}

/// One record as a batch holds it.
pub fn record(offset_delta: i64, timestamp_delta: i64, key: Option<&[u8]>, value: &[u8]) -> Vec<u8> {
    let body = Body::new().i8(0).varint(timestamp_delta).varint(offset_delta);
    let body = match key {
        Some(key) => body.varint(key.len() as i64).raw(key),
        None => body.varint(-1),
    };
    let body = body.varint(value.len() as i64).raw(value).varint(0);
    Body::new().varint(body.0.len() as i64).raw(&body.0).0
}

impl Batch {
    /// A right batch of `count` small records with keys, made at `timestamp`.
    pub fn of(count: i32, timestamp: i64) -> Batch {
        let records = (0..i64::from(count)).flat_map(|n| record(n, 0, Some(b"key"), format!("value-{n}").as_bytes()));
        Batch {
            base_offset: 0,
            length_error: 0,
            magic: 2,
            crc_error: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: timestamp,
            max_timestamp: timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: count,
            records: records.collect(),
        }
    }

    /// The same with a producer's id, epoch and first sequence.
    pub fn by(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Batch {
        self.producer_id = producer_id;
        self.producer_epoch = producer_epoch;
        self.base_sequence = base_sequence;
        self
    }

    /// As bytes; the checksum is right but for `crc_error`.
    pub fn bytes(&self) -> Vec<u8> {
        let checked = Body::new()
            .i16(self.attributes)
            .i32(self.last_offset_delta)
            .i64(self.base_timestamp)
            .i64(self.max_timestamp)
            .i64(self.producer_id)
            .i16(self.producer_epoch)
            .i32(self.base_sequence)
            .i32(self.record_count)
            .raw(&self.records);
        let crc = crc32c(&checked.0) ^ self.crc_error;
        let length = i32::try_from(checked.0.len()).expect("a batch of a test is small") + 9;
        let head = Body::new()
            .i64(self.base_offset)
            .i32(length + self.length_error)
            .i32(-1)
            .i8(self.magic);
        head.raw(&crc.to_be_bytes()).raw(&checked.0).0
    }
}

/// Offset and value of every record in a row of uncompressed batches; a batch that is cut off at the end is left out.
pub fn parse_records(mut bytes: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let mut found = Vec::new();
    while bytes.len() > HEADER_BYTES {
        let length = i32::from_be_bytes(bytes[8..12].try_into().expect("four bytes"));
        let end = 12 + usize::try_from(length).expect("a length is positive");
        if end > bytes.len() {
            break;
        }
        assert_eq!(bytes[22] & 7, 0, "a compressed batch");
        let base_offset = i64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"));
        let mut records = &bytes[HEADER_BYTES..end];
        while !records.is_empty() {
            let size = take_varint(&mut records);
            let (record, rest) = records.split_at(size.try_into().expect("a size is positive"));
            let (offset_delta, value) = parse_record(record);
            found.push((base_offset + offset_delta, value));
            records = rest;
        }
        bytes = &bytes[end..];
    }
    found
}

const HEADER_BYTES: usize = 61;

fn parse_record(mut record: &[u8]) -> (i64, Vec<u8>) {
    record = &record[1..];
    let _timestamp_delta = take_varint(&mut record);
    let offset_delta = take_varint(&mut record);
    let key = take_varint(&mut record).max(0) as usize;
    record = &record[key..];
    let value = take_varint(&mut record).max(0) as usize;
    (offset_delta, record[..value].to_vec())
}

fn take_varint(bytes: &mut &[u8]) -> i64 {
    let mut zigzag = 0u64;
    for (place, byte) in bytes.iter().enumerate() {
        zigzag |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            *bytes = &bytes[place + 1..];
            return (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        }
    }
    panic!("a number without an end");
}
