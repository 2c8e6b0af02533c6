//! Record batches (magic 2), built once before a load starts.

use anyhow::Result;
use crc_fast::{CrcAlgorithm, checksum};
use std::io::Write;

/// How the records of a batch are compressed; the value is the codec in the batch's attributes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Codec {
    None = 0,
    Lz4 = 3,
}

/// One prebuilt batch.
pub struct Batch {
    pub bytes: Vec<u8>,
    pub records: u64,
    /// Bytes of the records' values, before compression: what every «GB» of the report counts.
    pub value_bytes: u64,
}

/// Bytes of a batch before its first record.
const HEADER_BYTES: usize = 61;

/// The largest batch of records with `value_bytes` each whose uncompressed size stays within `batch_bytes`; at least
/// one record.
pub fn build(batch_bytes: usize, value_bytes: usize, codec: Codec) -> Result<Batch> {
    let mut words = Words(0x9e37_79b9_7f4a_7c15);
    let mut records = Vec::with_capacity(batch_bytes);
    let mut count = 0;
    loop {
        let record = record(count, &words.text(value_bytes));
        if count > 0 && HEADER_BYTES + records.len() + record.len() > batch_bytes {
            break;
        }
        records.extend_from_slice(&record);
        count += 1;
        if batch_bytes <= value_bytes {
            break;
        }
    }
    if codec == Codec::Lz4 {
        // Java clients write independent blocks, and Kafka reads no others.
        let mut encoder = lz4::EncoderBuilder::new()
            .block_mode(lz4::BlockMode::Independent)
            .build(Vec::new())?;
        encoder.write_all(&records)?;
        let (compressed, finished) = encoder.finish();
        finished?;
        records = compressed;
    }
    let records_in_batch = u64::try_from(count)?;
    Ok(Batch {
        bytes: seal(&records, i32::try_from(count)?, codec),
        records: records_in_batch,
        value_bytes: records_in_batch * value_bytes as u64,
    })
}

/// The batch header in front of `records`, with length and checksum.
fn seal(records: &[u8], count: i32, codec: Codec) -> Vec<u8> {
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64);
    let mut checked = Vec::with_capacity(records.len() + 40);
    checked.extend_from_slice(&(codec as i16).to_be_bytes());
    checked.extend_from_slice(&(count - 1).to_be_bytes());
    checked.extend_from_slice(&now_ms.to_be_bytes());
    checked.extend_from_slice(&now_ms.to_be_bytes());
    checked.extend_from_slice(&(-1i64).to_be_bytes()); // producer id
    checked.extend_from_slice(&(-1i16).to_be_bytes()); // producer epoch
    checked.extend_from_slice(&(-1i32).to_be_bytes()); // base sequence
    checked.extend_from_slice(&count.to_be_bytes());
    checked.extend_from_slice(records);

    let mut batch = Vec::with_capacity(checked.len() + 21);
    batch.extend_from_slice(&0i64.to_be_bytes()); // base offset
    batch.extend_from_slice(&(checked.len() as i32 + 9).to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes()); // partition leader epoch
    batch.push(2); // magic
    batch.extend_from_slice(&(checksum(CrcAlgorithm::Crc32Iscsi, &checked) as u32).to_be_bytes());
    batch.extend_from_slice(&checked);
    batch
}

fn record(offset_delta: i64, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0]; // attributes
    varint(&mut body, 0); // timestamp delta
    varint(&mut body, offset_delta);
    varint(&mut body, -1); // no key
    varint(&mut body, value.len() as i64);
    body.extend_from_slice(value);
    varint(&mut body, 0); // no headers
    let mut record = Vec::with_capacity(body.len() + 5);
    varint(&mut record, body.len() as i64);
    record.extend_from_slice(&body);
    record
}

/// Zigzag varint, as records use it.
fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Text that compresses about as well as log lines do, the same in every run.
pub struct Words(pub u64);

impl Words {
    pub fn text(&mut self, length: usize) -> Vec<u8> {
        const WORDS: [&str; 16] = [
            "accepted ",
            "broker ",
            "client ",
            "delivered ",
            "epoch ",
            "fetch ",
            "group ",
            "leader ",
            "message ",
            "offset ",
            "partition ",
            "request ",
            "segment ",
            "timeout ",
            "topic ",
            "value ",
        ];
        let mut text = Vec::with_capacity(length + 24);
        while text.len() < length {
            let random = self.next();
            text.extend_from_slice(WORDS[random as usize % WORDS.len()].as_bytes());
            if random >> 32 & 1 == 0 {
                text.extend_from_slice(format!("{:06x} ", random >> 40).as_bytes());
            }
        }
        text.truncate(length);
        text
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_fills_its_size_and_states_its_own_length() {
        let batch = build(16 * 1024, 1024, Codec::None).unwrap();
        assert_eq!(batch.records, 15);
        assert!(batch.bytes.len() <= 16 * 1024);
        let length = i32::from_be_bytes(batch.bytes[8..12].try_into().unwrap());
        assert_eq!(length as usize + 12, batch.bytes.len());
    }

    #[test]
    fn one_record_is_the_least() {
        assert_eq!(build(1, 100, Codec::None).unwrap().records, 1);
    }

    #[test]
    fn the_text_compresses_like_log_lines() {
        let plain = build(1_000_000, 1024, Codec::None).unwrap().bytes.len();
        let packed = build(1_000_000, 1024, Codec::Lz4).unwrap().bytes.len();
        assert!(packed * 3 < plain * 2 && packed * 8 > plain, "{packed} of {plain}");
    }
}
