//! Walks over a compressed batch's records as they are inflated, keeping none of them.

use super::batch::BatchError;
use super::record::{Record, RecordError};
use super::varint::{Bytewise, read_varint, read_varlong};
use crate::compression::{CompressionError, CompressionType, Inflater};

/// What validation needs to know of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordShape {
    /// Bytes of the record, its size field included, as it claims them.
    pub size_in_bytes: usize,
    /// Unused so far.
    pub attributes: i8,
    /// Milliseconds after the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Offset after the batch's base offset.
    pub offset_delta: i32,
    /// Bytes of the key; `None` for null.
    pub key_size: Option<usize>,
    /// Bytes of the value; `None` for null.
    pub value_size: Option<usize>,
}

/// The records of a compressed batch, inflated piece by piece. Ends behind the first error; after the last record no bytes
/// may be left.
pub struct RecordSkimmer<'a> {
    source: Source<'a>,
    left: i32,
    failed: bool,
}

struct Source<'a> {
    inflater: Inflater<'a>,
    chunk: Vec<u8>,
    position: usize,
    consumed: usize,
}

impl From<CompressionError> for Box<BatchError> {
    fn from(error: CompressionError) -> Self {
        Box::new(BatchError::Compression(error))
    }
}

impl From<RecordError> for Box<BatchError> {
    fn from(error: RecordError) -> Self {
        Box::new(BatchError::Record(error))
    }
}

impl Source<'_> {
    /// Whether there are bytes left; inflates more when the piece at hand is used up.
    fn refill(&mut self) -> Result<bool, Box<BatchError>> {
        if self.position < self.chunk.len() {
            return Ok(true);
        }
        self.chunk.clear();
        self.position = 0;
        match self.inflater.next_chunk()? {
            Some(chunk) => {
                self.chunk.extend_from_slice(chunk);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// The next record, if the piece at hand holds all of it: most do, and slices are read faster than single bytes. Whatever
    /// is wrong with a record is found again, and said, on the slow way.
    fn whole_record(&mut self) -> Result<Option<RecordShape>, Box<BatchError>> {
        if !self.refill()? {
            return Ok(None);
        }
        let Ok(record) = Record::read(&mut &self.chunk[self.position..]) else {
            return Ok(None);
        };
        self.position += record.size_in_bytes;
        self.consumed += record.size_in_bytes;
        Ok(Some(RecordShape {
            size_in_bytes: record.size_in_bytes,
            attributes: record.attributes,
            timestamp_delta: record.timestamp_delta,
            offset_delta: record.offset_delta,
            key_size: record.key.map(<[u8]>::len),
            value_size: record.value.map(<[u8]>::len),
        }))
    }

    fn skip(&mut self, mut length: usize) -> Result<(), Box<BatchError>> {
        self.consumed += length;
        while length > 0 {
            if !self.refill()? {
                return Err(RecordError::Short.into());
            }
            let step = length.min(self.chunk.len() - self.position);
            self.position += step;
            length -= step;
        }
        Ok(())
    }

    /// Skips what a varint says; negative is null.
    fn skip_bytes(&mut self) -> Result<Option<usize>, Box<BatchError>> {
        let Ok(length) = usize::try_from(read_varint(self)?) else {
            return Ok(None);
        };
        self.skip(length)?;
        Ok(Some(length))
    }
}

impl Bytewise for Source<'_> {
    type Error = Box<BatchError>;

    #[inline]
    fn byte(&mut self) -> Result<u8, Box<BatchError>> {
        if self.position == self.chunk.len() && !self.refill()? {
            return Err(RecordError::Short.into());
        }
        let byte = self.chunk[self.position];
        self.position += 1;
        self.consumed += 1;
        Ok(byte)
    }
}

impl<'a> RecordSkimmer<'a> {
    /// `count` records in compressed `records`, of which no more than `limit` bytes may come out.
    ///
    /// # Errors
    /// `count` is negative, or the content does not begin as the codec's does.
    pub fn new(
        compression_type: CompressionType,
        count: i32,
        records: &'a [u8],
        limit: usize,
    ) -> Result<Self, BatchError> {
        if count < 0 {
            return Err(RecordError::RecordsCount(count).into());
        }
        let inflater = Inflater::new(compression_type, records, limit)?;
        let source = Source {
            inflater,
            chunk: Vec::new(),
            position: 0,
            consumed: 0,
        };
        Ok(RecordSkimmer {
            source,
            left: count,
            failed: false,
        })
    }

    fn skim(&mut self) -> Result<RecordShape, Box<BatchError>> {
        let shape = match self.source.whole_record()? {
            Some(shape) => shape,
            None => self.skim_across_pieces()?,
        };
        if self.left == 0 && self.source.refill()? {
            return Err(RecordError::Trailing.into());
        }
        Ok(shape)
    }

    fn skim_across_pieces(&mut self) -> Result<RecordShape, Box<BatchError>> {
        let source = &mut self.source;
        let before = source.consumed;
        let claimed = read_varint(source)?;
        let size_field = source.consumed - before;
        let size = usize::try_from(claimed).map_err(|_| RecordError::Size { claimed, held: 0 })?;
        let body = source.consumed;
        let attributes = source.byte()? as i8;
        let timestamp_delta = read_varlong(source)?;
        let offset_delta = read_varint(source)?;
        let key_size = source.skip_bytes()?;
        let value_size = source.skip_bytes()?;
        let headers = read_varint(source)?;
        if headers < 0 {
            return Err(RecordError::HeadersCount(headers).into());
        }
        for _ in 0..headers {
            source.skip_bytes()?.ok_or(RecordError::HeaderKey)?;
            source.skip_bytes()?;
        }
        let held = source.consumed - body;
        if held != size {
            return Err(RecordError::Size { claimed, held }.into());
        }
        let size_in_bytes = size_field + size;
        Ok(RecordShape {
            size_in_bytes,
            attributes,
            timestamp_delta,
            offset_delta,
            key_size,
            value_size,
        })
    }
}

impl Iterator for RecordSkimmer<'_> {
    type Item = Result<RecordShape, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 || self.failed {
            return None;
        }
        self.left -= 1;
        let shape = self.skim().map_err(|error| *error);
        self.failed = shape.is_err();
        Some(shape)
    }
}
