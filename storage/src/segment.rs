//! One segment: the file with the records and its indexes. Appends come from the log's owner alone; reads may run beside them.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::batch::BatchHeader;
use crate::disk::{Disk, LogFile};
use crate::error::{LogDirFailure, LogDirHealth};
use crate::index_file::SegmentFile;
use crate::log_config::LogConfig;
use crate::offset_index::OffsetIndex;
use crate::open_files::OpenFiles;
use crate::scan::{BatchScan, Found, ReadMode};
use crate::time_index::{TimeIndex, TimestampOffset};
use crate::topic_partition::TopicPartition;

/// How many of the newest batches are remembered with their exact position.
const RECENT: usize = 32;

/// What a log and its segments share: where they are and through what they are reached.
#[derive(Debug)]
pub(crate) struct LogHome {
    pub(crate) partition: TopicPartition,
    disk: Arc<dyn Disk>,
    open_files: Arc<OpenFiles>,
    health: Arc<LogDirHealth>,
    dir: RwLock<PathBuf>,
}

impl LogHome {
    pub(crate) fn new(
        partition: TopicPartition,
        dir: PathBuf,
        disk: Arc<dyn Disk>,
        open_files: Arc<OpenFiles>,
        health: Arc<LogDirHealth>,
    ) -> Arc<Self> {
        Arc::new(Self {
            partition,
            disk,
            open_files,
            health,
            dir: RwLock::new(dir),
        })
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub(crate) fn open_files(&self) -> &Arc<OpenFiles> {
        &self.open_files
    }

    pub(crate) fn health(&self) -> &Arc<LogDirHealth> {
        &self.health
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.read().clone()
    }

    pub(crate) fn set_dir(&self, dir: &Path) {
        *self.dir.write() = dir.to_path_buf();
    }

    /// Passes a result on; an error takes the directory offline.
    pub(crate) fn check<T>(&self, action: &str, result: io::Result<T>) -> Result<T, LogDirFailure> {
        result.map_err(|error| {
            self.health
                .fail(|| format!("{action} in {}", self.dir().display()), &error)
        })
    }
}

/// A batch that is about to be written: its header as it will stand in the file, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub header: BatchHeader,
    pub size: usize,
}

#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    home: Arc<LogHome>,
    log: SegmentFile,
    /// The records' file while the segment is active and in use, so that the hot path never asks for it.
    pinned: RwLock<Option<Arc<dyn LogFile>>>,
    size: AtomicU64,
    state: Mutex<SegmentState>,
}

#[derive(Debug)]
pub(crate) struct SegmentState {
    pub(crate) offset_index: OffsetIndex,
    pub(crate) time_index: TimeIndex,
    bytes_since_last_index_entry: u64,
    /// The first batch's timestamp, which time-based rolling counts from.
    rolling_based_timestamp: Option<i64>,
    /// `None`: not read from the time index yet.
    max_timestamp_so_far: Option<TimestampOffset>,
    created_ms: i64,
    recent: VecDeque<Recent>,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    base_offset: i64,
    last_offset: i64,
    position: u64,
}

impl Segment {
    /// A new, empty segment; its three files are created.
    pub(crate) fn create(
        home: &Arc<LogHome>,
        base_offset: i64,
        config: &LogConfig,
        now_ms: i64,
    ) -> io::Result<Arc<Self>> {
        let segment = Self::empty(home, base_offset, config, now_ms);
        let file = segment.log.create()?;
        if config.preallocate {
            file.fallocate(0, config.segment_bytes as u64)?;
        }
        {
            let state = segment.state.lock();
            state.offset_index.file().file().create()?;
            state.time_index.file().file().create()?;
        }
        Ok(Arc::new(segment))
    }

