//! One partition on this broker: its log, who leads it, who waits for it. Kafka's `Partition`.

mod append;
mod commits;
mod directory_writer;
mod drain;
mod group_commit;
mod maintenance;
mod pace;
mod read;
mod replicating;
#[cfg(test)]
mod tests;
mod turns;
mod waiters;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use controller::ids::NO_LEADER;
use controller::{LeaderRecoveryState, PartitionState};
use parking_lot::{Mutex, MutexGuard, RwLock};
use protocol::wire::TopicId;
use storage::{Log, LogStartOffsetError, TopicPartition};

pub use append::{AppendFailure, Appended, LeaderAppend, PendingAppend};
pub use commits::{Commit, PendingCommit};
pub use directory_writer::DirectoryWriter;
pub use read::{PartitionRead, ReadFailure, ReadLimits, Readable, ReaderReplica};
pub use replicating::{FollowError, StateError, Step};
pub use waiters::{Arrived, FetchWaiter, Mark, Seen, Slot, Waiters, Wake};

use crate::log_config::PartitionConfig;
use crate::replication::ReplicationContext;
use crate::replication::leader::Leader;

use append::AppendQueue;
use commits::Commits;
use drain::Unannounced;
use group_commit::GroupCommit;
use turns::Waits;

/// A leader epoch that a client does not know.
pub const NO_EPOCH: i32 = -1;

/// How long a thread that serves connections waits for a log: far longer than an append takes where the disk keeps up, and short
/// enough for those who wait for the thread.
const LOCK_WAIT: Duration = Duration::from_millis(1);

/// One partition.
pub struct Partition {
    /// Itself, for work that outlives a call.
    this: Weak<Partition>,
    /// Topic and number.
    pub topic_partition: TopicPartition,
    /// The topic's id.
    pub topic_id: TopicId,
    broker_id: i32,
    log_dir: PathBuf,
    state: RwLock<Arc<PartitionState>>,
    log: Mutex<Log>,
    /// While this broker leads; changed under the log's lock.
    leader: Mutex<Option<Leader>>,
    commits: Commits,
    context: Arc<ReplicationContext>,
    queue: AppendQueue,
    group_commit: GroupCommit,
    /// Of its log directory.
    writer: Arc<DirectoryWriter>,
    waits_for_writer: Waits,
    waits_for_flush: Waits,
    /// Where the newest segment begins that was rolled: what lies before is to be made durable.
    flush_below: AtomicI64,
    high_watermark: AtomicI64,
    /// Copied from the log after each change, so that reads of it need no lock.
    log_start_offset: AtomicI64,
    /// What was appended and is not below the high watermark yet; changed under the log's lock.
    unannounced: Mutex<Unannounced>,
    config: RwLock<PartitionConfig>,
    /// Parked fetches and fetch sessions. They may outlive the partition, and do not keep it.
    pub waiters: Arc<Waiters>,
}

/// Why a partition does not do what a client wants of its leader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaderError {
    /// `NOT_LEADER_OR_FOLLOWER`
    #[error("broker {broker_id} does not lead {partition}; broker {leader} does, in epoch {leader_epoch}")]
    NotLeader {
        /// The partition.
        partition: TopicPartition,
        /// This broker.
        broker_id: i32,
        /// Who leads, -1 for nobody.
        leader: i32,
        /// The epoch of that.
        leader_epoch: i32,
    },
    /// `FENCED_LEADER_EPOCH`: the client knows an older epoch than this leader's.
    #[error("{partition}: leader epoch {requested} is older than the current {current}")]
    Fenced {
        /// The partition.
        partition: TopicPartition,
        /// The client's epoch.
        requested: i32,
        /// Ours.
        current: i32,
    },
    /// `UNKNOWN_LEADER_EPOCH`: the client knows a newer epoch than this leader's.
    #[error("{partition}: leader epoch {requested} is newer than the current {current}")]
    Unknown {
        /// The partition.
        partition: TopicPartition,
        /// The client's epoch.
        requested: i32,
        /// Ours.
        current: i32,
    },
}

