//! lz4 frames as Kafka writes and reads them: independent blocks, of 64 KiB when written.
//!
//! ```text
//! 04 22 4D 18 | FLG | BD | [content size 8] | HC | (block size u32 LE, top bit: stored | block | [xxh32])* | 00 00 00 00 | [xxh32]
//! ```
//!
//! `FLG`: version (2 bits, 01), independent blocks, block checksums, content size, content checksum, 0, 0.
//! `BD`: 0, block size (3 bits: 4 = 64 KiB to 7 = 4 MiB), 0000. `HC`: second byte of the xxh32 of what lies between.

use std::io;

use lz4::block::CompressionMode;

use super::{CompressionError, CompressionType};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const STORED: u32 = 0x8000_0000;
const BLOCK: usize = 64 * 1024;

const FLG_VERSION: u8 = 0x40;
const FLG_INDEPENDENT: u8 = 0x20;
const FLG_BLOCK_CHECKSUM: u8 = 0x10;
const FLG_CONTENT_SIZE: u8 = 0x08;
const FLG_CONTENT_CHECKSUM: u8 = 0x04;
const FLG_RESERVED: u8 = 0x03;

/// Kafka's default level stands for the fast compressor; every other one for the high compressor (KIP-390).
const FAST_LEVEL: i32 = 9;

pub(super) fn compress(level: i32, input: &[u8]) -> io::Result<Vec<u8>> {
    let descriptor = [FLG_VERSION | FLG_INDEPENDENT, 4 << 4];
    let mut output = Vec::with_capacity(input.len() / 2 + 16);
    output.extend_from_slice(&MAGIC);
    output.extend_from_slice(&descriptor);
    output.push((xxh32(&descriptor) >> 8) as u8);
    let mode = match level {
        FAST_LEVEL => CompressionMode::DEFAULT,
        level => CompressionMode::HIGHCOMPRESSION(level),
    };
    for block in input.chunks(BLOCK) {
        let start = output.len();
        output.resize(start + 4 + lz4::block::compress_bound(block.len())?, 0);
        let length = lz4::block::compress_to_buffer(block, Some(mode), false, &mut output[start + 4..])?;
        if length < block.len() {
            output[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
            output.truncate(start + 4 + length);
        } else {
            output[start..start + 4].copy_from_slice(&(block.len() as u32 | STORED).to_le_bytes());
            output.truncate(start + 4);
            output.extend_from_slice(block);
        }
    }
    output.extend_from_slice(&[0; 4]);
    Ok(output)
}

pub(super) struct Lz4Frame<'a> {
    rest: &'a [u8],
    flags: u8,
    max_block: usize,
    finished: bool,
    buffer: Vec<u8>,
}

fn malformed(reason: &'static str) -> CompressionError {
    CompressionType::Lz4.malformed(reason)
}

