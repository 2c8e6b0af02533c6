//! The log of one partition: its segments and what is known about them. Appending, reading, retention, truncation, lookup by time
//! and opening have a file each.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::TopicPartition;
use protocol::wire::TopicId;

use crate::error::LogDirFailure;
use crate::flush::FlushPlan;
use crate::leader_epoch_cache::{EpochEndOffset, EpochEntry, LeaderEpochCache};
use crate::log_config::LogConfig;
use crate::log_home::LogHome;
use crate::producer_snapshot::Snapshots;
use crate::producer_state::ProducerState;
use crate::retention::DeletedFiles;
use crate::segment::Segment;

/// The name of the file that holds the leader epochs.
pub(crate) const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
/// The name of the file that holds the topic's id.
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";

/// The log of one partition: segments, of which the last one is appended to.
///
/// It has one owner, who appends; reads are decided by that owner and then run on their own ([`Log::locate`]).
#[derive(Debug)]
pub struct Log {
    pub(crate) home: Arc<LogHome>,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) topic_id: Option<TopicId>,
    /// By base offset; never empty.
    pub(crate) segments: BTreeMap<i64, Arc<Segment>>,
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
    pub(crate) recovery_point: i64,
    pub(crate) last_flushed_ms: i64,
    pub(crate) producers: ProducerState,
    pub(crate) snapshots: Snapshots,
    pub(crate) epochs: LeaderEpochCache,
    /// What `leader-epoch-checkpoint` holds.
    pub(crate) stored_epochs: Vec<EpochEntry>,
    pub(crate) unsynced: Unsynced,
    /// Counts the flushes that were planned.
    pub(crate) flushes: u64,
    /// Counts truncations, so that a flush that began before one says nothing about what came after.
    pub(crate) truncations: u64,
    /// Files called `*.deleted`, to be removed when their time has come.
    pub(crate) deleted: VecDeque<DeletedFiles>,
    /// Nothing is appended any more.
    pub(crate) closed: bool,
}

/// What was written beside the segments and is not durable yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unsynced {
    /// Names in the partition's directory.
    pub(crate) names: bool,
    /// The directory itself and `partition.metadata`.
    pub(crate) created: bool,
    /// The active segment is shorter than it was, which no later append may cover up.
    pub(crate) truncated: bool,
    /// Anything at all since the log was opened or closed.
    pub(crate) changed: bool,
    /// Counts what was marked, so that a flush clears only what it has seen.
    pub(crate) marks: u64,
}

impl Unsynced {
    /// To be called for what is set in the answer.
    pub(crate) fn mark(&mut self) -> &mut Self {
        self.changed = true;
        self.marks += 1;
        self
    }
}

impl Log {
    /// The partition.
    pub fn partition(&self) -> &TopicPartition {
        &self.home.partition
    }

    /// The topic's id, where it is known.
    pub fn topic_id(&self) -> Option<TopicId> {
        self.topic_id
    }

    /// The partition's directory.
    pub fn dir(&self) -> PathBuf {
        self.home.dir()
    }

    /// Notes that the directory has been renamed.
    pub(crate) fn moved_to(&self, dir: &Path) {
        self.home.set_dir(dir);
    }