    fn empty(home: &Arc<LogHome>, base_offset: i64, config: &LogConfig, now_ms: i64) -> Self {
        let index_bytes = config.segment_index_bytes;
        Self {
            base_offset,
            home: home.clone(),
            log: SegmentFile::new(home, base_offset, ".log"),
            pinned: RwLock::new(None),
            size: AtomicU64::new(0),
            state: Mutex::new(SegmentState {
                offset_index: OffsetIndex::empty(
                    SegmentFile::new(home, base_offset, ".index"),
                    base_offset,
                    index_bytes,
                ),
                time_index: TimeIndex::empty(
                    SegmentFile::new(home, base_offset, ".timeindex"),
                    base_offset,
                    index_bytes,
                ),
                bytes_since_last_index_entry: 0,
                rolling_based_timestamp: None,
                max_timestamp_so_far: None,
                created_ms: now_ms,
                recent: VecDeque::new(),
            }),
        }
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Bytes of records; what is allocated behind them does not count.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Where the records' file is.
    pub(crate) fn path(&self) -> PathBuf {
        self.log.path()
    }

    /// The records' file.
    pub(crate) fn file(&self) -> io::Result<Arc<dyn LogFile>> {
        match &*self.pinned.read() {
            Some(file) => Ok(file.clone()),
            None => self.log.open(),
        }
    }

    fn pin(&self) -> io::Result<Arc<dyn LogFile>> {
        if let Some(file) = &*self.pinned.read() {
            return Ok(file.clone());
        }
        let file = self.log.create()?;
        self.log.close();
        *self.pinned.write() = Some(file.clone());
        Ok(file)
    }

    /// Appends batches that lie one behind the other in `bufs`.
    pub(crate) fn append(&self, bufs: &[&[u8]], batches: &[Placed], index_interval_bytes: i32) -> io::Result<()> {
        let mut position = self.size();
        self.pin()?.pwritev(bufs, position)?;
        let mut state = self.state.lock();
        for batch in batches {
            state.note_append(batch, position, index_interval_bytes)?;
            position += batch.size as u64;
        }
        self.size.store(position, Ordering::Release);
        Ok(())
    }

    /// A position at or before the batch that holds `offset`, from the index.
    pub(crate) fn lower_bound(&self, offset: i64) -> io::Result<u64> {
        self.state.lock().offset_index.lookup(offset).map(u64::from)
    }

    /// Where the first batch whose last offset is not below `offset` begins and ends, where the newest batches tell.
    pub(crate) fn recent_position(&self, offset: i64) -> Option<(u64, u64)> {
        let state = self.state.lock();
        let recent = &state.recent;
        if recent.front()?.base_offset > offset {
            return None;
        }
        let n = recent.partition_point(|batch| batch.last_offset < offset);
        let end = recent.get(n + 1).map_or_else(|| self.size(), |next| next.position);
        recent.get(n).map(|batch| (batch.position, end))
    }

    /// The first batch whose last offset is not below `offset`.
    pub(crate) fn translate_offset(&self, offset: i64, end: u64, mode: ReadMode) -> io::Result<Option<Found>> {
        let file = self.file()?;
        let mut scan = BatchScan::new(file.as_ref(), mode, self.lower_bound(offset)?, end);
        while let Some(found) = scan.next()? {
            if found.header.last_offset() >= offset {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl SegmentState {
    fn note_append(&mut self, batch: &Placed, position: u64, index_interval_bytes: i32) -> io::Result<()> {
        let header = &batch.header;
        if position == 0 {
            self.rolling_based_timestamp = Some(header.max_timestamp);
        }
        let mut largest = self.max_timestamp_so_far();
        if header.max_timestamp > largest.timestamp {
            largest = TimestampOffset {
                timestamp: header.max_timestamp,
                offset: header.last_offset(),
            };
            self.max_timestamp_so_far = Some(largest);
        }
        if self.bytes_since_last_index_entry > index_interval_bytes as u64 {
            self.offset_index.append(header.last_offset(), position as u32)?;
            self.time_index.maybe_append(largest)?;
            self.bytes_since_last_index_entry = 0;
        }
        self.bytes_since_last_index_entry += batch.size as u64;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            position,
        });
        Ok(())
    }

    fn max_timestamp_so_far(&mut self) -> TimestampOffset {
        let time_index = &self.time_index;
        *self.max_timestamp_so_far.get_or_insert_with(|| time_index.last_entry())
    }
}
