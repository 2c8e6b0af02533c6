//! Builds a batch record by record.

use bytes::Bytes;

use super::batch::{Attributes, TimestampType};
use super::varint::{write_varint, write_varlong};
use super::{
    ATTRIBUTES_OFFSET, BATCH_HEADER_SIZE, CRC_OFFSET, LOG_OVERHEAD, MAGIC_V2, NO_PARTITION_LEADER_EPOCH,
    NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, crc32c,
};
use crate::compression::{self, CompressionError, CompressionType};

/// A batch in the making. Set what the header holds, append records, build.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    base_offset: i64,
    partition_leader_epoch: i32,
    attributes: Attributes,
    compression_type: CompressionType,
    compression_level: Option<i32>,
    base_timestamp: Option<i64>,
    max_timestamp: i64,
    log_append_time: Option<i64>,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    records_count: i32,
    last_offset_delta: i32,
    records: Vec<u8>,
    body: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        BatchBuilder {
            base_offset: 0,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            attributes: Attributes::default(),
            compression_type: CompressionType::None,
            compression_level: None,
            base_timestamp: None,
            max_timestamp: NO_TIMESTAMP,
            log_append_time: None,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            records_count: 0,
            last_offset_delta: -1,
            records: Vec::new(),
            body: Vec::new(),
        }
    }
}

impl BatchBuilder {
    /// An empty, uncompressed batch at offset 0 without producer id.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offset of the first record.
    #[must_use]
    pub fn base_offset(mut self, base_offset: i64) -> Self {
        self.base_offset = base_offset;
        self
    }

    /// Leader epoch under which the batch is appended.
    #[must_use]
    pub fn partition_leader_epoch(mut self, partition_leader_epoch: i32) -> Self {
        self.partition_leader_epoch = partition_leader_epoch;
        self
    }

    /// Codec, and its level if not the default one.
    #[must_use]
    pub fn compression(mut self, compression_type: CompressionType, level: Option<i32>) -> Self {
        self.compression_type = compression_type;
        self.compression_level = level;
        self
    }

    /// Makes the batch one of log append time.
    #[must_use]
    pub fn log_append_time(mut self, timestamp: i64) -> Self {
        self.log_append_time = Some(timestamp);
        self
    }

    /// Makes the batch idempotent.
    #[must_use]
    pub fn producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        self.producer_id = producer_id;
        self.producer_epoch = producer_epoch;
        self.base_sequence = base_sequence;
        self
    }

    /// Makes the batch part of a transaction, or not.
    #[must_use]
    pub fn transactional(mut self, transactional: bool) -> Self {
        self.attributes = self.attributes.with_transactional(transactional);
        self
    }

    /// Makes the batch one of control records, or not.
    #[must_use]
    pub fn control(mut self, control: bool) -> Self {
        self.attributes = self.attributes.with_control(control);
        self
    }

    /// How many records were appended.
    pub fn records_count(&self) -> i32 {
        self.records_count
    }

    /// Bytes that the batch has without compression.
    pub fn size_in_bytes(&self) -> usize {
        BATCH_HEADER_SIZE + self.records.len()
    }

    /// Appends a record at the next offset, without headers.
    pub fn append(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> &mut Self {
        self.append_with_headers(timestamp, key, value, &[])
    }

    /// Appends a record at the next offset.
    pub fn append_with_headers(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> &mut Self {
        self.append_at(self.last_offset_delta + 1, timestamp, key, value, headers)
    }

    /// Appends a record `offset_delta` after the base offset.
    ///
    /// # Panics
    /// The offset does not rise, or the record is larger than 2 GiB.
    pub fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> &mut Self {
        assert!(
            offset_delta > self.last_offset_delta,
            "offset delta {offset_delta} after {}",
            self.last_offset_delta
        );
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let body = &mut self.body;
        body.clear();
        body.push(0);
        write_varlong(body, timestamp.wrapping_sub(base_timestamp));
        write_varint(body, offset_delta);
        write_bytes(body, key);
        write_bytes(body, value);
        write_varint(body, length(headers.len()));
        for (key, value) in headers {
            write_bytes(body, Some(key));
            write_bytes(body, *value);
        }
        write_varint(&mut self.records, length(body.len()));
        self.records.extend_from_slice(body);
        self.last_offset_delta = offset_delta;
        self.records_count += 1;
        self
    }

    /// The finished batch.
    ///
    /// # Errors
    /// The codec has no such level.
    ///
    /// # Panics
    /// The batch is larger than 2 GiB.
    pub fn build(&self) -> Result<Bytes, CompressionError> {
        let records;
        let records: &[u8] = if self.compression_type == CompressionType::None {
            &self.records
        } else {
            records = compression::compress(self.compression_type, self.compression_level, &self.records)?;
            &records
        };
        let timestamp_type = match self.log_append_time {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        };
        let attributes = self
            .attributes
            .with_compression_type(self.compression_type)
            .with_timestamp_type(timestamp_type);
        let size = BATCH_HEADER_SIZE + records.len();
        let mut batch = Vec::with_capacity(size);
        batch.extend_from_slice(&self.base_offset.to_be_bytes());
        batch.extend_from_slice(&length(size - LOG_OVERHEAD).to_be_bytes());
        batch.extend_from_slice(&self.partition_leader_epoch.to_be_bytes());
        batch.push(MAGIC_V2 as u8);
        batch.extend_from_slice(&[0; 4]);
        batch.extend_from_slice(&attributes.0.to_be_bytes());
        batch.extend_from_slice(&self.last_offset_delta.max(0).to_be_bytes());
        batch.extend_from_slice(&self.base_timestamp.unwrap_or(NO_TIMESTAMP).to_be_bytes());
        batch.extend_from_slice(&self.log_append_time.unwrap_or(self.max_timestamp).to_be_bytes());
        batch.extend_from_slice(&self.producer_id.to_be_bytes());
        batch.extend_from_slice(&self.producer_epoch.to_be_bytes());
        batch.extend_from_slice(&self.base_sequence.to_be_bytes());
        batch.extend_from_slice(&self.records_count.to_be_bytes());
        batch.extend_from_slice(records);
        let crc = crc32c(&batch[ATTRIBUTES_OFFSET..]);
        batch[CRC_OFFSET..ATTRIBUTES_OFFSET].copy_from_slice(&crc.to_be_bytes());
        Ok(Bytes::from(batch))
    }
}

fn length(length: usize) -> i32 {
    match i32::try_from(length) {
        Ok(length) => length,
        Err(_) => panic!("a batch of {length} bytes is larger than its format allows"),
    }
}

fn write_bytes(output: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            write_varint(output, length(bytes.len()));
            output.extend_from_slice(bytes);
        }
        None => write_varint(output, -1),
    }
}