impl Partition {
    /// A partition over an open log that nobody leads yet: [`Partition::set_state`] says who does. `high_watermark` comes from the
    /// checkpoint, `writer` is that of the log's directory.
    pub fn new(
        topic_id: TopicId,
        broker_id: i32,
        log: Log,
        high_watermark: i64,
        config: PartitionConfig,
        writer: Arc<DirectoryWriter>,
        context: Arc<ReplicationContext>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            topic_partition: log.partition().clone(),
            topic_id,
            broker_id,
            log_dir: log.dir().parent().map(Path::to_path_buf).unwrap_or_default(),
            state: RwLock::new(Arc::new(nobody_leads(log.partition().partition))),
            high_watermark: AtomicI64::new(high_watermark.clamp(log.log_start_offset(), log.log_end_offset())),
            log_start_offset: AtomicI64::new(log.log_start_offset()),
            log: Mutex::new(log),
            leader: Mutex::new(None),
            commits: Commits::default(),
            context,
            queue: AppendQueue::default(),
            group_commit: GroupCommit::default(),
            writer,
            waits_for_writer: Waits::default(),
            waits_for_flush: Waits::default(),
            flush_below: AtomicI64::new(0),
            unannounced: Mutex::default(),
            config: RwLock::new(config),
            waiters: Arc::default(),
        })
    }

    /// Who leads and who is in sync, as the controller last said.
    pub fn state(&self) -> Arc<PartitionState> {
        self.state.read().clone()
    }

    /// The state, if this broker leads.
    ///
    /// # Errors
    /// [`LeaderError::NotLeader`]
    pub fn leader_state(&self) -> Result<Arc<PartitionState>, LeaderError> {
        let state = self.state();
        if state.leader == self.broker_id {
            return Ok(state);
        }
        Err(LeaderError::NotLeader {
            partition: self.topic_partition.clone(),
            broker_id: self.broker_id,
            leader: state.leader,
            leader_epoch: state.leader_epoch.0,
        })
    }

    /// The state, if this broker leads in the epoch that the client knows; [`NO_EPOCH`] matches any (KIP-320).
    ///
    /// # Errors
    /// [`LeaderError`]
    pub fn leader_state_in_epoch(&self, requested: i32) -> Result<Arc<PartitionState>, LeaderError> {
        let state = self.state();
        let current = state.leader_epoch.0;
        let partition = || self.topic_partition.clone();
        if requested != NO_EPOCH && requested < current {
            return Err(LeaderError::Fenced {
                partition: partition(),
                requested,
                current,
            });
        }
        if requested != NO_EPOCH && requested > current {
            return Err(LeaderError::Unknown {
                partition: partition(),
                requested,
                current,
            });
        }
        self.leader_state()
    }

    /// The log, for what is neither an append nor a fetch. Never held over an await, nor while anything else is locked.
    pub fn log(&self) -> LogGuard<'_> {
        LogGuard {
            partition: self,
            guard: Some(self.log.lock()),
        }
    }

    /// Whether [`Partition::log`] is free, or soon. Who serves connections asks for it elsewhere where it is not.
    pub fn is_log_free(&self) -> bool {
        self.log_soon().is_some()
    }

    /// [`Partition::log`], if it is free soon. For who serves connections: a writer may hold it while the disk stalls.
    fn log_soon(&self) -> Option<LogGuard<'_>> {
        let guard = match self.writer.is_slow() {
            true => self.log.try_lock(),
            false => self.log.try_lock_for(LOCK_WAIT),
        };
        guard.map(|guard| LogGuard {
            partition: self,
            guard: Some(guard),
        })
    }

    /// The log directory that it is in.
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// The first offset that is readable.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset.load(Ordering::Acquire)
    }

    /// Records below it are committed.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::Acquire)
    }

    /// Records below it belong to no open transaction. There are no transactions yet: it is the high watermark.
    pub fn last_stable_offset(&self) -> i64 {
        self.high_watermark()
    }

    /// The topic's configuration.
    pub fn config(&self) -> PartitionConfig {
        self.config.read().clone()
    }

    /// Takes over a changed configuration.
    pub fn set_config(&self, config: PartitionConfig) {
        let mut log = self.log();
        log.set_config(config.log.clone());
        *self.config.write() = config;
        // With a lower `min.insync.replicas` more may be committed.
        self.advance_high_watermark(&log, None);
        drop(log);
        self.waiters.note_change();
    }

    /// Copies what readers need from the log, and moves the high watermark to what all replicas have that count. Of this broker's own
    /// records those do not that `flush.messages` wants on disk before they are acknowledged. Whoever waits hears of what `arrived` and
    /// of what can be read now. To be called under the log's lock after each change of it.
    fn advance_high_watermark(&self, log: &Log, arrived: Option<Arrived>) {
        let own_end = match log.is_flush_due_by_messages() {
            true => log.recovery_point().max(self.high_watermark()),
            false => log.log_end_offset(),
        };
        self.advance_high_watermark_to(log, own_end, arrived);
    }

    fn advance_high_watermark_to(&self, log: &Log, own_end: i64, arrived: Option<Arrived>) {
        self.note_log_start_offset(log);
        let moved = {
            let mut leader = self.leader.lock();
            leader
                .as_mut()
                .and_then(|leader| leader.advance_high_watermark(&self.surroundings(log, own_end)))
        };
        let mut unannounced = self.unannounced.lock();
        if let Some(arrived) = arrived {
            unannounced.push(log.log_end_offset(), arrived);
        }
        let committed = moved.and_then(|high_watermark| unannounced.take_below(high_watermark));
        drop(unannounced);
        if let Some(high_watermark) = moved {
            self.high_watermark.store(high_watermark, Ordering::SeqCst);
            self.commits.advance(high_watermark);
        }
        self.waiters.arrived(arrived, committed);
        if moved.is_some() && committed.is_none() {
            // It stands amid what was appended in one go, or moved over what an earlier run left.
            self.waiters.changed();
        }
    }

    fn note_log_start_offset(&self, log: &Log) {
        let log_start_offset = log.log_start_offset();
        if self.log_start_offset.swap(log_start_offset, Ordering::AcqRel) != log_start_offset {
            self.waiters.note_change();
        }
    }

    /// Removes records before `offset` from sight (DeleteRecords); -1 means the high watermark. Returns the log start offset.
    ///
    /// # Errors
    /// [`DeleteRecordsError`]
    pub fn delete_records_before(&self, offset: i64) -> Result<i64, DeleteRecordsError> {
        self.leader_state()?;
        let mut log = self.log();
        let high_watermark = self.high_watermark();
        let to = if offset == -1 { high_watermark } else { offset };
        if to < 0 {
            return Err(DeleteRecordsError::Log(LogStartOffsetError::OffsetOutOfRange {
                partition: self.topic_partition.clone(),
                requested: offset,
                high_watermark,
            }));
        }
        log.increment_log_start_offset(to, high_watermark)?;
        self.advance_high_watermark(&log, None);
        Ok(log.log_start_offset())
    }
}

/// The log, locked. Appends that queued up meanwhile are made when it is released: whoever queued relies on that.
pub struct LogGuard<'a> {
    partition: &'a Partition,
    /// Taken on release alone.
    guard: Option<MutexGuard<'a, Log>>,
}

impl Deref for LogGuard<'_> {
    type Target = Log;

    fn deref(&self) -> &Log {
        self.guard.as_deref().expect("held until it is dropped")
    }
}

impl DerefMut for LogGuard<'_> {
    fn deref_mut(&mut self) -> &mut Log {
        self.guard.as_deref_mut().expect("held until it is dropped")
    }
}

impl Drop for LogGuard<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        self.partition.drain();
    }
}

fn nobody_leads(partition: i32) -> PartitionState {
    PartitionState {
        partition,
        controller_epoch: Default::default(),
        leader: NO_LEADER,
        leader_epoch: controller::LeaderEpoch(NO_EPOCH),
        partition_epoch: Default::default(),
        isr: Vec::new(),
        replicas: Vec::new(),
        adding_replicas: Vec::new(),
        removing_replicas: Vec::new(),
        offline_replicas: Vec::new(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        is_new: false,
    }
}

/// Why records were not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// Not the leader.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogStartOffsetError),
}
