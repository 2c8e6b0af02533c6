//! Offsets by time (ListOffsets).

use std::io;
use std::sync::Arc;

use protocol::records::{RecordBatch, RecordSkimmer};

use crate::disk::LogFile;
use crate::error::ReadError;
use crate::log::Log;
use crate::log_home::LogHome;
use crate::scan::{BatchScan, Found, Located, ReadMode};
use crate::segment::Segment;

/// The most that a batch may inflate to when its records are looked at: it was let in under a limit, but perhaps another broker's.
const MAX_INFLATED_BYTES: usize = 1 << 30;

/// What ListOffsets asks for by a timestamp below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// −1: the end; what that is to the client – high watermark or last stable offset – the partition knows.
    Latest,
    /// −2: the log start offset.
    Earliest,
    /// −3: the record with the largest timestamp (KIP-734).
    MaxTimestamp,
    /// −4: the first offset on this broker's disk (KIP-405); without tiering the log start offset.
    EarliestLocal,
    /// −5: the last offset in tiered storage (KIP-1005); without tiering none.
    LatestTiered,
    /// From 0: the first record that is not older.
    Timestamp(i64),
}

impl OffsetSpec {
    /// What the number means that stands in a request; `None` for one that means nothing.
    pub fn from_timestamp(timestamp: i64) -> Option<Self> {
        match timestamp {
            -1 => Some(Self::Latest),
            -2 => Some(Self::Earliest),
            -3 => Some(Self::MaxTimestamp),
            -4 => Some(Self::EarliestLocal),
            -5 => Some(Self::LatestTiered),
            0.. => Some(Self::Timestamp(timestamp)),
            _ => None,
        }
    }
}

/// An offset with what ListOffsets answers beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampAndOffset {
    /// The record's timestamp; −1 where no record is meant.
    pub timestamp: i64,
    /// The offset.
    pub offset: i64,
    /// The leader epoch, where it is known.
    pub leader_epoch: Option<i32>,
}

/// A lookup: answered already, or to be made without the partition's lock, since it may read from the disk.
#[derive(Debug)]
pub enum OffsetLookup {
    /// The answer.
    Known(TimestampAndOffset),
    /// Read for it.
    Search(TimestampSearch),
}

/// A search among records. It owns all that it needs.
#[derive(Debug)]
pub struct TimestampSearch {
    home: Arc<LogHome>,
    segments: Vec<Arc<Segment>>,
    target: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Largest,
    NotBefore { timestamp: i64, offset: i64 },
}

impl Log {
    /// Decides a lookup; cheap, to be called under the partition's lock.
    pub fn locate_offset(&self, spec: OffsetSpec) -> Result<OffsetLookup, ReadError> {
        self.home.health().check()?;
        let known = |offset, leader_epoch| {
            OffsetLookup::Known(TimestampAndOffset {
                timestamp: -1,
                offset,
                leader_epoch,
            })
        };
        let search = |target| {
            let segments = self.segments.values().cloned().collect();
            OffsetLookup::Search(TimestampSearch {
                home: self.home.clone(),
                segments,
                target,
            })
        };
        let start = self.log_start_offset;
        Ok(match spec {
            OffsetSpec::Latest => known(self.log_end_offset, self.latest_epoch()),
            OffsetSpec::Earliest | OffsetSpec::EarliestLocal => {
                let earliest = self.epochs.earliest_entry().filter(|entry| entry.start_offset <= start);
                known(start, earliest.map(|entry| entry.epoch))
            }
            OffsetSpec::LatestTiered => known(-1, Some(-1)),
            OffsetSpec::MaxTimestamp => search(Target::Largest),
            OffsetSpec::Timestamp(timestamp) => search(Target::NotBefore {
                timestamp,
                offset: start,
            }),
        })
    }

    /// Looks an offset up, waiting for the disk where needed.
    pub fn offset_for(&self, spec: OffsetSpec) -> Result<Option<TimestampAndOffset>, ReadError> {
        match self.locate_offset(spec)? {
            OffsetLookup::Known(answer) => Ok(Some(answer)),
            OffsetLookup::Search(search) => search.run(),
        }
    }
}

