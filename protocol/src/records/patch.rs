//! Changes to a batch in place, in a buffer that starts with it.
//!
//! Base offset and partition leader epoch lie outside the checksum; whatever else changes needs a new one.

use super::batch::{BatchError, RecordBatch, TimestampType};
use super::{ATTRIBUTES_OFFSET, CRC_OFFSET};

fn put<const N: usize>(batch: &mut [u8], at: usize, value: [u8; N]) {
    batch[at..at + N].copy_from_slice(&value);
}

/// Sets the offset of the first record.
///
/// # Panics
/// The buffer holds no batch; parse it first.
pub fn set_base_offset(batch: &mut [u8], base_offset: i64) {
    put(batch, 0, base_offset.to_be_bytes());
}

/// Sets the base offset so that the last record gets `last_offset`.
///
/// # Errors
/// The buffer holds no whole batch.
pub fn set_last_offset(batch: &mut [u8], last_offset: i64) -> Result<(), BatchError> {
    let delta = RecordBatch::parse(batch)?.last_offset_delta();
    set_base_offset(batch, last_offset - i64::from(delta));
    Ok(())
}

/// Sets the leader epoch under which the batch is appended.
///
/// # Panics
/// The buffer holds no batch; parse it first.
pub fn set_partition_leader_epoch(batch: &mut [u8], partition_leader_epoch: i32) {
    put(batch, 12, partition_leader_epoch.to_be_bytes());
}

/// Sets timestamp type and max timestamp, and the checksum if either changed.
///
/// # Errors
/// The buffer holds no whole batch.
pub fn set_max_timestamp(
    batch: &mut [u8],
    timestamp_type: TimestampType,
    max_timestamp: i64,
) -> Result<(), BatchError> {
    let view = RecordBatch::parse(batch)?;
    let attributes = view.attributes();
    if attributes.timestamp_type() == timestamp_type && view.max_timestamp() == max_timestamp {
        return Ok(());
    }
    put(
        batch,
        ATTRIBUTES_OFFSET,
        attributes.with_timestamp_type(timestamp_type).0.to_be_bytes(),
    );
    put(batch, 35, max_timestamp.to_be_bytes());
    update_crc(batch)
}

/// Sets the checksum to what the bytes give.
///
/// # Errors
/// The buffer holds no whole batch.
pub fn update_crc(batch: &mut [u8]) -> Result<(), BatchError> {
    let crc = RecordBatch::parse(batch)?.compute_crc();
    put(batch, CRC_OFFSET, crc.to_be_bytes());
    Ok(())
}
