//! What a response is made of: pieces of memory and ranges of files, in the order in which they leave.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

/// A piece of an encoded message: bytes in memory, or a range of a file that the connection sends without reading it.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// Bytes in memory, shared.
    Memory(Bytes),
    /// A range of an open file.
    File(FileRange),
}

/// `length` bytes of `file` from `position`. This crate never reads it; whoever makes one vouches that the range exists.
#[derive(Clone, Debug)]
pub struct FileRange {
    /// The open file; the range keeps it open.
    pub file: Arc<File>,
    /// Where the range starts in the file, in bytes.
    pub position: u64,
    /// How many bytes it holds.
    pub length: usize,
}

impl Chunk {
    /// How many bytes this piece puts on the wire.
    pub fn len(&self) -> usize {
        match self {
            Chunk::Memory(bytes) => bytes.len(),
            Chunk::File(range) => range.length,
        }
    }

    /// Whether it puts nothing on the wire.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are in memory.
    pub fn as_memory(&self) -> Option<&Bytes> {
        match self {
            Chunk::Memory(bytes) => Some(bytes),
            Chunk::File(_) => None,
        }
    }
}

impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Chunk::Memory(bytes)
    }
}

/// File ranges are equal when they name the same open file (not an equal one) and the same range of it.
impl PartialEq for FileRange {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.position == other.position && self.length == other.length
    }
}

impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Chunk::Memory(a), Chunk::Memory(b)) => a == b,
            (Chunk::File(a), Chunk::File(b)) => a == b,
            _ => false,
        }
    }
}