impl TimestampSearch {
    /// Makes the search; it waits for the disk. `None` where there is no such record.
    pub fn run(&self) -> Result<Option<TimestampAndOffset>, ReadError> {
        self.home.health().check()?;
        let found = match self.target {
            Target::Largest => self.largest(),
            Target::NotBefore { timestamp, offset } => self.not_before(timestamp, offset),
        };
        match found {
            Ok(answer) => Ok(answer),
            // A segment that was deleted meanwhile: what it held is not there to be found any more.
            Err(Failure::Io(error)) if error.kind() == io::ErrorKind::NotFound && self.lost_a_segment() => Ok(None),
            Err(Failure::Io(error)) => Err(self.home.read_error("look up an offset by time", &error)),
            Err(Failure::Read(error)) => Err(error),
        }
    }

    fn lost_a_segment(&self) -> bool {
        self.segments.iter().any(|segment| segment.is_deleted())
    }

    fn largest(&self) -> Result<Option<TimestampAndOffset>, Failure> {
        let mut best: Option<(&Arc<Segment>, _)> = None;
        for segment in &self.segments {
            let largest = segment.max_timestamp_so_far()?;
            if best.is_none_or(|(_, best): (_, crate::time_index::TimestampOffset)| largest.timestamp > best.timestamp)
            {
                best = Some((segment, largest));
            }
        }
        let Some((segment, largest)) = best else {
            return Ok(None);
        };
        let from = segment.lower_bound(largest.offset, ReadMode::Blocking)?;
        let timestamp = largest.timestamp;
        self.search(
            segment,
            from,
            |found| found.header.max_timestamp == timestamp,
            |at, _| at == timestamp,
        )
    }

    fn not_before(&self, timestamp: i64, offset: i64) -> Result<Option<TimestampAndOffset>, Failure> {
        let may_hold = |found: &Found| found.header.max_timestamp >= timestamp;
        let wanted = |at, record| at >= timestamp && record >= offset;
        for segment in &self.segments {
            if segment.largest_timestamp()? < timestamp {
                continue;
            }
            let from = segment.position_for_timestamp(timestamp, offset)?;
            let found = self.search(segment, from, may_hold, wanted)?;
            // A segment may reach the timestamp only with records below the log start offset.
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The first record that is wanted – by timestamp and offset – in a batch that may hold one.
    fn search(
        &self,
        segment: &Segment,
        from: u64,
        may_hold: impl Fn(&Found) -> bool,
        wanted: impl Fn(i64, i64) -> bool,
    ) -> Result<Option<TimestampAndOffset>, Failure> {
        let file = segment.file()?;
        let mut scan = BatchScan::new(segment, file.as_ref(), ReadMode::Blocking, from, segment.size());
        while let Some(found) = scan.next()? {
            if !may_hold(&found) {
                continue;
            }
            if let Some((timestamp, offset)) = first_record(file.as_ref(), segment, &found, &wanted)? {
                let leader_epoch = Some(found.header.partition_leader_epoch).filter(|&epoch| epoch >= 0);
                return Ok(Some(TimestampAndOffset {
                    timestamp,
                    offset,
                    leader_epoch,
                }));
            }
        }
        scan.expect_end()?;
        Ok(None)
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

/// Timestamp and offset of the first wanted record of a batch.
fn first_record(
    file: &dyn LogFile,
    segment: &Segment,
    found: &Found,
    wanted: impl Fn(i64, i64) -> bool,
) -> Result<Option<(i64, i64)>, Failure> {
    let corrupt = || {
        Failure::Read(ReadError::CorruptBatch {
            file: segment.path(),
            position: found.position,
        })
    };
    let mut bytes = vec![0; found.header.size_in_bytes()];
    let read = file.pread(&mut bytes, found.position)?;
    bytes.truncate(read);
    let batch = RecordBatch::parse(&bytes).map_err(|_| corrupt())?;
    batch.check_crc().map_err(|_| corrupt())?;
    // Piece by piece: what the batch becomes need not be held.
    let codec = batch.attributes().compression_type().map_err(|_| corrupt())?;
    let (count, records) = (batch.records_count(), batch.records_bytes());
    let shapes = RecordSkimmer::new(codec, count, records, MAX_INFLATED_BYTES).map_err(|_| corrupt())?;
    for shape in shapes {
        let shape = shape.map_err(|_| corrupt())?;
        let timestamp = batch.record_timestamp(shape.timestamp_delta);
        let offset = batch.base_offset() + i64::from(shape.offset_delta);
        if wanted(timestamp, offset) {
            return Ok(Some((timestamp, offset)));
        }
    }
    Ok(None)
}
