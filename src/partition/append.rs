//! Appending as leader. Nobody waits for the log's lock: appends queue up, whoever holds the lock appends what has queued, up to a
//! bound, and everybody else awaits the outcome. Without contention an append is done when the call returns, unless the directory is
//! slow, or `flush.messages` asks for a flush first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use storage::{AppendError, AppendInfo, LogConfig, TopicPartition, ValidatedBatch};
use tokio::sync::oneshot;

use super::commits::Commit;
use super::drain::Together;
use super::{LeaderError, Partition};
use crate::clock;
use crate::network::RequestPermit;
use storage::{OnlyBatch, ValidateError, ValidateOptions, validate, validate_if_cheap};

/// What one holder of the lock appends for others before it lets another take over.
const MAX_DRAIN: usize = 64;
/// And how many bytes of them, unless the first one is larger: writes gain nothing by being larger than that.
const MAX_DRAIN_BYTES: usize = 1024 * 1024;

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendFailure {
    /// Not the leader.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// `NOT_LEADER_OR_FOLLOWER`: this broker leads, but not any more in the epoch in which it appended.
    #[error("{partition} is led in epoch {leader_epoch} now: whether the records were committed is not known")]
    LedAnew {
        /// The partition.
        partition: TopicPartition,
        /// The epoch now.
        leader_epoch: i32,
    },
    /// `NOT_ENOUGH_REPLICAS`
    #[error("{partition}: {in_sync} replicas in sync, but min.insync.replicas asks for {required}")]
    NotEnoughReplicas {
        /// The partition.
        partition: TopicPartition,
        /// The ISR's size.
        in_sync: usize,
        /// `min.insync.replicas`, at most the number of replicas.
        required: usize,
    },
    /// The log refused.
    #[error(transparent)]
    Log(#[from] AppendError),
}

/// An append as leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderAppend {
    /// Where the records are.
    pub info: AppendInfo,
    /// The epoch that they were appended in: only as long as this broker leads in it does it know what is committed.
    pub leader_epoch: i32,
    /// Whether they were committed at once; [`Partition::commit`] says it later.
    pub is_committed: bool,
}

/// How far an append came when the call returned.
pub enum Appended {
    /// Done or refused.
    Done(Result<LeaderAppend, AppendFailure>),
    /// Another task appends it, or it waits for the disk.
    Queued(PendingAppend),
}

/// The outcome of an append that another task makes, or that is not on disk yet.
pub struct PendingAppend(oneshot::Receiver<Result<LeaderAppend, AppendFailure>>);

impl PendingAppend {
    /// Waits for it. `None` when the broker stopped before it was made.
    pub async fn outcome(self) -> Option<Result<LeaderAppend, AppendFailure>> {
        self.0.await.ok()
    }
}

/// Where the outcome of an append is awaited.
pub(super) type Outcome = oneshot::Sender<Result<LeaderAppend, AppendFailure>>;

pub(super) struct Queued {
    pub(super) batch: ValidatedBatch,
    pub(super) outcome: Outcome,
    /// The batch is a part of its request's frame, which stays in memory for it, also when the client is gone.
    pub(super) memory: RequestPermit,
}

#[derive(Default)]
pub(super) struct AppendQueue {
    queued: Mutex<VecDeque<Queued>>,
    length: AtomicUsize,
}

impl AppendQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.length.load(Ordering::SeqCst) == 0
    }

    fn push(&self, entry: Queued) {
        let mut queued = self.queued.lock();
        queued.push_back(entry);
        self.length.store(queued.len(), Ordering::SeqCst);
    }

    /// What is appended together: in order, bounded in number and bytes, at least one where there is any.
    pub(super) fn pop_some(&self) -> Vec<Queued> {
        let mut queued = self.queued.lock();
        let mut bytes = 0;
        let fits = |entry: &&Queued| {
            bytes += entry.batch.size_in_bytes();
            bytes <= MAX_DRAIN_BYTES
        };
        let count = queued.iter().take(MAX_DRAIN).take_while(fits).count();
        let count = count.max(1).min(queued.len());
        let some = queued.drain(..count).collect();
        self.length.store(queued.len(), Ordering::SeqCst);
        some
    }
}

