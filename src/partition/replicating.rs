//! A partition as leader of followers and as follower of a leader: what the pure cores in `crate::replication` decide, done to the log
//! under its lock.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use controller::ids::BrokerId;
use controller::{LeaderEpoch, PartitionState};
use planted::Bug;
use storage::{AppendError, EpochEndOffset, Log, LogDirFailure, LogStartOffsetError};

use super::waiters::Arrived;
use super::{LOCK_WAIT, NO_EPOCH, Partition, ReaderReplica};
use crate::clock;
use crate::replication::follower::{self, Action, Answered, Asked, LogFacts, Resume};
use crate::replication::leader::{Answer, Fetched, Leader, Proposal, Surroundings};

/// Why the controller's decision cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// `KAFKA_STORAGE_ERROR`
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
    /// The log holds records of a later epoch than the one that this broker shall lead in: what the controller knows is older than the
    /// log, and records would be lost.
    #[error(
        "it shall be led in epoch {leader_epoch}, but its log knows epoch {latest}: the metadata are older than the log, and are not \
         those that it was written under"
    )]
    LaterEpoch {
        /// The epoch of the decision.
        leader_epoch: i32,
        /// The latest one of the log.
        latest: i32,
    },
}

/// What is to be done after an answer of the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask for what comes next.
    GoOn,
    /// The log was cut: its recovery point is to be written before anything is appended; then ask again.
    Truncated,
    /// Ask the leader where its log begins and ends: [`Partition::take_ends`].
    AskForEnds,
    /// Ask again after a pause.
    Retry,
    /// Ask nothing until the controller says who leads.
    AwaitController,
}

/// Why an answer could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The records.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The directory.
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
}

impl FollowError {
    /// The directory's failure, if that is what it is.
    pub fn log_dir(&self) -> Option<&LogDirFailure> {
        match self {
            FollowError::LogDir(failure) | FollowError::Append(AppendError::LogDir(failure)) => Some(failure),
            FollowError::Append(_) => None,
        }
    }
}

/// The log as the follower's core sees it.
struct Facts<'a> {
    log: &'a Log,
    high_watermark: i64,
}

impl LogFacts for Facts<'_> {
    fn log_start_offset(&self) -> i64 {
        self.log.log_start_offset()
    }

    fn log_end_offset(&self) -> i64 {
        self.log.log_end_offset()
    }

    fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    fn latest_epoch(&self) -> Option<i32> {
        self.log.latest_epoch()
    }

    fn end_offset_for_epoch(&self, epoch: i32) -> Option<EpochEndOffset> {
        self.log.end_offset_for_epoch(epoch)
    }
}

