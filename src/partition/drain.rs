//! Appending what has queued: in one write what met, and nobody waits for it who need not.

use std::collections::VecDeque;
use std::sync::atomic::{Ordering, fence};

use storage::{Log, ValidatedBatch};

use super::append::{AppendFailure, LeaderAppend, Outcome};
use super::waiters::Arrived;
use super::{LeaderError, Partition};
use crate::clock;

/// How a round of appending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Somebody else holds the log and looks at the queue when it is released.
    Busy,
    /// The queue was emptied.
    Emptied,
    /// There was more than one round may take.
    Left,
}

/// What became of appends that met, one result each.
pub(super) struct Together {
    pub(super) results: Vec<Result<LeaderAppend, AppendFailure>>,
    /// Whether those that were accepted are to be acknowledged only when they are on disk.
    pub(super) awaits_flush: bool,
}

/// Appends that consumers have not heard of, as they are not committed, in the order of their offsets.
#[derive(Default)]
pub(super) struct Unannounced(VecDeque<Ended>);

/// Appends made in one go.
struct Ended {
    log_end_offset: i64,
    arrived: Arrived,
}

impl Unannounced {
    pub(super) fn push(&mut self, log_end_offset: i64, arrived: Arrived) {
        self.0.push_back(Ended {
            log_end_offset,
            arrived,
        });
    }

    /// What lies below the high watermark.
    pub(super) fn take_below(&mut self, high_watermark: i64) -> Option<Arrived> {
        let mut taken: Option<Arrived> = None;
        while let Some(Ended { arrived, .. }) = self.0.pop_front_if(|e| e.log_end_offset <= high_watermark) {
            taken = Some(taken.map_or(arrived, |before| Arrived {
                bytes: before.bytes + arrived.bytes,
                rolled: before.rolled | arrived.rolled,
            }));
        }
        taken
    }

    /// The log ends at `log_end_offset` now.
    pub(super) fn cut(&mut self, log_end_offset: i64) {
        self.0.retain(|ended| ended.log_end_offset <= log_end_offset);
    }
}

impl Partition {
    /// Appends what has queued. Whoever queued while the lock was held relies on its holder to come by here afterwards, whatever it
    /// held the lock for ([`super::LogGuard`]).
    pub(super) fn drain(&self) {
        // Whoever unlocks looks at the queue afterwards, and whoever queues tries the lock afterwards: one of them must see the
        // other, so neither pair may be reordered.
        fence(Ordering::SeqCst);
        while !self.queue.is_empty() {
            let Some(partition) = self.this.upgrade() else { return };
            if self.writer.is_slow() {
                return self.writer.append_for(partition);
            }
            match self.drain_round() {
                Round::Busy => return,
                Round::Emptied => {}
                Round::Left => {
                    tokio::spawn(async move { partition.drain() });
                    return;
                }
            }
        }
    }

    /// Appends a bounded part of what has queued, in one write if it fits into the segment.
    pub(super) fn drain_round(&self) -> Round {
        let Some(mut log) = self.log.try_lock() else {
            return Round::Busy;
        };
        let queued = self.queue.pop_some();
        if queued.is_empty() {
            return Round::Emptied;
        }
        let mut outcomes = Vec::with_capacity(queued.len());
        let mut memory = Vec::with_capacity(queued.len());
        let batches = queued.into_iter().map(|queued| {
            outcomes.push(queued.outcome);
            memory.push(queued.memory);
            queued.batch
        });
        let batches = batches.collect();
        let together = self.append_locked(&mut log, batches);
        drop((log, memory));
        self.answer(outcomes, together);
        fence(Ordering::SeqCst);
        match self.queue.is_empty() {
            true => Round::Emptied,
            false => Round::Left,
        }
    }

    /// Tells who appended; those who must wait for the disk later.
    fn answer(&self, outcomes: Vec<Outcome>, together: Together) {
        let mut flushing = Vec::new();
        for (outcome, result) in outcomes.into_iter().zip(together.results) {
            match result {
                Ok(appended) if together.awaits_flush => flushing.push((outcome, appended)),
                // Whoever asked may be gone; the append stands all the same.
                result => drop(outcome.send(result)),
            }
        }
        if !flushing.is_empty() {
            self.answer_when_flushed(flushing);
        }
    }

    /// Appends batches that met. A refused one costs its neighbours nothing.
    pub(super) fn append_locked(&self, log: &mut Log, batches: Vec<ValidatedBatch>) -> Together {
        // Leadership may have gone while the appends were queued.
        let state = match self.leader_state() {
            Ok(state) => state,
            Err(error) => {
                let refused = |_| Err(AppendFailure::Leader(LeaderError::clone(&error)));
                return Together {
                    results: batches.iter().map(refused).collect(),
                    awaits_flush: false,
                };
            }
        };
        let sizes: Vec<usize> = batches.iter().map(ValidatedBatch::size_in_bytes).collect();
        let epoch = state.leader_epoch.0;
        self.note_append(log.log_end_offset());
        let results = self.writer.timed(|| log.append_all(batches, epoch, clock::now_ms()));
        let (mut bytes, mut rolled) = (0, false);
        let appended = results
            .iter()
            .zip(sizes)
            .filter_map(|(result, size)| Some((result.as_ref().ok()?, size)));
        for (info, size) in appended.filter(|(info, _)| !info.duplicate) {
            rolled |= info.rolled;
            bytes += size;
        }
        let arrived = (bytes > 0).then(|| Arrived {
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            rolled,
        });
        if rolled && let Some(partition) = self.this.upgrade() {
            self.writer.flush_for(partition, log.active_segment_base_offset());
        }
        self.advance_high_watermark(log, arrived);
        let high_watermark = self.high_watermark();
        let of_leader = |info: storage::AppendInfo| LeaderAppend {
            info,
            leader_epoch: epoch,
            is_committed: info.last_offset < high_watermark,
        };
        Together {
            results: results.into_iter().map(|result| Ok(of_leader(result?))).collect(),
            awaits_flush: log.is_flush_due_by_messages(),
        }
    }
}
