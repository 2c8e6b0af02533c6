//! Appends that `flush.messages` lets be acknowledged only when they are on disk. The log is free while the disk works; those who come
//! meanwhile share the next flush.

use parking_lot::Mutex;
use storage::{AppendError, LogDirFailure};

use super::Partition;
use super::append::{LeaderAppend, Outcome};
use crate::clock;
use crate::threads;

/// Who waits for a flush of one partition.
#[derive(Default)]
pub(super) struct GroupCommit(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: Vec<(Outcome, LeaderAppend)>,
    is_running: bool,
}

impl Partition {
    /// Answers when what has been appended is on disk.
    pub(super) fn answer_when_flushed(&self, appended: Vec<(Outcome, LeaderAppend)>) {
        let Some(partition) = self.this.upgrade() else { return };
        let mut state = self.group_commit.0.lock();
        state.waiting.extend(appended);
        if state.waiting.is_empty() || std::mem::replace(&mut state.is_running, true) {
            return;
        }
        drop(state);
        threads::spawn_blocking(move || partition.flush_for_all());
    }

    fn flush_for_all(&self) {
        let _running = Running(&self.group_commit);
        loop {
            let waiting = {
                let mut state = self.group_commit.0.lock();
                state.is_running = !state.waiting.is_empty();
                std::mem::take(&mut state.waiting)
            };
            if waiting.is_empty() {
                return;
            }
            // All of them are in the log already, so one flush is enough for all.
            let flushed = self.flush_to(i64::MAX);
            for (outcome, appended) in waiting {
                let answer = match &flushed {
                    Ok(()) => Ok(appended),
                    Err(failure) => Err(AppendError::LogDir(LogDirFailure::clone(failure)).into()),
                };
                // Whoever asked may be gone; the append stands all the same.
                let _ = outcome.send(answer);
            }
        }
    }

    /// Makes the log durable up to `offset`; appends go on meanwhile.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn flush_to(&self, offset: i64) -> Result<(), LogDirFailure> {
        let plan = self.log().plan_flush(offset);
        if let Some(plan) = plan {
            plan.run()?;
            let mut log = self.log();
            log.note_flushed(&plan, clock::now_ms());
            self.advance_high_watermark(&log, None);
        }
        Ok(())
    }
}

/// A thread that ends by a panic leaves the place to another one.
struct Running<'a>(&'a GroupCommit);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.lock().is_running = false;
        }
    }
}
