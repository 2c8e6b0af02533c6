//! Writes a message as a list of chunks: one growing buffer, into which large bytes and file ranges are spliced uncopied.

use bytes::{BufMut, Bytes, BytesMut};

use super::chunk::Chunk;
use super::error::{EncodeError, EncodeErrorKind as Kind};

type Result<T> = std::result::Result<T, Box<EncodeError>>;

/// Bytes from this size up are passed on as a chunk of their own; below it a copy is cheaper than one more piece to send.
const SPLICE_FROM: usize = 1024;

/// Bytes of the length that precedes every frame.
const LENGTH_PREFIX: usize = 4;

/// A message being written.
#[derive(Debug, Default)]
pub struct Writer {
    /// What precedes `current`. Our own pieces stay mutable, so that a frame's length can be put in at the end.
    done: Vec<Piece>,
    done_length: usize,
    current: BytesMut,
}

#[derive(Debug)]
enum Piece {
    Own(BytesMut),
    Spliced(Chunk),
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Writer {
            current: BytesMut::with_capacity(capacity),
            ..Self::default()
        }
    }

    /// A writer that starts with room for the frame's length, which [`Writer::into_frame`] fills in.
    pub fn frame(capacity: usize) -> Self {
        let mut writer = Self::with_capacity(capacity + LENGTH_PREFIX);
        writer.current.put_i32(0);
        writer
    }

    /// Bytes written so far, spliced ones included.
    pub fn len(&self) -> usize {
        self.done_length + self.current.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything that was written.
    pub fn into_chunks(mut self) -> Vec<Chunk> {
        self.finish_current();
        self.done.into_iter().map(Piece::into_chunk).collect()
    }

    /// A whole frame: what was written since [`Writer::frame`], its length in front.
    ///
    /// # Errors
    /// [`Kind::TooLong`] when it has more than `i32::MAX` bytes.
    pub fn into_frame(mut self) -> std::result::Result<Vec<Chunk>, EncodeError> {
        let length = self.len().saturating_sub(LENGTH_PREFIX);
        let prefix = i32::try_from(length).map_err(|_| *EncodeError::new(Kind::TooLong(length)))?;
        self.finish_current();
        match self.done.first_mut() {
            Some(Piece::Own(first)) if first.len() >= LENGTH_PREFIX => {
                first[..LENGTH_PREFIX].copy_from_slice(&prefix.to_be_bytes());
            }
            _ => panic!("a frame starts with room for its length: into_frame() needs a Writer::frame()"),
        }
        Ok(self.done.into_iter().map(Piece::into_chunk).collect())
    }

    /// Everything that was written as one piece of memory, if none of it is a file range.
    pub fn into_bytes(mut self) -> Option<Bytes> {
        self.finish_current();
        if self.done.len() == 1 {
            return self
                .done
                .pop()
                .and_then(|piece| piece.into_chunk().as_memory().cloned());
        }
        let mut whole = BytesMut::with_capacity(self.done_length);
        for piece in self.done {
            whole.put_slice(piece.into_chunk().as_memory()?);
        }
        Some(whole.freeze())
    }

    fn finish_current(&mut self) {
        if !self.current.is_empty() {
            self.done_length += self.current.len();
            self.done.push(Piece::Own(self.current.split()));
        }
    }

    /// Writes a piece as it is: large memory and file ranges are spliced in, small memory is copied.
    pub fn put_chunk(&mut self, chunk: &Chunk) {
        match chunk {
            Chunk::Memory(bytes) => self.put_shared(bytes),
            Chunk::File(_) if chunk.is_empty() => {}
            Chunk::File(_) => self.splice(chunk.clone()),
        }
    }

    /// Writes bytes that can be shared: spliced in when large, copied when small.
    pub fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SPLICE_FROM {
            self.current.put_slice(bytes);
        } else {
            self.splice(Chunk::Memory(bytes.clone()));
        }
    }

    /// Writes a copy of `bytes`.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.current.put_slice(bytes);
    }

    fn splice(&mut self, chunk: Chunk) {
        self.finish_current();
        self.done_length += chunk.len();
        self.done.push(Piece::Spliced(chunk));
    }

    fn append(&mut self, other: Writer) {
        for piece in other.done {
            match piece {
                Piece::Own(bytes) => self.current.put_slice(&bytes),
                Piece::Spliced(chunk) => self.splice(chunk),
            }
        }
        self.current.put_slice(&other.current);
    }

    #[inline]
    pub(crate) fn i8(&mut self, value: i8) {
        self.current.put_i8(value);
    }

    #[inline]
    pub(crate) fn i16(&mut self, value: i16) {
        self.current.put_i16(value);
    }

    #[inline]
    pub(crate) fn u16(&mut self, value: u16) {
        self.current.put_u16(value);
    }

    #[inline]
    pub(crate) fn i32(&mut self, value: i32) {
        self.current.put_i32(value);
    }

    #[inline]
    pub(crate) fn i64(&mut self, value: i64) {
        self.current.put_i64(value);
    }

    #[inline]
    pub(crate) fn f64(&mut self, value: f64) {
        self.current.put_f64(value);
    }

    #[inline]
    pub(crate) fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.current.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.current.put_u8(value as u8);
    }

    /// The counterpart of `Reader::length`.
    #[inline]
    pub(crate) fn length(&mut self, length: Option<usize>, flexible: bool) -> Result<()> {
        let limit = if flexible {
            i32::MAX as usize - 1
        } else {
            i32::MAX as usize
        };
        match length {
            Some(length) if length > limit => return Err(EncodeError::new(Kind::TooLong(length))),
            Some(length) if flexible => self.unsigned_varint(length as u32 + 1),
            Some(length) => self.i32(length as i32),
            None if flexible => self.unsigned_varint(0),
            None => self.i32(-1),
        }
        Ok(())
    }

    /// The counterpart of `Reader::string`.
    #[inline]
    pub(crate) fn string(&mut self, value: Option<&str>, flexible: bool) -> Result<()> {
        match value {
            Some(value) => {
                if value.len() > i16::MAX as usize {
                    return Err(EncodeError::new(Kind::TooLong(value.len())));
                }
                if flexible {
                    self.unsigned_varint(value.len() as u32 + 1);
                } else {
                    self.i16(value.len() as i16);
                }
                self.current.put_slice(value.as_bytes());
            }
            None if flexible => self.unsigned_varint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    /// The counterpart of `Reader::structure_is_null`.
    pub(crate) fn structure_marker(&mut self, present: bool, tagged: bool) {
        match (present, tagged) {
            (present, true) => self.unsigned_varint(u32::from(present)),
            (true, false) => self.i8(1),
            (false, false) => self.i8(-1),
        }
    }

    /// Writes a tagged field: tag, size, content.
    pub(crate) fn tagged(&mut self, tag: u32, write: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        let mut content = Writer::new();
        write(&mut content)?;
        let length = content.len();
        if length > i32::MAX as usize {
            return Err(EncodeError::new(Kind::TooLong(length)));
        }
        self.unsigned_varint(tag);
        self.unsigned_varint(length as u32);
        self.append(content);
        Ok(())
    }
}

impl Piece {
    fn into_chunk(self) -> Chunk {
        match self {
            Piece::Own(bytes) => Chunk::Memory(bytes.freeze()),
            Piece::Spliced(chunk) => chunk,
        }
    }
}
