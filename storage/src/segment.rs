//! One segment: the file with the records and its indexes. Appends come from the log's owner alone; reads may run beside them.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::batch::BatchHeader;
use crate::damage::Damage;
use crate::disk::LogFile;
use crate::index_file::SegmentFile;
use crate::log_config::LogConfig;
use crate::log_home::LogHome;
use crate::offset_index::{Lookup, OffsetIndex};
use crate::scan::{BatchScan, Found, Located, ReadMode};
use crate::time_index::{TimeIndex, TimestampOffset};

/// How many of the newest batches are remembered with their exact position.
const RECENT: usize = 32;

/// A batch that is about to be written, as it will stand in the file.
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
    /// The records' file from the first append until it is flushed as a sealed one: the hot path need not ask for it, and
    /// nothing that is not durable yet depends on opening it again.
    pinned: RwLock<Option<Arc<dyn LogFile>>>,
    size: AtomicU64,
    deleted: AtomicBool,
    damage: Damage,
    max_index_bytes: i32,
    state: Mutex<SegmentState>,
}

#[derive(Debug)]
struct SegmentState {
    /// Loaded from the files when first needed.
    indexes: Option<Indexes>,
    bytes_since_last_index_entry: u64,
    /// The first batch's timestamp, which time-based rolling counts from.
    rolling_based_timestamp: Option<i64>,
    max_timestamp_so_far: Option<TimestampOffset>,
    created_ms: i64,
    modified_ms: i64,
    recent: VecDeque<Recent>,
}

#[derive(Debug)]
pub(crate) struct Indexes {
    pub(crate) offset: OffsetIndex,
    pub(crate) time: TimeIndex,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    base_offset: i64,
    last_offset: i64,
    position: u64,
}

impl Located for Segment {
    fn path(&self) -> PathBuf {
        self.log.path()
    }
}

impl Segment {
    /// A new, empty segment; its three files are created.
    pub(crate) fn create(
        home: &Arc<LogHome>,
        base_offset: i64,
        config: &LogConfig,
        now_ms: i64,
    ) -> io::Result<Arc<Self>> {
        let segment = Self::existing(home, base_offset, config, 0, now_ms);
        let file = segment.pin()?;
        file.truncate(0)?;
        if config.preallocate {
            file.fallocate(0, config.segment_bytes as u64)?;
        }
        segment.reset_indexes()?;
        segment.state.lock().max_timestamp_so_far = Some(TimestampOffset::none(base_offset));
        Ok(Arc::new(segment))
    }

