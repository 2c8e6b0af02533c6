//! Walking over the batches of a segment's file by their headers, without reading their records.

use std::io;

use crate::batch::{BATCH_HEADER_LEN, BatchHeader};
use crate::disk::LogFile;

/// How much is read at once: small batches come many to a read, large ones one header to a read.
const CHUNK: usize = 8 * 1024;

/// Whether a read may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// It may not: what is not in memory is answered as cold.
    NoWait,
    /// It may; and what it reads is checked against the batches' checksums.
    Blocking,
}

/// A batch's header and where the batch begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub header: BatchHeader,
    pub position: u64,
}

impl Found {
    pub(crate) fn end(&self) -> u64 {
        self.position + self.header.size_in_bytes() as u64
    }
}

/// Batches from a position on, as long as they lie wholly before `end`.
pub(crate) struct BatchScan<'a> {
    file: &'a dyn LogFile,
    mode: ReadMode,
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl<'a> BatchScan<'a> {
    pub(crate) fn new(file: &'a dyn LogFile, mode: ReadMode, position: u64, end: u64) -> Self {
        Self {
            file,
            mode,
            position,
            end,
            chunk: Vec::new(),
            chunk_at: 0,
        }
    }

    /// Where the next batch begins, or what is no batch.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch's header; `None` at the end, and where no whole and plausible batch follows.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.position + BATCH_HEADER_LEN as u64 > self.end {
            return Ok(None);
        }
        let Some(header) = BatchHeader::parse(self.header_bytes()?) else {
            return Ok(None);
        };
        let found = Found {
            header,
            position: self.position,
        };
        if !header.is_plausible() || found.end() > self.end {
            return Ok(None);
        }
        self.position = found.end();
        Ok(Some(found))
    }

    fn header_bytes(&mut self) -> io::Result<&[u8]> {
        let held = self.chunk_at..self.chunk_at + self.chunk.len() as u64;
        if !(held.start <= self.position && self.position + BATCH_HEADER_LEN as u64 <= held.end) {
            self.chunk.resize(CHUNK.min((self.end - self.position) as usize), 0);
            self.chunk_at = self.position;
            let read = match self.mode {
                ReadMode::NoWait => self.file.pread_nowait(&mut self.chunk, self.position)?,
                ReadMode::Blocking => self.file.pread(&mut self.chunk, self.position)?,
            };
            self.chunk.truncate(read);
        }
        Ok(&self.chunk[(self.position - self.chunk_at) as usize..])
    }
}
