//! What leaves a log: old segments by time, size and log start offset, and the end of a log that has diverged from its leader's.
//!
//! What takes long is done without the log: reading timestamps ([`OldestSegments`]) and removing files ([`DeletedFiles`]). Renaming is
//! not: a name must not be taken by a new segment before the old one has lost it. It is metadata alone, and bounded.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::TopicPartition;

use crate::error::LogDirFailure;
use crate::log::Log;
use crate::log_home::LogHome;
use crate::segment::Segment;

/// How many segments lose their names at once.
const MAX_DELETED_AT_ONCE: usize = 16;

/// Files called `*.deleted`, which nobody looks for any more.
#[derive(Debug)]
pub struct DeletedFiles {
    home: Arc<LogHome>,
    due_ms: i64,
    paths: Vec<PathBuf>,
}

impl DeletedFiles {
    /// Removes them.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn remove(&self) -> Result<(), LogDirFailure> {
        for path in &self.paths {
            let removed = match self.home.disk().remove_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            };
            self.home.check("remove a deleted segment", removed)?;
        }
        Ok(())
    }
}

/// The segments that [`Log::delete_old_segments`] looks at next.
#[derive(Debug)]
pub struct OldestSegments {
    home: Arc<LogHome>,
    segments: Vec<Arc<Segment>>,
}

impl OldestSegments {
    /// Reads what decides about them, so that the decision waits for no disk.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn load(&self) -> Result<(), LogDirFailure> {
        for segment in &self.segments {
            let loaded = segment.unless_gone(segment.largest_timestamp());
            self.home.check("look at a segment's timestamps", loaded)?;
        }
        Ok(())
    }
}

/// Why the log start offset was not raised.
#[derive(Debug, thiserror::Error)]
pub enum LogStartOffsetError {
    /// `KAFKA_STORAGE_ERROR`: the directory is offline.
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
    /// `NOT_LEADER_OR_FOLLOWER`: the broker stops, and the log is closed.
    #[error("{partition}: the log is closed")]
    Closed {
        /// The partition.
        partition: TopicPartition,
    },
    /// `OFFSET_OUT_OF_RANGE`.
    #[error("{partition}: cannot raise the log start offset to {requested}: the high watermark is {high_watermark}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset that was asked for.
        requested: i64,
        /// Up to where records may be deleted.
        high_watermark: i64,
    },
}

impl Log {
    /// Raises the log start offset (DeleteRecords); answers whether it moved. Files go with the next
    /// [`Log::delete_old_segments`].
    pub fn increment_log_start_offset(
        &mut self,
        log_start_offset: i64,
        high_watermark: i64,
    ) -> Result<bool, LogStartOffsetError> {
        self.home.health().check()?;
        if self.closed {
            let partition = self.home.partition.clone();
            return Err(LogStartOffsetError::Closed { partition });
        }
        if log_start_offset > high_watermark {
            let (partition, requested) = (self.home.partition.clone(), log_start_offset);
            return Err(LogStartOffsetError::OffsetOutOfRange {
                partition,
                requested,
                high_watermark,
            });
        }
        if log_start_offset <= self.log_start_offset {
            return Ok(false);
        }
        self.log_start_offset = log_start_offset;
        self.unsynced.mark();
        self.epochs.truncate_from_start(log_start_offset);
        Ok(true)
    }

    /// The segments that retention looks at next; what it needs of them is to be loaded without the log.
    pub fn oldest_segments(&self) -> OldestSegments {
        let by_time = self.config.cleanup_policy.delete && self.config.retention_ms >= 0;
        let count = if by_time { MAX_DELETED_AT_ONCE } else { 0 };
        OldestSegments {
            home: self.home.clone(),
            segments: self.segments.values().take(count).cloned().collect(),
        }
    }

    /// Deletes the segments that lie wholly below the log start offset and, where `cleanup.policy` says `delete`, those that exceed
    /// `retention.bytes` or `retention.ms`; never one that reaches the high watermark. Answers how many: a bounded number at once,
    /// until 0 says that there are no more. The files stay as `*.deleted` until [`Log::take_deleted_files`].
    pub fn delete_old_segments(&mut self, high_watermark: i64, now_ms: i64) -> Result<usize, LogDirFailure> {
        self.home.health().check()?;
        let log_start_offset = self.log_start_offset;
        let below_start = |_: &Segment, next: Option<i64>| Ok(next.is_some_and(|next| next <= log_start_offset));
        let deleted = self.delete_while(high_watermark, now_ms, below_start)?;
        if deleted > 0 || !self.config.cleanup_policy.delete {
            return Ok(deleted);
        }
        let retention_bytes = self.config.retention_bytes;
        if retention_bytes >= 0 && self.size() >= retention_bytes as u64 {
            let mut excess = self.size() - retention_bytes as u64;
            let deleted = self.delete_while(high_watermark, now_ms, |segment, _| {
                let exceeds = excess >= segment.size();
                excess = excess.saturating_sub(segment.size());
                Ok(exceeds)
            })?;
            if deleted > 0 {
                return Ok(deleted);
            }
        }
        let retention_ms = self.config.retention_ms;
        if retention_ms < 0 {
            return Ok(0);
        }
        let is_old = |segment: &Segment, _| Ok(now_ms - segment.largest_timestamp()? > retention_ms);
        self.delete_while(high_watermark, now_ms, is_old)
    }

