//! Every codec of Kafka's records, both ways, each within a limit.
//!
//! Formats as Kafka's clients write them: gzip; snappy in xerial's framing (raw snappy is read too); lz4 frames of independent
//! blocks; zstd. What is read leniently follows Kafka's own decoders: trailing bytes behind a gzip member or an lz4 end mark
//! are ignored, the content checksum of lz4 is not verified, gzip members and zstd frames may follow one another.

mod inflater;
mod lz4_frame;
#[cfg(test)]
mod tests;
mod xerial;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use bytes::Bytes;

pub use inflater::Inflater;

/// A codec of record batches; the number is that of the low three bits of a batch's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum CompressionType {
    /// Not compressed.
    #[default]
    None = 0,
    /// gzip.
    Gzip = 1,
    /// snappy in xerial's framing.
    Snappy = 2,
    /// lz4 frames.
    Lz4 = 3,
    /// zstd (KIP-110).
    Zstd = 4,
}

/// A codec's number or name that Kafka does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression type {0}")]
pub struct UnknownCompressionType(String);

/// Why bytes could not be inflated or deflated.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    /// The content is larger than allowed.
    #[error("{compression_type} content is larger than the limit of {limit} bytes")]
    Limit {
        /// The codec.
        compression_type: CompressionType,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The bytes are not what the codec writes.
    #[error("malformed {compression_type} content: {reason}")]
    Malformed {
        /// The codec.
        compression_type: CompressionType,
        /// What is wrong.
        reason: &'static str,
    },
    /// The codec itself refused.
    #[error("{}", named(*compression_type, source))]
    Codec {
        /// The codec.
        compression_type: CompressionType,
        /// What it said.
        source: io::Error,
    },
    /// A level that the codec does not have.
    #[error("{compression_type} has no compression level {level}")]
    Level {
        /// The codec.
        compression_type: CompressionType,
        /// The level.
        level: i32,
    },
}

/// What a codec said, with its name: some of them say it themselves.
fn named(compression_type: CompressionType, source: &io::Error) -> String {
    let said = source.to_string();
    match said.contains(compression_type.name()) {
        true => said,
        false => format!("{compression_type}: {said}"),
    }
}

impl CompressionType {
    /// Every codec, `None` included, by number.
    pub const ALL: [CompressionType; 5] = [
        CompressionType::None,
        CompressionType::Gzip,
        CompressionType::Snappy,
        CompressionType::Lz4,
        CompressionType::Zstd,
    ];

    /// The number in a batch's attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The codec with this number.
    ///
    /// # Errors
    /// Kafka has no such codec.
    pub fn from_id(id: u8) -> Result<Self, UnknownCompressionType> {
        Self::ALL
            .get(usize::from(id))
            .copied()
            .ok_or_else(|| UnknownCompressionType(id.to_string()))
    }

    /// The name in configurations: `none`, `gzip`, `snappy`, `lz4`, `zstd`.
    pub fn name(self) -> &'static str {
        match self {
            CompressionType::None => "none",
            CompressionType::Gzip => "gzip",
            CompressionType::Snappy => "snappy",
            CompressionType::Lz4 => "lz4",
            CompressionType::Zstd => "zstd",
        }
    }

    /// The level used when none is configured (KIP-390); `None` for codecs without levels. gzip's −1 leaves it to zlib.
    pub fn default_level(self) -> Option<i32> {
        match self {
            CompressionType::None | CompressionType::Snappy => None,
            CompressionType::Gzip => Some(-1),
            CompressionType::Lz4 => Some(9),
            CompressionType::Zstd => Some(3),
        }
    }

    /// Whether the codec has this level (KIP-390): gzip 1 to 9 and −1, lz4 1 to 17, zstd −131072 to 22.
    pub fn has_level(self, level: i32) -> bool {
        match self {
            CompressionType::None | CompressionType::Snappy => false,
            CompressionType::Gzip => level == -1 || (1..=9).contains(&level),
            CompressionType::Lz4 => (1..=17).contains(&level),
            CompressionType::Zstd => (-131_072..=22).contains(&level),
        }
    }

    fn malformed(self, reason: &'static str) -> CompressionError {
        CompressionError::Malformed {
            compression_type: self,
            reason,
        }
    }

    fn codec(self, source: io::Error) -> CompressionError {
        CompressionError::Codec {
            compression_type: self,
            source,
        }
    }
}

impl fmt::Display for CompressionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CompressionType {
    type Err = UnknownCompressionType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name() == name)
            .ok_or_else(|| UnknownCompressionType(name.to_owned()))
    }
}

/// Inflates `input` as a whole. Memory grows with what comes out, never by a number that the input claims, and stops at
/// `limit` bytes.
///
/// # Errors
/// The input is malformed or holds more than `limit` bytes.
pub fn decompress(compression_type: CompressionType, input: &[u8], limit: usize) -> Result<Bytes, CompressionError> {
    let mut inflater = Inflater::new(compression_type, input, limit)?;
    let mut output = Vec::new();
    while let Some(chunk) = inflater.next_chunk()? {
        output.extend_from_slice(chunk);
    }
    Ok(Bytes::from(output))
}

/// Compresses `input` at `level`, or at the codec's default.
///
/// # Errors
/// The codec has no such level.
pub fn compress(
    compression_type: CompressionType,
    level: Option<i32>,
    input: &[u8],
) -> Result<Bytes, CompressionError> {
    let level = match level {
        Some(level) if !compression_type.has_level(level) => {
            return Err(CompressionError::Level {
                compression_type,
                level,
            });
        }
        level => level.or(compression_type.default_level()).unwrap_or_default(),
    };
    let output = match compression_type {
        CompressionType::None => return Ok(Bytes::copy_from_slice(input)),
        CompressionType::Gzip => gzip(level, input),
        CompressionType::Snappy => xerial::compress(input),
        CompressionType::Lz4 => lz4_frame::compress(level, input),
        CompressionType::Zstd => zstd::bulk::compress(input, level),
    };
    output.map(Bytes::from).map_err(|source| compression_type.codec(source))
}

fn gzip(level: i32, input: &[u8]) -> io::Result<Vec<u8>> {
    let level = match u32::try_from(level) {
        Ok(level) => flate2::Compression::new(level),
        Err(_) => flate2::Compression::default(),
    };
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(input.len() / 2), level);
    encoder.write_all(input)?;
    encoder.finish()
}
