//! The one batch that a Produce request may hold for a partition.

use bytes::Bytes;
use protocol::compression::CompressionType;

use crate::batch::{ATTRIBUTES_AT, LOG_OVERHEAD};
use crate::validate::ValidateError;

/// The shortest length that any format's batch can claim; anything below is no batch.
const MIN_BATCH_LENGTH: i32 = 14;

/// In all formats.
const MAGIC_AT: usize = 16;
/// A bit of the attributes' low byte.
const TRANSACTIONAL: u8 = 0x10;

/// Whether the first batch in `records` belongs to a transaction: what Kafka asks of every partition before it looks at any
/// (`RequestUtils.hasTransactionalRecords`). No whole batch, and one of an old format, belongs to none.
///
/// # Errors
/// [`ValidateError::CorruptMessage`] where a length or a magic says that no batch can stand there; Kafka then refuses the request as a
/// whole.
pub fn is_transactional(records: &[u8]) -> Result<bool, ValidateError> {
    let is_whole = next_batch_size(records)?.is_some();
    Ok(is_whole && records[MAGIC_AT] == 2 && records[ATTRIBUTES_AT + 1] & TRANSACTIONAL != 0)
}

/// The bytes of one whole batch of magic 2, of which only the length, the magic and the codec were looked at.
#[derive(Clone, Debug)]
pub struct OnlyBatch(Bytes);

impl OnlyBatch {
    /// Finds it in `records`: what Kafka looks at before anything else of a partition (`ProduceRequest.validateRecords`). `version` is
    /// that of the request: before 7 there is no Zstandard. Bytes behind the batch that are no whole batch themselves are dropped, as
    /// Kafka does.
    ///
    /// # Errors
    /// [`ValidateError::InvalidRecord`], [`ValidateError::CorruptMessage`], [`ValidateError::UnsupportedCompressionType`]
    pub fn find(records: &Bytes, version: i16) -> Result<Self, ValidateError> {
        let Some(size) = next_batch_size(records)? else {
            let message =
                format!("Produce requests with version {version} must have at least one record batch per partition");
            return Err(ValidateError::invalid(message));
        };
        if records[MAGIC_AT] != 2 {
            let message = format!(
                "Produce requests with version {version} are only allowed to contain record batches with magic version 2"
            );
            return Err(ValidateError::invalid(message));
        }
        let is_zstd = records
            .get(ATTRIBUTES_AT + 1)
            .is_some_and(|attributes| attributes & 7 == CompressionType::Zstd.id());
        if version < 7 && is_zstd {
            let message =
                format!("Produce requests with version {version} are not allowed to use ZStandard compression");
            return Err(ValidateError::UnsupportedCompressionType { message });
        }
        if next_batch_size(&records[size..])?.is_some() {
            let message = format!(
                "Produce requests with version {version} are only allowed to contain exactly one record batch per partition"
            );
            return Err(ValidateError::invalid(message));
        }
        Ok(Self(records.slice(..size)))
    }

    /// Its size as it came.
    pub fn size_in_bytes(&self) -> usize {
        self.0.len()
    }

    /// The batch's bytes and no others.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Bytes of the batch, of any format, at the start of `bytes`; `None` where no whole one is there.
fn next_batch_size(bytes: &[u8]) -> Result<Option<usize>, ValidateError> {
    let Some(length) = bytes.get(8..LOG_OVERHEAD).and_then(|length| length.first_chunk()) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(*length);
    if length < MIN_BATCH_LENGTH {
        let message = format!("Record size {length} is less than the minimum record overhead ({MIN_BATCH_LENGTH})");
        return Err(ValidateError::corrupt(message));
    }
    match bytes.get(MAGIC_AT) {
        Some(3..) => {
            return Err(ValidateError::corrupt(format!(
                "Invalid magic found in record: {}",
                bytes[MAGIC_AT]
            )));
        }
        Some(_) => {}
        None => return Ok(None),
    }
    let size = LOG_OVERHEAD + length as usize;
    Ok((bytes.len() >= size).then_some(size))
}