    /// A segment that is there, with `size` bytes of records. No file is opened.
    pub(crate) fn existing(
        home: &Arc<LogHome>,
        base_offset: i64,
        config: &LogConfig,
        size: u64,
        modified_ms: i64,
    ) -> Self {
        Self {
            base_offset,
            home: home.clone(),
            log: SegmentFile::new(home, base_offset, ".log"),
            pinned: RwLock::new(None),
            size: AtomicU64::new(size),
            deleted: AtomicBool::new(false),
            damage: Damage::default(),
            max_index_bytes: config.segment_index_bytes,
            state: Mutex::new(SegmentState {
                indexes: None,
                bytes_since_last_index_entry: 0,
                rolling_based_timestamp: None,
                max_timestamp_so_far: None,
                created_ms: modified_ms,
                modified_ms,
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

    /// Whether the segment has left its log, so that its files may be gone.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// What was found damaged.
    pub(crate) fn damage(&self) -> &Damage {
        &self.damage
    }

    /// What was found in its files. Nothing, where they have gone since the segment was deleted: that says nothing about the disk.
    pub(crate) fn unless_gone<T>(&self, found: io::Result<T>) -> io::Result<Option<T>> {
        match found {
            // In this order: the mark comes before the files go.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_deleted() => Ok(None),
            found => found.map(Some),
        }
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

    /// Lets go of the records' file: it is opened again when somebody reads.
    pub(crate) fn unpin(&self) {
        *self.pinned.write() = None;
    }

    /// Works on the indexes, loading them where that has not happened yet.
    pub(crate) fn with_indexes<T>(&self, work: impl FnOnce(&mut Indexes) -> io::Result<T>) -> io::Result<T> {
        work(self.loaded(&mut self.state.lock())?)
    }

    fn loaded<'a>(&self, state: &'a mut SegmentState) -> io::Result<&'a mut Indexes> {
        if state.indexes.is_none() {
            let (offset, time) = self.index_files();
            state.indexes = Some(Indexes {
                offset: OffsetIndex::load(offset, self.base_offset, self.max_index_bytes)?,
                time: TimeIndex::load(time, self.base_offset, self.max_index_bytes)?,
            });
        }
        Ok(state.indexes.as_mut().expect("just loaded"))
    }

    fn index_files(&self) -> (SegmentFile, SegmentFile) {
        let file = |suffix| SegmentFile::new(&self.home, self.base_offset, suffix);
        (file(".index"), file(".timeindex"))
    }

    /// Begins with empty indexes, whatever the files hold.
    pub(crate) fn reset_indexes(&self) -> io::Result<()> {
        let (offset, time) = self.index_files();
        let mut state = self.state.lock();
        state.indexes = Some(Indexes {
            offset: OffsetIndex::create(offset, self.base_offset, self.max_index_bytes)?,
            time: TimeIndex::create(time, self.base_offset, self.max_index_bytes)?,
        });
        state.max_timestamp_so_far = Some(TimestampOffset::none(self.base_offset));
        state.bytes_since_last_index_entry = 0;
        state.recent.clear();
        Ok(())
    }

    /// Begins with the indexes as they are now, after something of them was dropped.
    pub(crate) fn restart_from_indexes(&self) {
        let mut state = self.state.lock();
        state.max_timestamp_so_far = None;
        state.bytes_since_last_index_entry = 0;
        state.recent.clear();
    }

    /// Whether `size` more bytes up to `last_offset` do not fit, or the segment's time is over.
    pub(crate) fn should_roll(
        &self,
        config: &LogConfig,
        size: usize,
        last_offset: i64,
        max_timestamp: i64,
        now_ms: i64,
    ) -> io::Result<bool> {
        let own_size = self.size();
        let mut state = self.state.lock();
        let indexes = self.loaded(&mut state)?;
        if own_size + size as u64 > config.segment_bytes as u64
            || indexes.offset.is_full()
            || indexes.time.is_full()
            || !indexes.offset.can_append_offset(last_offset)
        {
            return Ok(true);
        }
        if own_size == 0 {
            return Ok(false);
        }
        let waited = match self.first_timestamp(&mut state)? {
            Some(first) => max_timestamp - first,
            None => now_ms - state.created_ms,
        };
        let partition = &self.home.partition;
        let jitter = config.roll_jitter_ms(&partition.topic, partition.partition, self.base_offset);
        Ok(waited > config.segment_ms - jitter)
    }

    fn first_timestamp(&self, state: &mut SegmentState) -> io::Result<Option<i64>> {
        if state.rolling_based_timestamp.is_none() && self.size() > 0 {
            let file = self.file()?;
            let first = BatchScan::new(self, file.as_ref(), ReadMode::Blocking, 0, self.size()).next()?;
            state.rolling_based_timestamp = first.map(|found| found.header.max_timestamp);
        }
        Ok(state.rolling_based_timestamp.filter(|&timestamp| timestamp >= 0))
    }

    /// Appends batches that lie one behind the other in `bufs`.
    pub(crate) fn append(&self, bufs: &[&[u8]], batches: &[Placed], config: &LogConfig, now_ms: i64) -> io::Result<()> {
        let mut position = self.size();
        self.pin()?.pwritev(bufs, position)?;
        let mut state = self.state.lock();
        state.modified_ms = now_ms;
        for batch in batches {
            self.note_append(&mut state, batch, position, config.index_interval_bytes)?;
            position += batch.size as u64;
        }
        self.size.store(position, Ordering::Release);
        Ok(())
    }

    /// Takes a batch at `position` into the indexes: an entry of both whenever more than the interval lies behind the last one.
    fn note_append(&self, state: &mut SegmentState, batch: &Placed, position: u64, interval: i32) -> io::Result<()> {
        let header = &batch.header;
        if position == 0 {
            state.rolling_based_timestamp = Some(header.max_timestamp);
        }
        let largest = self.note_timestamp(state, header)?;
        if state.bytes_since_last_index_entry > interval as u64 {
            let indexes = self.loaded(state)?;
            // A follower of Kafka's names the last offset of all that it appended at once, at the place of its first batch. Where
            // recovery begins behind such an entry, the other batches are covered by it already.
            if indexes.offset.is_behind(header.last_offset()) {
                indexes.offset.append(header.last_offset(), position as u32)?;
                indexes.time.maybe_append(largest)?;
                state.bytes_since_last_index_entry = 0;
            }
        }
        state.bytes_since_last_index_entry += batch.size as u64;
        if state.recent.len() == RECENT {
            state.recent.pop_front();
        }
        let (base_offset, last_offset) = (header.base_offset, header.last_offset());
        state.recent.push_back(Recent {
            base_offset,
            last_offset,
            position,
        });
        Ok(())
    }

    fn note_timestamp(&self, state: &mut SegmentState, header: &BatchHeader) -> io::Result<TimestampOffset> {
        let mut largest = self.max_timestamp(state)?;
        if header.max_timestamp > largest.timestamp {
            largest = TimestampOffset {
                timestamp: header.max_timestamp,
                offset: header.last_offset(),
            };
            state.max_timestamp_so_far = Some(largest);
        }
        Ok(largest)
    }

    fn max_timestamp(&self, state: &mut SegmentState) -> io::Result<TimestampOffset> {
        if let Some(largest) = state.max_timestamp_so_far {
            return Ok(largest);
        }
        let largest = self.loaded(state)?.time.last_entry();
        state.max_timestamp_so_far = Some(largest);
        Ok(largest)
    }

    /// The largest timestamp so far and the last offset of the first batch that has it; (−1, base offset) for none.
    pub(crate) fn max_timestamp_so_far(&self) -> io::Result<TimestampOffset> {
        self.max_timestamp(&mut self.state.lock())
    }

    /// The largest timestamp, or where no record has one the time of the last write.
    pub(crate) fn largest_timestamp(&self) -> io::Result<i64> {
        let mut state = self.state.lock();
        let largest = self.max_timestamp(&mut state)?.timestamp;
        Ok(if largest >= 0 { largest } else { state.modified_ms })
    }

    /// Takes a batch in that recovery has found valid at `position`.
    pub(crate) fn note_recovered(&self, header: &BatchHeader, position: u64, config: &LogConfig) -> io::Result<()> {
        let batch = Placed {
            header: *header,
            size: header.size_in_bytes(),
        };
        self.note_append(&mut self.state.lock(), &batch, position, config.index_interval_bytes)
    }

    /// A position at or before the batch that holds `offset`, from the index. An index that is not loaded counts as cold.
    pub(crate) fn lower_bound(&self, offset: i64, mode: ReadMode) -> io::Result<u64> {
        let mut state = self.state.lock();
        if state.indexes.is_none() && mode == ReadMode::NoWait {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let search = match self.loaded(&mut state)?.offset.begin_lookup(offset)? {
            Lookup::Found(position) => return Ok(u64::from(position)),
            Lookup::InFile(search) => search,
        };
        drop(state);
        match (search.run(mode), mode) {
            // Truncated meanwhile: where it can wait for the lock, the index is asked again under it.
            (Err(error), ReadMode::NoWait) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            (Err(error), ReadMode::Blocking) if error.kind() == io::ErrorKind::UnexpectedEof => self
                .with_indexes(|indexes| indexes.offset.lookup(offset, mode))
                .map(u64::from),
            (position, _) => position.map(u64::from),
        }
    }

    /// A position at or before the first record that is not older than `timestamp` nor below `offset`, from the indexes.
    pub(crate) fn position_for_timestamp(&self, timestamp: i64, offset: i64) -> io::Result<u64> {
        self.with_indexes(|indexes| {
            let entry = indexes.time.lookup(timestamp)?;
            indexes.offset.lookup(entry.offset.max(offset), ReadMode::Blocking)
        })
        .map(u64::from)
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

    /// The first batch whose last offset is not below `offset`, within the first `end` bytes. An error where damage lies on the way:
    /// what is behind it must not be taken for what follows.
    pub(crate) fn translate_offset(&self, offset: i64, end: u64, mode: ReadMode) -> io::Result<Option<Found>> {
        let from = self.lower_bound(offset, mode)?;
        let file = self.file()?;
        let mut scan = BatchScan::new(self, file.as_ref(), mode, from, end);
        let mut first = true;
        loop {
            match scan.next()? {
                // An entry names a batch at or before the offset: one that does not is wrong, and so is one that names no batch.
                Some(found) if first && from > 0 && found.header.base_offset > offset => break,
                None if first && from > 0 => break,
                Some(found) if found.header.last_offset() >= offset => return Ok(Some(found)),
                Some(_) => first = false,
                None => return scan.expect_end().map(|()| None),
            }
        }
        let mut scan = BatchScan::new(self, file.as_ref(), mode, 0, end);
        while let Some(found) = scan.next()? {
            if found.header.last_offset() >= offset {
                return Ok(Some(found));
            }
        }
        scan.expect_end().map(|()| None)
    }

    /// Whether the indexes end within the segment's records, of which the last has the offset before `end_offset`.
    pub(crate) fn indexes_fit(&self, end_offset: i64) -> io::Result<bool> {
        let size = self.size();
        self.with_indexes(|indexes| {
            let range = self.base_offset..end_offset.max(self.base_offset + 1);
            let last = indexes.offset.last_entry()?;
            let fits = last.is_none_or(|last| range.contains(&last.offset) && u64::from(last.position) < size);
            Ok(fits && range.contains(&indexes.time.last_entry().offset))
        })
    }

    /// The offset behind the last batch, and where that batch ends: less than the size where no whole batch follows.
    pub(crate) fn read_next_offset(&self) -> io::Result<(i64, u64)> {
        let from = self.with_indexes(|indexes| Ok(indexes.offset.last_entry()?.map_or(0, |entry| entry.position)))?;
        let file = self.file()?;
        let mut scan = BatchScan::new(self, file.as_ref(), ReadMode::Blocking, u64::from(from), self.size());
        let mut next_offset = self.base_offset;
        while let Some(found) = scan.next()? {
            next_offset = found.header.last_offset() + 1;
        }
        Ok((next_offset, scan.position()))
    }

    /// Closes the segment for appends: the last entry of the time index, and no allocated space behind what is there.
    pub(crate) fn on_become_inactive(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let largest = self.max_timestamp(&mut state)?;
        let indexes = self.loaded(&mut state)?;
        indexes.time.maybe_append(largest)?;
        indexes.offset.file_mut().trim()?;
        indexes.time.file_mut().trim()?;
        state.recent = VecDeque::new();
        self.trim_log()
    }

    fn trim_log(&self) -> io::Result<()> {
        let file = self.file()?;
        if file.size()? > self.size() {
            file.truncate(self.size())?;
        }
        Ok(())
    }

    /// Writes the index entries that are only in memory.
    pub(crate) fn write_indexes(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let Some(indexes) = &mut state.indexes else {
            return Ok(());
        };
        indexes.offset.file_mut().write_tail()?;
        indexes.time.file_mut().write_tail()
    }

    /// Makes all that is there durable.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.file()?.fsync()?;
        let mut state = self.state.lock();
        let Some(indexes) = &mut state.indexes else {
            return Ok(());
        };
        let offset = indexes.offset.file_mut().unsynced()?;
        let time = indexes.time.file_mut().unsynced()?;
        // The lock is not held while the disk works.
        drop(state);
        offset.iter().chain(&time).try_for_each(|sync| sync.file.fsync())?;
        if let Some(indexes) = &mut self.state.lock().indexes {
            offset
                .iter()
                .for_each(|sync| indexes.offset.file_mut().note_synced(sync));
            time.iter().for_each(|sync| indexes.time.file_mut().note_synced(sync));
        }
        Ok(())
    }

    /// Drops the batches from the one that holds `offset` on; answers that one's base offset.
    pub(crate) fn truncate_to(&self, offset: i64, now_ms: i64) -> io::Result<Option<i64>> {
        let size = self.size();
        let found = self.translate_offset(offset, size, ReadMode::Blocking)?;
        self.truncate_at(found.map_or(size, |found| found.position), offset, now_ms)?;
        Ok(found.map(|found| found.header.base_offset))
    }

    /// Cuts the file at `position`, where the first batch that holds `offset` or a later one begins.
    pub(crate) fn truncate_at(&self, position: u64, offset: i64, now_ms: i64) -> io::Result<()> {
        let mut state = self.state.lock();
        let indexes = self.loaded(&mut state)?;
        indexes.offset.truncate_to(offset)?;
        indexes.time.truncate_to(offset)?;
        self.pin()?.truncate(position)?;
        self.size.store(position, Ordering::Release);
        self.damage.note_truncated(position);
        state.bytes_since_last_index_entry = 0;
        state.recent.clear();
        state.max_timestamp_so_far = None;
        state.modified_ms = now_ms;
        if position == 0 {
            state.created_ms = now_ms;
            state.rolling_based_timestamp = None;
        }
        self.reload_max_timestamp(&mut state)
    }

    /// The largest timestamp from the last entry of the time index and the batches behind it.
    fn reload_max_timestamp(&self, state: &mut SegmentState) -> io::Result<()> {
        let indexes = self.loaded(state)?;
        let last = indexes.time.last_entry();
        let from = indexes.offset.lookup(last.offset, ReadMode::Blocking)?;
        state.max_timestamp_so_far = Some(last);
        let file = self.file()?;
        let mut scan = BatchScan::new(self, file.as_ref(), ReadMode::Blocking, u64::from(from), self.size());
        while let Some(found) = scan.next()? {
            self.note_timestamp(state, &found.header)?;
        }
        Ok(())
    }

    /// Renames the files to `*.deleted`; readers that are under way go on. Answers the new names.
    pub(crate) fn mark_deleted(&self) -> io::Result<Vec<PathBuf>> {
        self.deleted.store(true, Ordering::Release);
        let (offset, time) = self.index_files();
        let transactions = SegmentFile::new(&self.home, self.base_offset, ".txnindex");
        let mut paths = Vec::new();
        for file in [&self.log, &offset, &time, &transactions] {
            paths.extend(file.mark_deleted()?);
        }
        Ok(paths)
    }
}