    /// Deletes segments from the oldest on as long as the predicate – of a segment and the next one's base offset – holds, and no
    /// more than a few. An empty last one stays.
    fn delete_while(
        &mut self,
        high_watermark: i64,
        now_ms: i64,
        mut predicate: impl FnMut(&Segment, Option<i64>) -> std::io::Result<bool>,
    ) -> Result<usize, LogDirFailure> {
        let mut deletable = 0;
        let mut segments = self.segments.values().peekable();
        while deletable < MAX_DELETED_AT_ONCE
            && let Some(segment) = segments.next()
        {
            let next = segments.peek().map(|next| next.base_offset());
            let is_last_and_empty = next.is_none() && segment.size() == 0;
            if high_watermark < next.unwrap_or(self.log_end_offset) || is_last_and_empty {
                break;
            }
            if !self
                .home
                .check("look at a segment's timestamps", predicate(segment, next))?
            {
                break;
            }
            deletable += 1;
        }
        self.delete_first(deletable, now_ms)?;
        Ok(deletable)
    }

    fn delete_first(&mut self, count: usize, now_ms: i64) -> Result<(), LogDirFailure> {
        if count == 0 {
            return Ok(());
        }
        // There is always a segment to append to.
        if count == self.segments.len() {
            self.roll_at(self.log_end_offset, now_ms)?;
        }
        let first_kept = *self.segments.keys().nth(count).expect("a segment is kept");
        let kept = self.segments.split_off(&first_kept);
        let gone = std::mem::replace(&mut self.segments, kept);
        self.log_start_offset = self.log_start_offset.max(first_kept);
        self.delete_files(gone.into_values(), now_ms)?;
        self.epochs.truncate_from_start(self.log_start_offset);
        let removed = self.snapshots.retain(|offset| offset >= first_kept);
        self.home.check("remove a snapshot of the producers", removed)
    }

    pub(crate) fn delete_files(
        &mut self,
        segments: impl Iterator<Item = Arc<Segment>>,
        now_ms: i64,
    ) -> Result<(), LogDirFailure> {
        let mut paths = Vec::new();
        for segment in segments {
            segment.unpin();
            paths.extend(self.home.check("delete a segment", segment.mark_deleted())?);
        }
        self.unsynced.mark().names = true;
        self.deleted.push_back(DeletedFiles {
            home: self.home.clone(),
            due_ms: now_ms.saturating_add(self.config.file_delete_delay_ms),
            paths,
        });
        Ok(())
    }

    /// Files of deleted segments whose `file.delete.delay.ms` is over: to be removed without the log, since unlinking large files
    /// takes long. `None` where there are no more.
    pub fn take_deleted_files(&mut self, now_ms: i64) -> Option<DeletedFiles> {
        self.deleted.pop_front_if(|files| files.due_ms <= now_ms)
    }

    /// Removes the files of deleted segments whose `file.delete.delay.ms` is over.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn remove_deleted_files(&mut self, now_ms: i64) -> Result<(), LogDirFailure> {
        while let Some(files) = self.take_deleted_files(now_ms) {
            files.remove()?;
        }
        Ok(())
    }

    /// Drops everything from `offset` on; the batch that holds it goes whole, and the log ends before it. Answers whether there was
    /// anything to drop. The recovery point may go back with it: write the checkpoint before the next append, or a crash would
    /// trust what was dropped.
    pub fn truncate_to(&mut self, offset: i64, now_ms: i64) -> Result<bool, LogDirFailure> {
        assert!(offset >= 0, "{}: cannot truncate to {offset}", self.home.partition);
        self.home.health().check()?;
        if offset >= self.log_end_offset {
            // A leader that was elected but never appended may have left an epoch that begins at the end.
            self.epochs.truncate_from_end(self.log_end_offset);
            return Ok(false);
        }
        if self
            .segments
            .first_key_value()
            .is_some_and(|(&first, _)| first > offset)
        {
            self.truncate_fully_and_start_at(offset, offset, now_ms)?;
            return Ok(true);
        }
        self.begin_truncation(offset);
        let above = self.segments.split_off(&(offset + 1));
        self.delete_files(above.into_values(), now_ms)?;
        let truncated = self.active().truncate_to(offset, now_ms);
        let first_dropped = self.home.check("truncate", truncated)?;
        let end = first_dropped
            .map_or(offset, |base| base.min(offset))
            .max(self.log_start_offset);
        self.end_truncation(end, now_ms)?;
        Ok(true)
    }

    fn begin_truncation(&mut self, offset: i64) {
        self.truncations += 1;
        self.unsynced.mark().truncated = true;
        self.unsynced.names = true;
        self.recovery_point = self.recovery_point.min(offset);
        self.log_start_offset = self.log_start_offset.min(offset);
    }

    /// Offsets, epochs and producers follow what the segments hold now.
    fn end_truncation(&mut self, offset: i64, now_ms: i64) -> Result<(), LogDirFailure> {
        self.log_end_offset = offset;
        self.recovery_point = self.recovery_point.min(offset);
        self.epochs.truncate_from_end(offset);
        let reloaded = self.reload_producers(now_ms);
        self.home.check("rebuild the producers' state", reloaded)
    }

    /// Drops everything; the log goes on at `offset`, and is readable from `log_start_offset` on.
    pub fn truncate_fully_and_start_at(
        &mut self,
        offset: i64,
        log_start_offset: i64,
        now_ms: i64,
    ) -> Result<(), LogDirFailure> {
        self.home.health().check()?;
        self.begin_truncation(offset);
        let gone = std::mem::take(&mut self.segments);
        self.delete_files(gone.into_values(), now_ms)?;
        let segment = Segment::create(&self.home, offset, &self.config, now_ms);
        self.segments
            .insert(offset, self.home.check("create a segment", segment)?);
        self.log_start_offset = log_start_offset;
        let removed = self.snapshots.retain(|_| false);
        self.home.check("remove the snapshots of the producers", removed)?;
        self.epochs.clear();
        self.end_truncation(offset, now_ms)
    }
}