impl<'a> Lz4Frame<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, CompressionError> {
        let rest = input.strip_prefix(&MAGIC).ok_or_else(|| malformed("wrong magic"))?;
        let [flags, block_descriptor, ..] = *rest else {
            return Err(malformed("it ends within its header"));
        };
        if flags & FLG_RESERVED != 0 || block_descriptor & 0x8f != 0 {
            return Err(malformed("reserved bits are set"));
        }
        if flags & 0xc0 != FLG_VERSION {
            return Err(malformed("unsupported version"));
        }
        if flags & FLG_INDEPENDENT == 0 {
            return Err(malformed("dependent blocks are not supported"));
        }
        let block_size = block_descriptor >> 4;
        if block_size < 4 {
            return Err(malformed("impossible block size"));
        }
        let length = if flags & FLG_CONTENT_SIZE != 0 { 2 + 8 } else { 2 };
        let (Some(descriptor), Some(&checksum)) = (rest.get(..length), rest.get(length)) else {
            return Err(malformed("it ends within its header"));
        };
        if checksum != (xxh32(descriptor) >> 8) as u8 {
            return Err(malformed("the checksum of its header does not match"));
        }
        let max_block = 1 << (2 * block_size + 8);
        Ok(Lz4Frame {
            rest: &rest[length + 1..],
            flags,
            max_block,
            finished: false,
            buffer: Vec::new(),
        })
    }

    pub(super) fn next_chunk(&mut self) -> Result<Option<&[u8]>, CompressionError> {
        loop {
            if self.finished {
                return Ok(None);
            }
            let word = self.word()?;
            let length = (word & !STORED) as usize;
            if length == 0 {
                self.finished = true;
                if self.flags & FLG_CONTENT_CHECKSUM != 0 {
                    // Kafka reads it and does not look at it.
                    self.word()?;
                }
                return Ok(None);
            }
            if length > self.max_block {
                return Err(malformed("a block is larger than the frame allows"));
            }
            if length > self.rest.len() {
                return Err(malformed("it ends within a block"));
            }
            let (block, rest) = self.rest.split_at(length);
            self.rest = rest;
            if self.flags & FLG_BLOCK_CHECKSUM != 0 && self.word()? != xxh32(block) {
                return Err(malformed("the checksum of a block does not match"));
            }
            if word & STORED != 0 {
                return Ok(Some(block));
            }
            // lz4 makes at most 255 bytes out of one.
            let bound = self.max_block.min(length.saturating_mul(255));
            if self.buffer.len() < bound {
                self.buffer.resize(bound, 0);
            }
            let written = lz4::block::decompress_to_buffer(block, Some(bound as i32), &mut self.buffer[..bound])
                .map_err(|source| CompressionType::Lz4.codec(source))?;
            if written > 0 {
                return Ok(Some(&self.buffer[..written]));
            }
        }
    }

    fn word(&mut self) -> Result<u32, CompressionError> {
        let (word, rest) = self
            .rest
            .split_first_chunk::<4>()
            .ok_or_else(|| malformed("it ends within a block"))?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*word))
    }
}

const PRIME_1: u32 = 0x9e37_79b1;
const PRIME_2: u32 = 0x85eb_ca77;
const PRIME_3: u32 = 0xc2b2_ae3d;
const PRIME_4: u32 = 0x27d4_eb2f;
const PRIME_5: u32 = 0x1656_67b1;

/// xxHash of 32 bits with seed 0, which lz4 frames use as their checksum.
fn xxh32(input: &[u8]) -> u32 {
    fn lane(bytes: &[u8]) -> u32 {
        bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
    }
    let (stripes, tail) = input.as_chunks::<16>();
    let mut hash = if stripes.is_empty() {
        PRIME_5
    } else {
        let mut lanes = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, 0u32.wrapping_sub(PRIME_1)];
        for stripe in stripes {
            for (state, bytes) in lanes.iter_mut().zip(stripe.chunks_exact(4)) {
                *state = state
                    .wrapping_add(lane(bytes).wrapping_mul(PRIME_2))
                    .rotate_left(13)
                    .wrapping_mul(PRIME_1);
            }
        }
        let [a, b, c, d] = lanes;
        let (a, b, c, d) = (a.rotate_left(1), b.rotate_left(7), c.rotate_left(12), d.rotate_left(18));
        a.wrapping_add(b).wrapping_add(c).wrapping_add(d)
    };
    hash = hash.wrapping_add(input.len() as u32);
    let (words, bytes) = tail.as_chunks::<4>();
    for word in words {
        hash = hash
            .wrapping_add(lane(word).wrapping_mul(PRIME_3))
            .rotate_left(17)
            .wrapping_mul(PRIME_4);
    }
    for &byte in bytes {
        hash = hash
            .wrapping_add(u32::from(byte).wrapping_mul(PRIME_5))
            .rotate_left(11)
            .wrapping_mul(PRIME_1);
    }
    hash = (hash ^ hash >> 15).wrapping_mul(PRIME_2);
    hash = (hash ^ hash >> 13).wrapping_mul(PRIME_3);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xxh32_matches_published_values() {
        assert_eq!(xxh32(b""), 0x02cc_5d05);
        assert_eq!(xxh32(b"abc"), 0x32d1_53ff);
        assert_eq!(xxh32(b"Nobody inspects the spammish repetition"), 0xe229_3b2f);
    }

    #[test]
    fn header_is_the_one_that_java_writes() {
        let frame = compress(FAST_LEVEL, b"").unwrap();
        assert_eq!(frame, [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0]);
    }
}
