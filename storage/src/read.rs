//! Reading records: what to read is decided under the partition's lock and read without it.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::wire::{Chunk, FileRange};

use crate::batch::{ATTRIBUTES_AT, BATCH_HEADER_LEN, BatchHeader, crc32c};
use crate::disk::LogFile;
use crate::error::{LogDirFailure, ReadError};
use crate::log::Log;
use crate::log_home::LogHome;
use crate::old_format;
use crate::scan::{Located, ReadMode};
use crate::segment::Segment;

/// What a fetch wants of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Where to begin; it may lie inside a batch, which is then given whole.
    pub offset: i64,
    /// At most this many bytes; the last batch may be cut, as Kafka cuts it.
    pub max_bytes: usize,
    /// Whether the first batch is given whole even where it alone exceeds `max_bytes`.
    pub min_one_message: bool,
    /// Nothing at or above this offset: the high watermark, the last stable offset, or the log end offset for a follower.
    pub max_offset: i64,
    /// Begin at this segment instead of the one that should hold `offset`: from [`ReadOutcome::NextSegment`].
    pub from_segment: Option<i64>,
}

/// What a read gave.
#[derive(Clone, Debug)]
pub struct FetchData {
    /// The records; the first batch may begin before the offset that was asked for.
    pub records: Chunk,
    /// Whether `records` cuts the first batch, which happens only without `min_one_message`.
    pub first_entry_incomplete: bool,
    /// What could be read from there in this segment, were there no `max_bytes`.
    pub readable_bytes: usize,
    /// Whether readable records follow in a later segment.
    pub on_older_segment: bool,
}

impl FetchData {
    fn empty() -> Self {
        Self {
            records: Chunk::Memory(Bytes::new()),
            first_entry_incomplete: false,
            readable_bytes: 0,
            on_older_segment: false,
        }
    }
}

/// How a read ended.
#[derive(Clone, Debug)]
pub enum ReadOutcome {
    /// With data, perhaps none.
    Data(FetchData),
    /// Not without waiting for the disk ([`ReadMode::NoWait`] only): run the plan again, blocking, where that hurts nobody.
    Cold,
    /// The segment ends before the offset: locate again with this as `from_segment`.
    NextSegment(i64),
}

/// A read that is decided but not made; it owns all that it needs.
#[derive(Debug)]
pub struct ReadPlan(pub(crate) Option<SegmentRead>);

#[derive(Debug)]
pub(crate) struct SegmentRead {
    pub(crate) home: Arc<LogHome>,
    pub(crate) segment: Arc<Segment>,
    pub(crate) next_segment: Option<i64>,
    pub(crate) offset: i64,
    pub(crate) max_bytes: usize,
    pub(crate) min_one_message: bool,
    /// Begin and end of the first batch, where that is known already.
    pub(crate) start: Option<(u64, u64)>,
    pub(crate) limit: Limit,
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
}

/// Where a read ends at the latest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// At this position.
    Position(u64),
    /// Before the batch with this offset, all within the given size.
    Offset { offset: i64, size: u64 },
}

impl ReadPlan {
    /// Whether there is nothing to read, because the offset is the limit.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Makes the read. Records of `sendfile_min_bytes` and more come as a range of the file, fewer as a copy.
    pub fn run(&self, mode: ReadMode, sendfile_min_bytes: usize) -> Result<ReadOutcome, ReadError> {
        let Some(read) = &self.0 else {
            return Ok(ReadOutcome::Data(FetchData::empty()));
        };
        let found = match read.run(mode, sendfile_min_bytes) {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Read(error)) => return Err(error),
            Err(Failure::Io(error)) => Err(error),
        };
        match read.segment.unless_gone(found) {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => Err(ReadError::OffsetOutOfRange {
                partition: read.home.partition.clone(),
                requested: read.offset,
                log_start_offset: read.log_start_offset,
                log_end_offset: read.log_end_offset,
            }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(ReadOutcome::Cold),
            Err(error) => Err(read.home.read_error("read", &error)),
        }
    }
}

