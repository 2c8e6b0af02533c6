//! Appending as leader. Nobody waits for the log's lock: appends queue up, whoever holds the lock appends what has queued, up to a
//! bound, and everybody else awaits the outcome. Without contention an append is done when the call returns.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

use parking_lot::Mutex;
use storage::{AppendError, AppendInfo, Log, LogConfig, TopicPartition, ValidatedBatch};
use tokio::sync::oneshot;

use super::{LeaderError, Partition};
use crate::clock;
use bytes::Bytes;
use storage::{ValidateError, ValidateOptions, validate, validate_if_cheap};

/// What one holder of the lock appends for others before it lets another take over.
const MAX_DRAIN: usize = 64;

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendFailure {
    /// Not the leader.
    #[error(transparent)]
    Leader(#[from] LeaderError),
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

/// How far an append came when the call returned.
pub enum Appended {
    /// Done or refused.
    Done(Result<AppendInfo, AppendFailure>),
    /// Another task appends it.
    Queued(PendingAppend),
}

/// The outcome of an append that another task makes.
pub struct PendingAppend(oneshot::Receiver<Result<AppendInfo, AppendFailure>>);

impl PendingAppend {
    /// Waits for it. `None` when the broker stopped before it was made.
    pub async fn outcome(self) -> Option<Result<AppendInfo, AppendFailure>> {
        self.0.await.ok()
    }
}

struct Queued {
    batch: ValidatedBatch,
    outcome: oneshot::Sender<Result<AppendInfo, AppendFailure>>,
}

#[derive(Default)]
pub(super) struct AppendQueue {
    queued: Mutex<VecDeque<Queued>>,
    length: AtomicUsize,
}

impl AppendQueue {
    fn is_empty(&self) -> bool {
        self.length.load(Ordering::SeqCst) == 0
    }

    fn push(&self, entry: Queued) {
        let mut queued = self.queued.lock();
        queued.push_back(entry);
        self.length.store(queued.len(), Ordering::SeqCst);
    }

    fn pop(&self) -> Option<Queued> {
        let mut queued = self.queued.lock();
        let entry = queued.pop_front();
        self.length.store(queued.len(), Ordering::SeqCst);
        entry
    }
}

impl Partition {
    /// Checks what a client sent, as far as that needs no lock. `version` is that of the Produce request.
    ///
    /// # Errors
    /// [`ValidateError`]
    pub fn validate(&self, records: Bytes, version: i16) -> Result<ValidatedBatch, ValidateError> {
        let config = self.config.read().log.clone();
        validate(records, &self.validate_options(&config, version), clock::now_ms())
    }

    /// [`Partition::validate`] where it does not take long: `None` for a batch that becomes more than `max_inflated_bytes`, or that
    /// must be written anew in another codec.
    ///
    /// # Errors
    /// [`ValidateError`]
    pub fn validate_if_cheap(
        &self,
        records: Bytes,
        version: i16,
        max_inflated_bytes: usize,
    ) -> Result<Option<ValidatedBatch>, ValidateError> {
        let config = self.config.read().log.clone();
        let options = self.validate_options(&config, version);
        validate_if_cheap(records, &options, clock::now_ms(), max_inflated_bytes)
    }

    fn validate_options<'a>(&'a self, config: &'a LogConfig, produce_version: i16) -> ValidateOptions<'a> {
        ValidateOptions {
            partition: &self.topic_partition,
            config,
            produce_version,
        }
    }

    /// Appends a validated batch if this broker leads and, for `acks=all`, enough replicas are in sync. Appends of one caller are
    /// made in the order of its calls.
    pub fn append_as_leader(&self, batch: ValidatedBatch, acks: i16) -> Appended {
        if let Err(failure) = self.may_append(acks) {
            return Appended::Done(Err(failure));
        }
        if let Some(mut log) = self.log.try_lock()
            && self.queue.is_empty()
        {
            let outcome = self.append_locked(&mut log, batch);
            drop(log);
            self.drain();
            return Appended::Done(outcome);
        }
        let (outcome, pending) = oneshot::channel();
        self.queue.push(Queued { batch, outcome });
        self.drain();
        Appended::Queued(PendingAppend(pending))
    }

    /// Whether `flush.messages` may have an append wait for the disk. Whoever appends to such a partition does it where that delays
    /// nobody else.
    pub fn flushes_by_messages(&self) -> bool {
        self.config.read().log.flush_messages != i64::MAX
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
        if state.isr.len() < required {
            return Err(AppendFailure::NotEnoughReplicas {
                partition: self.topic_partition.clone(),
                in_sync: state.isr.len(),
                required,
            });
        }
        Ok(())
    }

    /// Appends what has queued. Whoever queued while the lock was held relies on its holder to come by here afterwards, whatever it
    /// held the lock for ([`super::LogGuard`]).
    pub(super) fn drain(&self) {
        // Whoever unlocks looks at the queue afterwards, and whoever queues tries the lock afterwards: one of them must see the
        // other, so neither pair may be reordered.
        fence(Ordering::SeqCst);
        while !self.queue.is_empty() {
            let Some(mut log) = self.log.try_lock() else { return };
            let mut drained = 0;
            while drained < MAX_DRAIN
                && let Some(Queued { batch, outcome }) = self.queue.pop()
            {
                // Whoever asked may be gone; the append stands all the same.
                let _ = outcome.send(self.append_locked(&mut log, batch));
                drained += 1;
            }
            drop(log);
            fence(Ordering::SeqCst);
            if drained == MAX_DRAIN && !self.queue.is_empty() {
                if let Some(partition) = self.this.upgrade() {
                    tokio::spawn(async move { partition.drain() });
                }
                return;
            }
        }
    }

    fn append_locked(&self, log: &mut Log, batch: ValidatedBatch) -> Result<AppendInfo, AppendFailure> {
        // Leadership may have gone while the append was queued.
        let state = self.leader_state()?;
        let before = self.high_watermark();
        let bytes = batch.size_in_bytes();
        let now_ms = clock::now_ms();
        let info = log.append_as_leader(batch, state.leader_epoch.0, now_ms)?;
        if self.flushes_by_messages() && log.is_flush_due(now_ms) {
            log.flush(now_ms).map_err(AppendError::LogDir)?;
        }
        self.advance_high_watermark(log);
        if self.high_watermark() > before {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            self.waiters.became_readable(bytes, info.rolled);
        }
        if info.rolled {
            self.flush_rolled(log.active_segment_base_offset());
        }
        Ok(info)
    }
}
