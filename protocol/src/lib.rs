//! Kafka's wire protocol: message tables, records, compression; pure.
//!
//! Nothing in here opens, reads or writes anything: a frame comes in as [`bytes::Bytes`], a message goes out as a list of
//! [`wire::Chunk`]s.

pub mod api_key;
pub mod compression;
pub mod coordinator_records;
pub mod error_code;
pub mod header;
pub mod messages;
pub mod records;
#[cfg(feature = "testing")]
pub mod testing;
mod topic_partition;
pub mod wire;

pub use api_key::ApiKey;
pub use compression::CompressionType;
pub use error_code::ErrorCode;
pub use topic_partition::TopicPartition;
pub use wire::{
    Chunk, DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, FileRange, Message, Reader, TopicId, Utf8Bytes,
    Uuid, Writer,
};
