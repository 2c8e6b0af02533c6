//! What really lies in a broker's log files: batch headers, read without any of Sordini's own code.

use std::fs;
use std::path::Path;

/// The fields of a stored batch that tests ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Record format; 2 today.
    pub magic: i8,
    /// Codec by Kafka's name.
    pub codec: &'static str,
    /// Whether the broker's clock made the timestamp.
    pub log_append_time: bool,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// Sequence of the first record, -1 without idempotence.
    pub base_sequence: i32,
    /// How many records it claims.
    pub record_count: i32,
}

/// Every batch of one partition, over all its segments in order.
pub fn batches(log_dir: &Path, topic: &str, partition: u32) -> Vec<StoredBatch> {
    let directory = log_dir.join(format!("{topic}-{partition}"));
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("read {}: {error}", directory.display()));
    let mut segments: Vec<_> = entries
        .map(|entry| entry.expect("read a directory entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    segments.sort();
    let mut found = Vec::new();
    for segment in segments {
        parse(&fs::read(&segment).expect("read a segment"), &mut found);
    }
    found
}

const FIXED_PART: usize = 61;
const LENGTH_AND_OFFSET: usize = 12;

/// Stops at the first zero length: a running broker may have preallocated the rest.
fn parse(mut bytes: &[u8], found: &mut Vec<StoredBatch>) {
    while bytes.len() >= FIXED_PART {
        let length = i32_at(bytes, 8);
        if length == 0 {
            return;
        }
        let attributes = i16_at(bytes, 21);
        found.push(StoredBatch {
            base_offset: i64_at(bytes, 0),
            magic: bytes[16] as i8,
            codec: codec(attributes & 7),
            log_append_time: attributes & 8 != 0,
            producer_id: i64_at(bytes, 43),
            base_sequence: i32_at(bytes, 53),
            record_count: i32_at(bytes, 57),
        });
        bytes = &bytes[LENGTH_AND_OFFSET + usize::try_from(length).expect("a length is positive")..];
    }
}

fn codec(bits: i16) -> &'static str {
    ["none", "gzip", "snappy", "lz4", "zstd"]
        .get(bits as usize)
        .copied()
        .unwrap_or("unknown")
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
