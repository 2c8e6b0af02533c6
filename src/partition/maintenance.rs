//! What is done to a partition's log beside appending and reading. Everything here may wait for the disk: never call it from a task
//! that serves connections.

use storage::{FlushPlan, LogDirFailure};

use super::Partition;
use crate::clock;

impl Partition {
    /// Deletes segments that retention has done with; returns how many. The log is free in between.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn delete_old_segments(&self) -> Result<usize, LogDirFailure> {
        let mut deleted = 0;
        loop {
            let oldest = self.log().oldest_segments();
            oldest.load()?;
            let mut log = self.log();
            let some = log.delete_old_segments(self.high_watermark(), clock::now_ms())?;
            self.advance_high_watermark(&log, None);
            if some == 0 {
                return Ok(deleted);
            }
            deleted += some;
        }
    }

    /// Makes the log durable if `flush.ms` or `flush.messages` asks for it.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn flush_if_due(&self) -> Result<(), LogDirFailure> {
        let is_due = self.log().is_flush_due(clock::now_ms());
        if is_due { self.flush_to(i64::MAX) } else { Ok(()) }
    }

    /// Removes the files of segments that were deleted `file.delete.delay.ms` ago.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn remove_deleted_files(&self) -> Result<(), LogDirFailure> {
        loop {
            let due = self.log().take_deleted_files(clock::now_ms());
            match due {
                Some(files) => files.remove()?,
                None => return Ok(()),
            }
        }
    }

    /// Forgets producers that wrote nothing for `producer.id.expiration.ms`.
    pub fn forget_idle_producers(&self) {
        self.log().remove_expired_producers(clock::now_ms());
    }

    /// Brings the log into the state that a clean stop leaves, but for making it durable: the plan does that.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn plan_close(&self) -> Result<Option<FlushPlan>, LogDirFailure> {
        self.log().plan_close(clock::now_ms())
    }

    /// Takes note that the plan has run.
    pub fn note_closed(&self, plan: &FlushPlan) {
        self.log().note_closed(plan, clock::now_ms());
    }
}