impl Partition {
    /// Checks what a client sent, as far as that needs no lock.
    ///
    /// # Errors
    /// [`ValidateError`]
    pub fn validate(&self, batch: OnlyBatch) -> Result<ValidatedBatch, ValidateError> {
        let config = self.config.read().log.clone();
        validate(batch, &self.validate_options(&config), clock::now_ms())
    }

    /// [`Partition::validate`] where it does not take long: `None` for a batch that becomes more than `max_inflated_bytes`, or that
    /// must be written anew in another codec.
    ///
    /// # Errors
    /// [`ValidateError`]
    pub fn validate_if_cheap(
        &self,
        batch: OnlyBatch,
        max_inflated_bytes: usize,
    ) -> Result<Option<ValidatedBatch>, ValidateError> {
        let config = self.config.read().log.clone();
        let options = self.validate_options(&config);
        validate_if_cheap(batch, &options, clock::now_ms(), max_inflated_bytes)
    }

    fn validate_options<'a>(&'a self, config: &'a LogConfig) -> ValidateOptions<'a> {
        ValidateOptions {
            partition: &self.topic_partition,
            config,
        }
    }

    /// Appends a validated batch if this broker still leads; whether enough replicas are in sync is what [`Partition::may_append`]
    /// says before. Appends of one caller are made in the order of its calls. `memory` is what holds the batch's bytes: it is kept as
    /// long as they wait.
    pub fn append_as_leader(&self, batch: ValidatedBatch, memory: &RequestPermit) -> Appended {
        // A queue is looked at twice: before the lock, so that a long one does not cost it, and under it, where it counts.
        if self.queue.is_empty()
            && !self.writer.is_slow()
            && let Some(mut log) = self.log.try_lock()
            && self.queue.is_empty()
        {
            let Together {
                mut results,
                awaits_flush,
            } = self.append_locked(&mut log, vec![batch]);
            drop(log);
            self.drain();
            return match results.pop().expect("one result per batch") {
                Ok(appended) if awaits_flush => {
                    let (outcome, pending) = oneshot::channel();
                    self.answer_when_flushed(vec![(outcome, appended)]);
                    Appended::Queued(PendingAppend(pending))
                }
                result => Appended::Done(result),
            };
        }
        let (outcome, pending) = oneshot::channel();
        let memory = memory.clone();
        self.queue.push(Queued { batch, outcome, memory });
        self.drain();
        Appended::Queued(PendingAppend(pending))
    }

    /// Whether an append is committed: every replica in sync has it. Asked of an append that was not committed at once.
    pub fn commit(&self, appended: &LeaderAppend) -> Commit {
        match appended.is_committed {
            true => Commit::Committed {
                high_watermark: appended.info.last_offset + 1,
            },
            false => self.commit_of(appended.leader_epoch, appended.info.last_offset),
        }
    }

    /// Whether records up to `last_offset`, appended in `leader_epoch` or before it, are committed.
    pub fn commit_of(&self, leader_epoch: i32, last_offset: i64) -> Commit {
        self.commits.of(leader_epoch, last_offset)
    }

    /// Whether this broker leads and, for `acks=all`, enough replicas are in sync.
    ///
    /// # Errors
    /// [`AppendFailure::Leader`], [`AppendFailure::NotEnoughReplicas`]
    pub fn may_append(&self, acks: i16) -> Result<(), AppendFailure> {
        let state = self.leader_state()?;
        if acks != -1 {
            return Ok(());
        }
        let configured = usize::try_from(self.config.read().topic.min_insync_replicas).unwrap_or(1);
        let required = configured.min(state.replicas.len());
        if state.isr.len() < required && !planted::is(planted::Bug::MinIsrIgnored) {
            return Err(AppendFailure::NotEnoughReplicas {
                partition: self.topic_partition.clone(),
                in_sync: state.isr.len(),
                required,
            });
        }
        Ok(())
    }
}