    /// The settings.
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Replaces the settings; from the next append on they hold.
    pub fn set_config(&mut self, config: Arc<LogConfig>) {
        self.config = config;
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

    /// Bytes of records in all segments; space that is only allocated does not count.
    pub fn size(&self) -> u64 {
        self.segments.values().map(|segment| segment.size()).sum()
    }

    /// How many segments there are; at least one.
    pub fn number_of_segments(&self) -> usize {
        self.segments.len()
    }

    /// The base offset of the segment that is appended to.
    pub fn active_segment_base_offset(&self) -> i64 {
        self.active().base_offset()
    }

    /// What is remembered of idempotent producers.
    pub fn producers(&self) -> &ProducerState {
        &self.producers
    }

    /// Forgets the producers that have been idle for longer than `producer.id.expiration.ms`.
    pub fn remove_expired_producers(&mut self, now_ms: i64) {
        self.producers
            .remove_expired(self.config.producer_id_expiration_ms, now_ms);
    }

    /// The leader epochs and where they begin.
    pub fn leader_epochs(&self) -> &LeaderEpochCache {
        &self.epochs
    }

    /// The latest leader epoch that is known here.
    pub fn latest_epoch(&self) -> Option<i32> {
        self.epochs.latest_entry().map(|entry| entry.epoch)
    }

    /// Where a leader epoch ends (OffsetForLeaderEpoch); `None` for one that is not known here.
    pub fn end_offset_for_epoch(&self, leader_epoch: i32) -> Option<EpochEndOffset> {
        self.epochs.end_offset_for(leader_epoch, self.log_end_offset)
    }

    /// Notes that `leader_epoch` begins at the log end offset: what a new leader does before its first append.
    pub fn assign_leader_epoch(&mut self, leader_epoch: i32) -> Result<(), LogDirFailure> {
        self.home.health().check()?;
        self.assign_epoch_at(leader_epoch, self.log_end_offset);
        Ok(())
    }

    pub(crate) fn assign_epoch_at(&mut self, epoch: i32, start_offset: i64) {
        if epoch >= 0 {
            self.epochs.assign(EpochEntry { epoch, start_offset });
        }
    }

    /// The epochs, where the file does not hold them.
    ///
    /// They are written with each flush, before the recovery point passes the records that they describe; behind it they are read
    /// from the records again. An epoch without records need not survive: the next leader begins at the same offset.
    fn unstored_epochs(&self) -> Option<Vec<EpochEntry>> {
        let with_records = |entry: &EpochEntry| entry.start_offset < self.log_end_offset;
        let epochs: Vec<EpochEntry> = self.epochs.entries().filter(with_records).collect();
        (epochs != self.stored_epochs).then_some(epochs)
    }

    pub(crate) fn active(&self) -> &Arc<Segment> {
        self.segments.last_key_value().expect("a log has an active segment").1
    }

    /// The segment that holds the offset, or would.
    pub(crate) fn floor_segment(&self, offset: i64) -> Option<&Arc<Segment>> {
        self.segments.range(..=offset).next_back().map(|(_, segment)| segment)
    }

    /// Closes the active segment and begins a new one at the log end offset. A flush up to there is due.
    pub fn roll(&mut self, now_ms: i64) -> Result<(), LogDirFailure> {
        self.home.health().check()?;
        self.roll_at(self.log_end_offset, now_ms)
    }

    pub(crate) fn roll_at(&mut self, base_offset: i64, now_ms: i64) -> Result<(), LogDirFailure> {
        let base_offset = base_offset.max(self.log_end_offset);
        if self.active().base_offset() >= base_offset {
            assert_eq!(
                self.active().size(),
                0,
                "a segment at {base_offset} exists and is not empty"
            );
            return Ok(());
        }
        let rolled = self.new_active(base_offset, now_ms);
        self.home.check("roll", rolled)
    }

    fn new_active(&mut self, base_offset: i64, now_ms: i64) -> io::Result<()> {
        self.active().on_become_inactive()?;
        let segment = Segment::create(&self.home, base_offset, &self.config, now_ms)?;
        self.segments.insert(base_offset, segment);
        self.unsynced.mark().names = true;
        self.producers.set_map_end_offset(base_offset);
        self.snapshots.take(&self.producers)
    }

    /// Whether `flush.messages` or `flush.ms` asks for a flush.
    pub fn is_flush_due(&self, now_ms: i64) -> bool {
        let unflushed = self.log_end_offset - self.recovery_point;
        unflushed > 0
            && (unflushed >= self.config.flush_messages || now_ms - self.last_flushed_ms >= self.config.flush_ms)
    }

    /// Begins a flush of everything below `offset`: the plan runs without the log, then [`Log::note_flushed`] takes its result.
    /// `None` where that is on disk already.
    pub fn plan_flush(&mut self, offset: i64) -> Option<FlushPlan> {
        let offset = offset.min(self.log_end_offset);
        if offset <= self.recovery_point && !self.unsynced.truncated {
            return None;
        }
        Some(self.plan(offset))
    }

    fn plan(&mut self, offset: i64) -> FlushPlan {
        self.flushes += 1;
        let first = self
            .floor_segment(self.recovery_point)
            .map_or(self.recovery_point, |segment| segment.base_offset());
        let below = self.segments.range(first..offset.max(first + 1));
        let mut plan = FlushPlan {
            home: self.home.clone(),
            segments: below.map(|(_, segment)| segment.clone()).collect(),
            snapshots: self.snapshots.unsynced(),
            epochs: self.unstored_epochs(),
            unsynced: self.unsynced,
            offset,
            truncations: self.truncations,
            number: self.flushes,
        };
        if self.unsynced.truncated {
            plan.include(self.active().clone());
        }
        plan
    }

    /// Moves the recovery point to what a plan has made durable.
    pub fn note_flushed(&mut self, plan: &FlushPlan, now_ms: i64) {
        if plan.truncations != self.truncations {
            return;
        }
        if self.unsynced.marks == plan.unsynced.marks {
            let Unsynced { changed, marks, .. } = self.unsynced;
            self.unsynced = Unsynced {
                changed,
                marks,
                ..Unsynced::default()
            };
        }
        self.snapshots.note_synced(&plan.snapshots);
        if let Some(epochs) = &plan.epochs
            && plan.number == self.flushes
        {
            self.stored_epochs = epochs.clone();
        }
        let active = self.active_segment_base_offset();
        plan.segments
            .iter()
            .filter(|segment| segment.base_offset() != active)
            .for_each(|segment| segment.unpin());
        self.recovery_point = self.recovery_point.max(plan.offset);
        self.last_flushed_ms = now_ms;
    }

    /// Whether `flush.messages` asks for a flush: what was appended last is not to be acknowledged before it.
    pub fn is_flush_due_by_messages(&self) -> bool {
        let unflushed = self.log_end_offset - self.recovery_point;
        unflushed > 0 && unflushed >= self.config.flush_messages
    }

    /// Makes everything durable before it returns.
    pub fn flush(&mut self, now_ms: i64) -> Result<(), LogDirFailure> {
        if let Some(plan) = self.plan_flush(self.log_end_offset) {
            plan.run()?;
            self.note_flushed(&plan, now_ms);
        }
        Ok(())
    }

    /// Brings the log into the state that a clean stop leaves: everything durable, nothing allocated behind the records,
    /// indexes complete, a snapshot of the producers at the log end offset. Every later append is refused.
    pub fn close(&mut self, now_ms: i64) -> Result<(), LogDirFailure> {
        if let Some(plan) = self.plan_close(now_ms)? {
            plan.run()?;
            self.note_closed(&plan, now_ms);
        }
        Ok(())
    }

    /// The first part of [`Log::close`]: all but making it durable, which many logs do together with
    /// [`LogDir::flush_together`](crate::LogDir::flush_together). `None` where nothing has changed. From here on appends are refused:
    /// what came later would not be in what the mark of a clean stop vouches for.
    pub fn plan_close(&mut self, now_ms: i64) -> Result<Option<FlushPlan>, LogDirFailure> {
        self.closed = true;
        self.home.health().check()?;
        if !self.unsynced.changed {
            return Ok(None);
        }
        let closed = self.active().on_become_inactive();
        self.home.check("close", closed)?;
        self.producers.set_map_end_offset(self.log_end_offset);
        let taken = self.snapshots.take(&self.producers);
        self.home.check("take a snapshot of the producers", taken)?;
        self.unsynced.mark().names = true;
        // An empty active segment holds nothing below the log end offset but must be there after a crash all the same.
        let mut plan = self.plan(self.log_end_offset);
        plan.include(self.active().clone());
        self.last_flushed_ms = now_ms;
        Ok(Some(plan))
    }

    /// The last part of [`Log::close`], when the plan has run.
    pub fn note_closed(&mut self, plan: &FlushPlan, now_ms: i64) {
        let is_last_change = self.unsynced.marks == plan.unsynced.marks && self.log_end_offset == plan.offset;
        self.note_flushed(plan, now_ms);
        self.unsynced.changed &= !is_last_change;
    }
}
