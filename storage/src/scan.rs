//! Walking over the batches of a segment's file by their headers, without reading their records.

use std::io;
use std::path::PathBuf;

use crate::batch::{ATTRIBUTES_AT, BATCH_HEADER_LEN, BatchHeader, crc32c};
use crate::disk::LogFile;
use crate::old_format;

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

impl ReadMode {
    pub(crate) fn pread(self, file: &dyn LogFile, buf: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::NoWait => file.pread_nowait(buf, at),
            Self::Blocking => file.pread(buf, at),
        }
    }
}

/// What a scan met where a batch was written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: corrupt batch at byte {position}", file.display())]
pub(crate) struct DamagedBatch {
    pub file: PathBuf,
    pub position: u64,
}

impl DamagedBatch {
    fn error(file: PathBuf, position: u64) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self { file, position })
    }

    /// What an I/O error of a scan says about it, if that is what it is about.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
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

/// What is scanned, for the words of an error.
pub(crate) trait Located {
    /// Where its file is.
    fn path(&self) -> PathBuf;
}

impl Located for PathBuf {
    fn path(&self) -> PathBuf {
        self.clone()
    }
}

/// Batches from a position on, as long as they lie wholly before `end`. A record of an old format is an error, see
/// [`crate::OldRecordFormat`].
pub(crate) struct BatchScan<'a> {
    place: &'a dyn Located,
    file: &'a dyn LogFile,
    mode: ReadMode,
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl<'a> BatchScan<'a> {
    pub(crate) fn new(place: &'a dyn Located, file: &'a dyn LogFile, mode: ReadMode, position: u64, end: u64) -> Self {
        Self {
            place,
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
        let found = self.batch()?;
        match &found {
            Some(found) => self.position = found.end(),
            None => self.refuse_old_format()?,
        }
        Ok(found)
    }

    /// `Err` where the batches end before they should: what stands there instead is damaged. A file that has become shorter was
    /// truncated meanwhile, which is no damage.
    pub(crate) fn expect_end(&mut self) -> io::Result<()> {
        if self.position >= self.end || self.file.size()? < self.end {
            return Ok(());
        }
        Err(DamagedBatch::error(self.place.path(), self.position))
    }

    /// `Err` where a record of an old format begins here.
    pub(crate) fn refuse_old_format(&self) -> io::Result<()> {
        old_format::refuse(self.place, self.file, self.mode, self.position, self.end)
    }

    fn batch(&mut self) -> io::Result<Option<Found>> {
        if self.position + BATCH_HEADER_LEN as u64 > self.end {
            return Ok(None);
        }
        let Some(header) = BatchHeader::parse_stored(self.header_bytes()?) else {
            return Ok(None);
        };
        let found = Found {
            header,
            position: self.position,
        };
        Ok((found.end() <= self.end).then_some(found))
    }

    fn header_bytes(&mut self) -> io::Result<&[u8]> {
        let held = self.chunk_at..self.chunk_at + self.chunk.len() as u64;
        if !(held.start <= self.position && self.position + BATCH_HEADER_LEN as u64 <= held.end) {
            self.chunk.resize(CHUNK.min((self.end - self.position) as usize), 0);
            self.chunk_at = self.position;
            let read = self.mode.pread(self.file, &mut self.chunk, self.position)?;
            self.chunk.truncate(read);
        }
        Ok(&self.chunk[(self.position - self.chunk_at) as usize..])
    }
}

/// How much a verifying scan reads at once.
const VERIFIED_CHUNK: usize = 1 << 20;

/// Batches from a position on, read whole and checked against their checksums.
pub(crate) struct VerifiedScan<'a> {
    place: &'a dyn Located,
    file: &'a dyn LogFile,
    /// Where the file has not been read yet.
    position: u64,
    end: u64,
    chunk: Vec<u8>,
    /// Where in the chunk the next batch begins.
    at: usize,
}

impl<'a> VerifiedScan<'a> {
    pub(crate) fn new(place: &'a dyn Located, file: &'a dyn LogFile, position: u64, end: u64) -> Self {
        Self {
            place,
            file,
            position,
            end,
            chunk: Vec::new(),
            at: 0,
        }
    }

    /// The next batch: its header and its records; `None` at the end and where no valid batch follows.
    pub(crate) fn next(&mut self) -> io::Result<Option<(BatchHeader, &[u8])>> {
        let Some(header) = self.valid()? else {
            let position = self.position - (self.chunk.len() - self.at) as u64;
            old_format::refuse(self.place, self.file, ReadMode::Blocking, position, self.end)?;
            return Ok(None);
        };
        let size = header.size_in_bytes();
        self.at += size;
        Ok(Some((header, &self.chunk[self.at - size + BATCH_HEADER_LEN..self.at])))
    }

    /// The header of the next batch, if that is whole and matches its checksum; all of it is in the chunk then.
    fn valid(&mut self) -> io::Result<Option<BatchHeader>> {
        let Some(header) = self.take(BATCH_HEADER_LEN)?.and_then(BatchHeader::parse_stored) else {
            return Ok(None);
        };
        let batch = self.take(header.size_in_bytes())?;
        Ok(batch
            .filter(|batch| crc32c(&batch[ATTRIBUTES_AT..]) == header.crc)
            .map(|_| header))
    }

    /// The next `len` bytes, if there are that many before the end.
    fn take(&mut self, len: usize) -> io::Result<Option<&[u8]>> {
        let held = self.chunk.len() - self.at;
        if held < len {
            let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
            if held + left < len {
                return Ok(None);
            }
            self.chunk.drain(..self.at);
            self.at = 0;
            self.chunk.resize(held + left.min(VERIFIED_CHUNK.max(len - held)), 0);
            let read = self.file.pread(&mut self.chunk[held..], self.position)?;
            self.chunk.truncate(held + read);
            self.position += read as u64;
        }
        Ok(self.chunk.get(self.at..self.at + len))
    }
}