impl Partition {
    /// Takes over what the controller decided; `false` where it has said something later before. Whoever waits looks whether that
    /// concerns it.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn set_state(&self, state: PartitionState) -> Result<bool, StateError> {
        let mut log = self.log();
        {
            let old = self.state.read();
            if (state.leader_epoch, state.partition_epoch) < (old.leader_epoch, old.partition_epoch) {
                return Ok(false);
            }
        }
        match state.leader == self.broker_id {
            true => self.lead(&mut log, &state)?,
            false => self.resign(),
        }
        let follows = state.leader >= 0 && state.leader != self.broker_id;
        *self.state.write() = std::sync::Arc::new(state);
        let begun = match follows {
            true => follower::begin(&self.facts(&log)),
            false => None,
        };
        if let Some(Action::TruncateTo(offset)) = begun {
            self.truncate(&mut log, offset)?;
        }
        // What an earlier run of the broker left is not held back: nobody waits for it to be flushed.
        self.advance_high_watermark_to(&log, log.log_end_offset(), None);
        drop(log);
        self.waiters.changed();
        Ok(true)
    }

    fn lead(&self, log: &mut Log, state: &PartitionState) -> Result<(), StateError> {
        let mut leader = self.leader.lock();
        if let Some(leader) = leader.as_mut().filter(|l| l.leader_epoch() == state.leader_epoch) {
            leader.note_state(state, clock::monotonic_ms());
            return Ok(());
        }
        let leader_epoch = state.leader_epoch.0;
        if let Some(latest) = log.latest_epoch().filter(|latest| *latest > leader_epoch) {
            return Err(StateError::LaterEpoch { leader_epoch, latest });
        }
        log.assign_leader_epoch(leader_epoch)?;
        let high_watermark = self.high_watermark();
        *leader = Some(Leader::new(
            self.broker_id,
            state,
            log.log_end_offset(),
            high_watermark,
            clock::monotonic_ms(),
        ));
        self.commits.set_leader(leader_epoch, high_watermark);
        Ok(())
    }

    fn resign(&self) {
        *self.leader.lock() = None;
        self.commits.set_leader(NO_EPOCH, self.high_watermark());
    }

    /// The controller has stopped this replica, and keeps its log: it neither leads nor follows until the controller says so again.
    /// `false` where it has said something later before; `leader_epoch` is negative where it does not matter.
    pub fn stop(&self, leader_epoch: LeaderEpoch) -> bool {
        let log = self.log();
        let mut stopped = PartitionState::clone(&self.state.read());
        if leader_epoch.0 >= 0 && leader_epoch < stopped.leader_epoch {
            return false;
        }
        self.resign();
        stopped.leader = controller::ids::NO_LEADER;
        *self.state.write() = std::sync::Arc::new(stopped);
        drop(log);
        self.waiters.changed();
        true
    }

    /// Its log directory has failed: whoever waits is answered. The log may be locked for good.
    pub fn go_offline(&self) {
        self.commits.set_leader(NO_EPOCH, self.high_watermark());
        self.waiters.gone();
    }

    fn facts<'a>(&self, log: &'a Log) -> Facts<'a> {
        Facts {
            log,
            high_watermark: self.high_watermark(),
        }
    }

    pub(super) fn surroundings(&self, log: &Log, own_end: i64) -> Surroundings<'_> {
        let min_insync_replicas = self.config.read().topic.min_insync_replicas;
        Surroundings {
            members: self.context.members.as_ref(),
            log_end_offset: log.log_end_offset(),
            own_end,
            now_ms: clock::monotonic_ms(),
            lag_time_max_ms: self.context.lag_time_max_ms,
            min_insync_replicas: usize::try_from(min_insync_replicas).unwrap_or(1),
        }
    }

    /// Records are about to follow `log_end_offset`.
    pub(super) fn note_append(&self, log_end_offset: i64) {
        if let Some(leader) = self.leader.lock().as_mut() {
            leader.note_append(log_end_offset, self.context.members.as_ref());
        }
    }

    /// A follower fetches: it has all that lies before `fetch_offset`. To be called under the log's lock, when it was found that both
    /// logs agree.
    pub(super) fn note_follower_fetch(&self, log: &Log, replica: &ReaderReplica, fetch_offset: i64) {
        let fetched = Fetched {
            replica: replica.id,
            fetch_offset,
            log_start_offset: replica.log_start_offset,
            broker_epoch: replica.broker_epoch,
            now_ms: replica.asked_ms,
        };
        let proposes = {
            let mut leader = self.leader.lock();
            let Some(leader) = leader.as_mut() else { return };
            // Who is no replica is refused before anything is read.
            if leader.note_fetch(&fetched, log.log_end_offset()).is_err() {
                return;
            }
            leader.expand(replica.id, self.context.members.as_ref()).is_some()
        };
        self.advance_high_watermark(log, None);
        if proposes {
            self.propose();
        }
    }

    fn propose(&self) {
        if let Some(partition) = self.this.upgrade() {
            // Without a receiver the broker is about to end.
            drop(self.context.proposing.send(partition));
        }
    }

    /// Asks the controller for a smaller ISR where replicas have been behind for too long. Passed over where somebody holds the log
    /// for long.
    pub fn shrink_isr(&self) {
        let Some(log) = self.log_soon() else { return };
        let proposes = {
            let mut leader = self.leader.lock();
            let around = self.surroundings(&log, log.log_end_offset());
            leader.as_mut().is_some_and(|leader| leader.shrink(&around).is_some())
        };
        drop(log);
        if proposes {
            self.propose();
        }
    }

    /// What the controller is to be asked for.
    pub fn proposal(&self) -> Option<Proposal> {
        self.leader.lock().as_ref()?.proposed().cloned()
    }

    /// The controller has answered a proposal; `true` where it is to be sent again.
    pub fn note_alter_answer(&self, to: &Proposal, answer: &Answer) -> bool {
        let log = self.log();
        let is_due_again = {
            let mut leader = self.leader.lock();
            let Some(leader) = leader.as_mut() else { return false };
            let before = leader.partition_epoch();
            let again = leader.note_answer(to, answer).is_some();
            if leader.partition_epoch() != before {
                let mut state = self.state.write();
                let mut altered = PartitionState::clone(&state);
                altered.isr = leader.isr().to_vec();
                altered.partition_epoch = leader.partition_epoch();
                *state = std::sync::Arc::new(altered);
            }
            again
        };
        self.advance_high_watermark(&log, None);
        is_due_again
    }

    /// The followers that consumers may read from at `offset`, with their log end offsets; `None` where this broker does not lead.
    pub fn readable_followers(&self, offset: i64) -> Option<Vec<(BrokerId, i64)>> {
        let leader = self.leader.lock();
        Some(leader.as_ref()?.readable_followers(offset).collect())
    }

    /// The lowest log start offset of this partition's live replicas; `None` where this broker does not lead.
    pub fn low_watermark(&self) -> Option<i64> {
        let leader = self.leader.lock();
        let members = self.context.members.as_ref();
        Some(leader.as_ref()?.low_watermark(self.log_start_offset(), members))
    }

    /// What to ask the leader next; `None` where this broker does not follow in that epoch any more.
    pub fn next_to_ask(&self, leader_epoch: LeaderEpoch) -> Option<Asked> {
        let log = self.log.try_lock_for(LOCK_WAIT * 100)?;
        let log = super::LogGuard {
            partition: self,
            guard: Some(log),
        };
        self.follows_in(leader_epoch)
            .then(|| Asked::next(leader_epoch, &self.facts(&log)))
    }

    fn follows_in(&self, leader_epoch: LeaderEpoch) -> bool {
        let state = self.state.read();
        state.leader_epoch == leader_epoch && state.leader >= 0 && state.leader != self.broker_id
    }

    /// Takes over what the leader has answered.
    ///
    /// # Errors
    /// [`FollowError`]
    pub fn take_answer(&self, asked: &Asked, answered: &Answered, records: &Bytes) -> Result<Step, FollowError> {
        let mut log = self.log();
        if !self.follows_in(asked.current_leader_epoch) {
            return Ok(Step::AwaitController);
        }
        let action = follower::decide(asked, asked.current_leader_epoch, answered, &self.facts(&log));
        Ok(match action {
            Action::Forget => Step::GoOn,
            Action::Append {
                high_watermark,
                log_start_offset,
            } => {
                self.append_from_leader(&mut log, asked, records)?;
                self.take_over_ends(&mut log, high_watermark, log_start_offset)?;
                Step::GoOn
            }
            Action::TruncateTo(offset) => {
                log::info!(
                    "{}: the log is cut from {} to {offset}, where it parts from the leader's",
                    self.topic_partition,
                    log.log_end_offset()
                );
                self.truncate(&mut log, offset)?;
                Step::Truncated
            }
            Action::AskForEnds => Step::AskForEnds,
            Action::Retry => Step::Retry,
            Action::AwaitController => Step::AwaitController,
        })
    }

    fn append_from_leader(&self, log: &mut Log, asked: &Asked, records: &Bytes) -> Result<(), FollowError> {
        if records.is_empty() {
            return Ok(());
        }
        let epoch = asked.current_leader_epoch.0;
        let size_before = log.size();
        let append = |log: &mut Log| {
            self.writer
                .timed(|| log.append_as_follower(records, epoch, clock::now_ms()))
        };
        let appended = match append(log) {
            // The leader's log begins amid a batch, and so does this one, which is empty.
            Err(AppendError::UnexpectedOffset {
                first_offset,
                last_offset,
                log_end_offset,
                ..
            }) if log.log_start_offset() == log_end_offset && last_offset >= log_end_offset => {
                log.truncate_fully_and_start_at(first_offset, log_end_offset, clock::now_ms())?;
                append(log)?
            }
            appended => appended?,
        };
        let Some(info) = appended else { return Ok(()) };
        if info.rolled
            && let Some(partition) = self.this.upgrade()
        {
            self.writer.flush_for(partition, log.active_segment_base_offset());
        }
        let arrived = Arrived {
            bytes: i64::try_from(log.size().saturating_sub(size_before)).unwrap_or(i64::MAX),
            rolled: info.rolled,
        };
        self.unannounced.lock().push(log.log_end_offset(), arrived);
        self.waiters.arrived(Some(arrived), None);
        Ok(())
    }

    /// The leader's high watermark and log start offset, as far as this log reaches.
    fn take_over_ends(&self, log: &mut Log, high_watermark: i64, log_start_offset: i64) -> Result<(), FollowError> {
        let to = match planted::is(Bug::HighWatermarkBeyondTheEnd) {
            true => high_watermark + 1,
            false => high_watermark.min(log.log_end_offset()),
        };
        if to > self.high_watermark() {
            self.high_watermark.store(to, Ordering::SeqCst);
            let committed = self.unannounced.lock().take_below(to);
            match committed {
                Some(_) => self.waiters.arrived(None, committed),
                None => self.waiters.changed(),
            }
        }
        match log.increment_log_start_offset(log_start_offset.min(log.log_end_offset()), log.log_end_offset()) {
            Ok(_) => {}
            Err(LogStartOffsetError::LogDir(failure)) => return Err(failure.into()),
            // The broker stops.
            Err(LogStartOffsetError::Closed { .. } | LogStartOffsetError::OffsetOutOfRange { .. }) => {}
        }
        self.note_log_start_offset(log);
        Ok(())
    }

    /// Goes on where the leader's log begins and ends elsewhere.
    ///
    /// # Errors
    /// [`FollowError`]
    pub fn take_ends(&self, asked: &Asked, leader_start: i64, leader_end: i64) -> Result<Step, FollowError> {
        let mut log = self.log();
        if !self.follows_in(asked.current_leader_epoch) {
            return Ok(Step::AwaitController);
        }
        if leader_start < 0 || leader_end < leader_start {
            log::warn!(
                "{}: its leader says that its log goes from {leader_start} to {leader_end}",
                self.topic_partition
            );
            return Ok(Step::Retry);
        }
        let (begin, end) = (log.log_start_offset(), log.log_end_offset());
        let is_behind = format!(
            "{}: the log goes from {begin} to {end}, the leader's from {leader_start} to {leader_end}",
            self.topic_partition
        );
        match follower::resume_at(leader_start, leader_end, &self.facts(&log)) {
            Resume::TruncateTo(offset) => {
                log::warn!("{is_behind}: it is cut to {offset}");
                self.truncate(&mut log, offset)?;
                Ok(Step::Truncated)
            }
            Resume::StartAt(offset) => {
                log::warn!("{is_behind}: it begins anew at {offset}");
                log.truncate_fully_and_start_at(offset, offset, clock::now_ms())?;
                self.note_cut(&log);
                Ok(Step::Truncated)
            }
            Resume::GoOn => Ok(Step::Retry),
        }
    }

    fn truncate(&self, log: &mut Log, offset: i64) -> Result<(), LogDirFailure> {
        log.truncate_to(offset, clock::now_ms())?;
        self.note_cut(log);
        Ok(())
    }

    fn note_cut(&self, log: &Log) {
        let end = log.log_end_offset();
        let high_watermark = self.high_watermark().clamp(log.log_start_offset(), end);
        self.high_watermark.store(high_watermark, Ordering::SeqCst);
        self.unannounced.lock().cut(end);
        self.note_log_start_offset(log);
        self.waiters.changed();
    }
}
