//! Inflates piece by piece, so that a batch can be validated without holding its content.

use std::io::Read;

use flate2::bufread::GzDecoder;
use zstd::stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use super::lz4_frame::Lz4Frame;
use super::xerial::Xerial;
use super::{CompressionError, CompressionType};

/// Bytes that gzip and zstd inflate at a time.
const CHUNK: usize = 32 * 1024;

/// Inflates one batch's records, a chunk of at most some MiB at a time, and no more than a limit in all.
pub struct Inflater<'a> {
    compression_type: CompressionType,
    source: Source<'a>,
    produced: usize,
    limit: usize,
}

enum Source<'a> {
    None(&'a [u8]),
    Gzip(Box<Gzip<'a>>),
    Snappy(Xerial<'a>),
    Lz4(Lz4Frame<'a>),
    Zstd(Zstd<'a>),
}

impl<'a> Inflater<'a> {
    /// Starts on `input`, of which no more than `limit` bytes may come out.
    ///
    /// # Errors
    /// The input does not begin as the codec's content does.
    pub fn new(compression_type: CompressionType, input: &'a [u8], limit: usize) -> Result<Self, CompressionError> {
        let source = match compression_type {
            CompressionType::None => Source::None(input),
            CompressionType::Gzip => Source::Gzip(Box::new(Gzip::new(input))),
            CompressionType::Snappy => Source::Snappy(Xerial::new(input)?),
            CompressionType::Lz4 => Source::Lz4(Lz4Frame::new(input)?),
            CompressionType::Zstd => Source::Zstd(Zstd::new(input)?),
        };
        Ok(Inflater {
            compression_type,
            source,
            produced: 0,
            limit,
        })
    }

    /// The next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// The input is malformed, or holds more than the limit.
    pub fn next_chunk(&mut self) -> Result<Option<&[u8]>, CompressionError> {
        let left = self.limit - self.produced;
        let chunk = match &mut self.source {
            Source::None(rest) => Some(std::mem::take(rest)).filter(|chunk| !chunk.is_empty()),
            Source::Gzip(gzip) => gzip.next_chunk()?,
            Source::Snappy(xerial) => xerial.next_chunk(left, self.limit)?,
            Source::Lz4(frame) => frame.next_chunk()?,
            Source::Zstd(zstd) => zstd.next_chunk()?,
        };
        let length = chunk.map_or(0, <[u8]>::len);
        if length > left {
            return Err(CompressionError::Limit {
                compression_type: self.compression_type,
                limit: self.limit,
            });
        }
        self.produced += length;
        Ok(chunk)
    }
}

struct Gzip<'a> {
    decoder: GzDecoder<&'a [u8]>,
    first_member: bool,
    buffer: Vec<u8>,
}

impl<'a> Gzip<'a> {
    fn new(input: &'a [u8]) -> Self {
        Gzip {
            decoder: GzDecoder::new(input),
            first_member: true,
            buffer: vec![0; CHUNK],
        }
    }

    fn next_chunk(&mut self) -> Result<Option<&[u8]>, CompressionError> {
        loop {
            // Behind the first member anything that is not another one is ignored, as Java's decoder does.
            if !self.first_member && self.decoder.header().is_none() {
                return Ok(None);
            }
            let length = self
                .decoder
                .read(&mut self.buffer)
                .map_err(|source| CompressionType::Gzip.codec(source))?;
            if length > 0 {
                return Ok(Some(&self.buffer[..length]));
            }
            let rest: &'a [u8] = self.decoder.get_ref();
            if rest.is_empty() {
                return Ok(None);
            }
            self.first_member = false;
            self.decoder = GzDecoder::new(rest);
        }
    }
}

struct Zstd<'a> {
    decoder: ZstdDecoder<'static>,
    rest: &'a [u8],
    within_frame: bool,
    buffer: Vec<u8>,
}

impl<'a> Zstd<'a> {
    fn new(input: &'a [u8]) -> Result<Self, CompressionError> {
        let decoder = ZstdDecoder::new().map_err(|source| CompressionType::Zstd.codec(source))?;
        Ok(Zstd {
            decoder,
            rest: input,
            within_frame: false,
            buffer: vec![0; CHUNK],
        })
    }

    fn next_chunk(&mut self) -> Result<Option<&[u8]>, CompressionError> {
        let codec = |source| CompressionType::Zstd.codec(source);
        loop {
            if self.rest.is_empty() && !self.within_frame {
                return Ok(None);
            }
            if !self.within_frame {
                self.decoder.reinit().map_err(codec)?;
                self.within_frame = true;
            }
            let mut input = InBuffer::around(self.rest);
            let mut output = OutBuffer::around(&mut self.buffer[..]);
            let remaining = self.decoder.run(&mut input, &mut output).map_err(codec)?;
            let (read, written) = (input.pos(), output.pos());
            self.rest = &self.rest[read..];
            self.within_frame = remaining != 0;
            if written > 0 {
                return Ok(Some(&self.buffer[..written]));
            }
            if read == 0 && self.within_frame {
                return Err(CompressionType::Zstd.malformed("it ends within a frame"));
            }
        }
    }
}
