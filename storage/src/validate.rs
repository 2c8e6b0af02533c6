//! What a leader checks of a batch from a client before it may enter the log, and what it sets in it. Pure; no offset is needed,
//! so that it runs before the partition's lock is taken.

use bytes::Bytes;

use crate::batch::{ATTRIBUTES_AT, BATCH_HEADER_LEN, BatchHeader, crc32c};
use crate::log_config::LogConfig;

/// What the topic and the request say about the batch.
#[derive(Clone, Copy, Debug)]
pub struct ValidateOptions<'a> {
    /// The topic's settings.
    pub config: &'a LogConfig,
    /// The version of the Produce request: before 7 there is no Zstandard.
    pub produce_version: i16,
}

/// A batch that may be appended: its header, which still lacks offset and leader epoch, and its records, untouched.
#[derive(Clone, Debug)]
pub struct ValidatedBatch {
    header: BatchHeader,
    head: [u8; BATCH_HEADER_LEN],
    body: Bytes,
    log_append_time_ms: i64,
}

impl ValidatedBatch {
    /// The header's fields; `base_offset` counts from 0 until the append assigns it.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The broker's time where `message.timestamp.type` is `LogAppendTime`, else −1.
    pub fn log_append_time_ms(&self) -> i64 {
        self.log_append_time_ms
    }

    /// Bytes of the whole batch.
    pub fn size_in_bytes(&self) -> usize {
        BATCH_HEADER_LEN + self.body.len()
    }

    /// The header and its bytes as they will stand at `base_offset`, and the records. Neither field is under the checksum.
    pub(crate) fn placed_at(
        &self,
        base_offset: i64,
        leader_epoch: i32,
    ) -> (BatchHeader, [u8; BATCH_HEADER_LEN], Bytes) {
        let header = BatchHeader {
            base_offset,
            partition_leader_epoch: leader_epoch,
            ..self.header
        };
        let mut head = self.head;
        head[..8].copy_from_slice(&base_offset.to_be_bytes());
        head[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
        (header, head, self.body.clone())
    }
}

/// One record that was refused (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The record's place in its batch, from 0.
    pub batch_index: i32,
    /// Why.
    pub message: String,
}

/// Why a batch was refused; nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidateError {
    /// `INVALID_RECORD`.
    #[error("{message}")]
    InvalidRecord {
        /// For the client.
        message: String,
        /// The records at fault, where it is not the batch.
        record_errors: Vec<RecordError>,
    },
    /// `INVALID_TIMESTAMP`.
    #[error("One or more records have been rejected due to invalid timestamp")]
    InvalidTimestamp {
        /// The records at fault.
        record_errors: Vec<RecordError>,
    },
    /// `CORRUPT_MESSAGE`.
    #[error("{message}")]
    CorruptMessage {
        /// For the client.
        message: String,
    },
    /// `MESSAGE_TOO_LARGE`.
    #[error("The record batch size is {size} bytes which exceeds the maximum configured value of {max_message_bytes}")]
    RecordTooLarge {
        /// Bytes of the batch.
        size: usize,
        /// `max.message.bytes`.
        max_message_bytes: i32,
    },
    /// `UNSUPPORTED_COMPRESSION_TYPE`.
    #[error("{message}")]
    UnsupportedCompressionType {
        /// For the client.
        message: String,
    },
}

impl ValidateError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidRecord {
            message: message.into(),
            record_errors: Vec::new(),
        }
    }
}

/// Checks what a client sent for one partition: exactly one batch of magic 2.
pub fn validate(records: Bytes, options: &ValidateOptions<'_>, _now_ms: i64) -> Result<ValidatedBatch, ValidateError> {
    let one_batch = || ValidateError::invalid("A produce request holds exactly one record batch per partition");
    let header = BatchHeader::parse(&records).ok_or_else(one_batch)?;
    if header.magic != 2 {
        return Err(ValidateError::invalid(format!(
            "Record batches must have magic 2, not {}",
            header.magic
        )));
    }
    if header.batch_length < 49 || header.size_in_bytes() != records.len() {
        return Err(one_batch());
    }
    if header.base_offset != 0 {
        let message = format!(
            "The base offset of the record batch should be 0, but it is {}",
            header.base_offset
        );
        return Err(ValidateError::invalid(message));
    }
    if records.len() > options.config.max_message_bytes.max(0) as usize {
        let max_message_bytes = options.config.max_message_bytes;
        return Err(ValidateError::RecordTooLarge {
            size: records.len(),
            max_message_bytes,
        });
    }
    if crc32c(&records[ATTRIBUTES_AT..]) != header.crc {
        return Err(ValidateError::CorruptMessage {
            message: format!("Record is corrupt (stored crc = {})", header.crc),
        });
    }
    validate_batch(&header)?;
    let mut head = [0; BATCH_HEADER_LEN];
    head.copy_from_slice(&records[..BATCH_HEADER_LEN]);
    Ok(ValidatedBatch {
        header,
        head,
        body: records.slice(BATCH_HEADER_LEN..),
        log_append_time_ms: -1,
    })
}

fn validate_batch(header: &BatchHeader) -> Result<(), ValidateError> {
    let count = i64::from(header.records_count);
    let count_from_offsets = i64::from(header.last_offset_delta) + 1;
    if count_from_offsets <= 0 {
        let message = format!("Batch has an invalid offset range: [0, {}]", header.last_offset_delta);
        return Err(ValidateError::invalid(message));
    }
    if count <= 0 {
        return Err(ValidateError::invalid(format!(
            "Invalid reported count for record batch: {count}"
        )));
    }
    if count_from_offsets != count {
        let range = format!("[0, {}]", header.last_offset_delta);
        return Err(ValidateError::invalid(format!(
            "Inconsistent batch offset range {range} and count of records {count}"
        )));
    }
    if header.is_control() {
        return Err(ValidateError::invalid(
            "Clients are not allowed to write control records",
        ));
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        let (sequence, producer) = (header.base_sequence, header.producer_id);
        let message = format!("Invalid sequence number {sequence} in record batch with producerId {producer}");
        return Err(ValidateError::invalid(message));
    }
    Ok(())
}
