//! snappy as Java's `SnappyOutputStream` frames it: a header, then blocks of 32 KiB, each preceded by its length.
//!
//! ```text
//! 82 53 4E 41 50 50 59 00 | version 00 00 00 01 | oldest compatible version 00 00 00 01 | (length int32 | raw snappy)*
//! ```

use std::io;

use super::{CompressionError, CompressionType};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER: usize = 16;
const BLOCK: usize = 32 * 1024;

/// No snappy block inflates further: its densest element makes 64 bytes out of three.
const MAX_RATIO: usize = 22;

pub(super) fn compress(input: &[u8]) -> io::Result<Vec<u8>> {
    let mut output = Vec::with_capacity(HEADER + input.len() / 2);
    output.extend_from_slice(&MAGIC);
    output.extend_from_slice(&1i32.to_be_bytes());
    output.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in input.chunks(BLOCK) {
        let start = output.len();
        output.resize(start + 4 + snap::raw::max_compress_len(block.len()), 0);
        let length = encoder.compress(block, &mut output[start + 4..])?;
        output[start..start + 4].copy_from_slice(&(length as i32).to_be_bytes());
        output.truncate(start + 4 + length);
    }
    Ok(output)
}

pub(super) struct Xerial<'a> {
    rest: &'a [u8],
    /// Content without a header is one raw block.
    raw: bool,
    decoder: snap::raw::Decoder,
    buffer: Vec<u8>,
}

fn malformed(reason: &'static str) -> CompressionError {
    CompressionType::Snappy.malformed(reason)
}

impl<'a> Xerial<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, CompressionError> {
        if input.is_empty() {
            return Err(malformed("it is empty"));
        }
        let mut rest = input;
        let framed = input.len() >= HEADER && input.starts_with(&MAGIC);
        if framed {
            rest = read_header(input)?;
        }
        Ok(Xerial {
            rest,
            raw: !framed,
            decoder: snap::raw::Decoder::new(),
            buffer: Vec::new(),
        })
    }

    /// `left` of `limit` is what may still come out; a block that claims more is not inflated.
    pub(super) fn next_chunk(&mut self, left: usize, limit: usize) -> Result<Option<&[u8]>, CompressionError> {
        loop {
            let block = if self.raw {
                std::mem::take(&mut self.rest)
            } else {
                // Streams may follow one another.
                if self.rest.starts_with(&MAGIC) {
                    self.rest = read_header(self.rest)?;
                }
                // Kafka takes fewer than four bytes at the end for the end.
                let Some((length, rest)) = self.rest.split_first_chunk::<4>() else {
                    return Ok(None);
                };
                let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| malformed("negative length"))?;
                if length > rest.len() {
                    return Err(malformed("a block is longer than what is left"));
                }
                let (block, rest) = rest.split_at(length);
                self.rest = rest;
                block
            };
            if block.is_empty() {
                if self.raw {
                    return Ok(None);
                }
                return Err(malformed("an empty block"));
            }
            let codec = |error: snap::Error| CompressionType::Snappy.codec(error.into());
            let length = snap::raw::decompress_len(block).map_err(codec)?;
            if length > block.len().saturating_mul(MAX_RATIO) {
                return Err(malformed("a block claims more than it can hold"));
            }
            if length > left {
                return Err(CompressionError::Limit {
                    compression_type: CompressionType::Snappy,
                    limit,
                });
            }
            self.buffer.resize(length, 0);
            let length = self.decoder.decompress(block, &mut self.buffer).map_err(codec)?;
            if length > 0 {
                return Ok(Some(&self.buffer[..length]));
            }
        }
    }
}

fn read_header(input: &[u8]) -> Result<&[u8], CompressionError> {
    let Some((header, rest)) = input.split_first_chunk::<HEADER>() else {
        return Err(malformed("it ends within its header"));
    };
    let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *header;
    if i32::from_be_bytes([a, b, c, d]) < 1 {
        return Err(malformed("unsupported version"));
    }
    Ok(rest)
}
