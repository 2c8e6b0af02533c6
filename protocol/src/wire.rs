//! The wire itself: [`Reader`], [`Writer`], [`Chunk`], the primitive types and the `messages!` macro that declares a
//! message as a table.

mod chunk;
mod error;
mod field;
mod message;
mod reader;
#[cfg(test)]
mod tests;
mod utf8_bytes;
mod uuid;
mod writer;

pub use chunk::{Chunk, FileRange};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
pub use field::{Context, Field, Nullable};
pub use message::{Message, NEVER, Versions};
pub(crate) use message::{decode_message, default_value, differs, encode_message, messages};
pub use reader::{MAX_TAGGED_FIELDS, Reader};
pub use utf8_bytes::Utf8Bytes;
pub use uuid::{TopicId, Uuid, UuidParseError};
pub use writer::Writer;
