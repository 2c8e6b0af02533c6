//! The log of one partition.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{BATCH_HEADER_LEN, BatchHeader};
use crate::disk::Disk;
use crate::error::{AppendError, LogDirHealth, OpenError, ReadError};
use crate::log_config::LogConfig;
use crate::open_files::OpenFiles;
use crate::read::{FetchData, Limit, ReadOutcome, ReadPlan, ReadRequest, SegmentRead};
use crate::scan::ReadMode;
use crate::segment::{LogHome, Placed, Segment};
use crate::topic_partition::TopicPartition;
use crate::validate::ValidatedBatch;

/// What opening a log needs.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The partition.
    pub partition: TopicPartition,
    /// The partition's own directory, `<log dir>/<topic>-<partition>`.
    pub dir: PathBuf,
    /// Its settings.
    pub config: Arc<LogConfig>,
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// The broker's bound on open files.
    pub open_files: Arc<OpenFiles>,
    /// Whether the log directory works.
    pub health: Arc<LogDirHealth>,
    /// From `log-start-offset-checkpoint`; 0 where it names none.
    pub log_start_offset: i64,
    /// From `recovery-point-offset-checkpoint`; 0 where it names none.
    pub recovery_point: i64,
    /// Whether the broker was stopped cleanly, so that nothing has to be recovered.
    pub clean_shutdown: bool,
}

/// What an append did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    /// The first record's offset.
    pub first_offset: i64,
    /// The last record's offset.
    pub last_offset: i64,
    /// The broker's time where `message.timestamp.type` is `LogAppendTime`, else −1.
    pub log_append_time_ms: i64,
    /// The log start offset.
    pub log_start_offset: i64,
    /// Whether the batch had been appended before: nothing was written, and the offsets are those of then.
    pub duplicate: bool,
    /// Whether a segment was rolled: a flush up to its base offset is due in the background.
    pub rolled: bool,
}

/// The log of one partition: segments, of which the last one is appended to.
#[derive(Debug)]
pub struct Log {
    home: Arc<LogHome>,
    config: Arc<LogConfig>,
    segments: BTreeMap<i64, Arc<Segment>>,
    log_start_offset: i64,
    log_end_offset: i64,
    recovery_point: i64,
}

impl Log {
    /// Opens the log, creating it where it is missing.
    pub fn open(options: LogOptions, now_ms: i64) -> Result<Self, OpenError> {
        let LogOptions {
            partition,
            dir,
            config,
            disk,
            open_files,
            health,
            ..
        } = options;
        let home = LogHome::new(partition, dir, disk, open_files, health);
        home.check("create the directory", home.disk().create_dir_all(&home.dir()))?;
        let start = options.log_start_offset;
        let segment = home.check("create a segment", Segment::create(&home, start, &config, now_ms))?;
        let segments = BTreeMap::from([(segment.base_offset(), segment)]);
        let recovery_point = options.recovery_point.min(start);
        Ok(Self {
            home,
            config,
            segments,
            log_start_offset: start,
            log_end_offset: start,
            recovery_point,
        })
    }

    /// The partition.
    pub fn partition(&self) -> &TopicPartition {
        &self.home.partition
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset
    }

    /// The next offset to be written.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end_offset
    }

    /// Everything below is on disk.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point
    }

    /// Bytes of records in all segments.
    pub fn size(&self) -> u64 {
        self.segments.values().map(|segment| segment.size()).sum()
    }

    /// Appends a batch from a client, giving it the next offsets and the leader's epoch.
    pub fn append_as_leader(
        &mut self,
        batch: ValidatedBatch,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        let mut results = self.append_all([batch], leader_epoch, now_ms);
        results.pop().expect("one result per batch")
    }

    /// Appends several batches that met, in order, with as few writes as possible; one result per batch.
    pub fn append_all(
        &mut self,
        batches: impl IntoIterator<Item = ValidatedBatch>,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Vec<Result<AppendInfo, AppendError>> {
        batches
            .into_iter()
            .map(|batch| self.append_one(&batch, leader_epoch, now_ms))
            .collect()
    }

    fn append_one(
        &mut self,
        batch: &ValidatedBatch,
        leader_epoch: i32,
        _now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        self.home.health().check()?;
        let size = batch.size_in_bytes();
        let segment_bytes = self.config.segment_bytes;
        if size > segment_bytes as usize {
            let partition = self.home.partition.clone();
            return Err(AppendError::RecordBatchTooLarge {
                partition,
                size,
                segment_bytes,
            });
        }
        let (header, head, body) = batch.placed_at(self.log_end_offset, leader_epoch);
        self.write(&header, &head, &body)?;
        Ok(AppendInfo {
            first_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time_ms: -1,
            log_start_offset: self.log_start_offset,
            duplicate: false,
            rolled: false,
        })
    }

    fn write(&mut self, header: &BatchHeader, head: &[u8; BATCH_HEADER_LEN], body: &Bytes) -> Result<(), AppendError> {
        let placed = Placed {
            header: *header,
            size: BATCH_HEADER_LEN + body.len(),
        };
        let written = self
            .active()
            .append(&[head, body], &[placed], self.config.index_interval_bytes);
        self.home.check("append", written)?;
        self.log_end_offset = header.last_offset() + 1;
        Ok(())
    }

    fn active(&self) -> &Arc<Segment> {
        self.segments.last_key_value().expect("a log has an active segment").1
    }

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
        let from = from_segment.unwrap_or(offset);
        let Some((_, segment)) = self.segments.range(..=from).next_back() else {
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