enum Failure {
    Io(io::Error),
    Read(ReadError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LogDirFailure> for Failure {
    fn from(failure: LogDirFailure) -> Self {
        Self::Read(failure.into())
    }
}

impl SegmentRead {
    fn run(&self, mode: ReadMode, sendfile_min_bytes: usize) -> Result<ReadOutcome, Failure> {
        self.home.health().check()?;
        let size = match self.limit {
            Limit::Position(position) => position,
            Limit::Offset { size, .. } => size,
        };
        let start = match self.start {
            Some(start) => Some(start),
            None => self
                .segment
                .translate_offset(self.offset, size, mode)?
                .map(|found| (found.position, found.end())),
        };
        let Some((position, first_end)) = start else {
            return Ok(match self.next_segment {
                Some(next) => ReadOutcome::NextSegment(next),
                None => ReadOutcome::Data(FetchData::empty()),
            });
        };
        let end = match self.limit {
            Limit::Position(position) => position,
            Limit::Offset { offset, size } => match self.segment.recent_position(offset) {
                Some((position, _)) => position,
                None => self
                    .segment
                    .translate_offset(offset, size, mode)?
                    .map_or(size, |found| found.position),
            },
        };
        let first_size = (first_end - position) as usize;
        let max_bytes = if self.min_one_message {
            self.max_bytes.max(first_size)
        } else {
            self.max_bytes
        };
        let readable_bytes = end.saturating_sub(position) as usize;
        let mut len = max_bytes.min(readable_bytes);
        let mut records = self.sound_records(position, len, mode, sendfile_min_bytes);
        // What comes before a damaged batch is given; who asks for that batch itself, is told.
        if let Err(Failure::Read(ReadError::CorruptBatch { position: at, .. })) = &records
            && *at > position
        {
            len = (*at - position) as usize;
            records = self.sound_records(position, len, mode, sendfile_min_bytes);
        }
        let records = records?;
        Ok(ReadOutcome::Data(FetchData {
            records,
            first_entry_incomplete: len > 0 && max_bytes < first_size,
            readable_bytes,
            on_older_segment: self.next_segment.is_some(),
        }))
    }

    /// The records of a range in which no damage is known.
    fn sound_records(
        &self,
        position: u64,
        len: usize,
        mode: ReadMode,
        sendfile_min_bytes: usize,
    ) -> Result<Chunk, Failure> {
        if len == 0 {
            return Ok(Chunk::Memory(Bytes::new()));
        }
        if let Some(at) = self.segment.damage().first_in(position..position + len as u64) {
            return Err(self.corrupt_batch(at));
        }
        self.records(position, len, mode, sendfile_min_bytes)
    }

    fn corrupt_batch(&self, position: u64) -> Failure {
        Failure::Read(ReadError::CorruptBatch {
            file: self.segment.path(),
            position,
        })
    }

    fn records(&self, position: u64, len: usize, mode: ReadMode, sendfile_min_bytes: usize) -> Result<Chunk, Failure> {
        let file = self.segment.file()?;
        if len >= sendfile_min_bytes
            && let Some(std_file) = file.as_std_file()
        {
            match mode {
                ReadMode::NoWait if !file.is_cached(position, len as u64) => {
                    return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
                }
                ReadMode::NoWait => {}
                ReadMode::Blocking => drop(self.copy(file.as_ref(), position, len, mode)?),
            }
            return Ok(Chunk::File(FileRange {
                file: std_file,
                position,
                length: len,
            }));
        }
        self.copy(file.as_ref(), position, len, mode).map(Chunk::Memory)
    }

    fn copy(&self, file: &dyn LogFile, position: u64, len: usize, mode: ReadMode) -> Result<Bytes, Failure> {
        let truncations = self.segment.damage().truncations();
        let mut buf = BytesMut::zeroed(len);
        let read = mode.pread(file, &mut buf, position)?;
        buf.truncate(read);
        let bytes = buf.freeze();
        if mode == ReadMode::Blocking {
            self.verify(file, &bytes, position, truncations)?;
        }
        Ok(bytes)
    }

    /// Checks every whole batch against its checksum: what comes back from a disk may not be what went there.
    fn verify(&self, file: &dyn LogFile, bytes: &[u8], position: u64, truncations: u64) -> Result<(), Failure> {
        let mut at = 0;
        while bytes.len() - at >= BATCH_HEADER_LEN {
            let rest = &bytes[at..];
            let corrupt = || {
                let at = position + at as u64;
                self.segment.damage().note(at, truncations);
                self.corrupt_batch(at)
            };
            let Some(header) = BatchHeader::parse_stored(rest) else {
                let (segment, at) = (self.segment.as_ref(), position + at as u64);
                old_format::refuse(segment, file, ReadMode::Blocking, at, segment.size())?;
                return Err(corrupt());
            };
            let Some(batch) = rest.get(..header.size_in_bytes()) else {
                break;
            };
            if crc32c(&batch[ATTRIBUTES_AT..]) != header.crc {
                return Err(corrupt());
            }
            at += batch.len();
        }
        Ok(())
    }
}

impl Log {
    /// Decides a read; cheap, to be called under the partition's lock.
    pub fn locate(&self, request: &ReadRequest) -> Result<ReadPlan, ReadError> {
        let &ReadRequest {
            offset,
            max_bytes,
            min_one_message,
            max_offset,
            from_segment,
        } = request;
        self.home.health().check()?;
        if offset < self.log_start_offset || offset > self.log_end_offset {
            return Err(ReadError::OffsetOutOfRange {
                partition: self.home.partition.clone(),
                requested: offset,
                log_start_offset: self.log_start_offset,
                log_end_offset: self.log_end_offset,
            });
        }
        if offset >= max_offset {
            return Ok(ReadPlan(None));
        }
        let Some(segment) = self.floor_segment(from_segment.unwrap_or(offset)) else {
            return Ok(ReadPlan(None));
        };
        let next_segment = self
            .segments
            .range(segment.base_offset() + 1..)
            .next()
            .map(|(&base, _)| base);
        let size = segment.size();
        let limit = if max_offset >= self.log_end_offset || next_segment.is_some_and(|next| next <= max_offset) {
            Limit::Position(size)
        } else {
            Limit::Offset {
                offset: max_offset,
                size,
            }
        };
        Ok(ReadPlan(Some(SegmentRead {
            home: self.home.clone(),
            segment: segment.clone(),
            next_segment: next_segment.filter(|&next| next < max_offset),
            offset,
            max_bytes,
            min_one_message,
            start: segment.recent_position(offset),
            limit,
            log_start_offset: self.log_start_offset,
            log_end_offset: self.log_end_offset,
        })))
    }

    /// Reads into memory, waiting for the disk where needed.
    pub fn read(&self, request: &ReadRequest) -> Result<FetchData, ReadError> {
        let mut request = *request;
        loop {
            match self.locate(&request)?.run(ReadMode::Blocking, usize::MAX)? {
                ReadOutcome::Data(data) => return Ok(data),
                ReadOutcome::NextSegment(base) => request.from_segment = Some(base),
                ReadOutcome::Cold => unreachable!("a blocking read waits"),
            }
        }
    }
}
