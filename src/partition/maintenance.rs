//! What is done to a partition's log beside appending and reading. Everything here may wait for the disk: never call it from a task
//! that serves connections.

use storage::{FlushPlan, LogDirFailure};

use super::Partition;
use crate::clock;

impl Partition {
    /// Deletes segments that retention has done with; returns how many.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn delete_old_segments(&self) -> Result<usize, LogDirFailure> {
        let mut log = self.log();
        let deleted = log.delete_old_segments(self.high_watermark(), clock::now_ms())?;
        self.advance_high_watermark(&log);
        Ok(deleted)
    }

    /// Makes the log durable if `flush.ms` or `flush.messages` asks for it.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn flush_if_due(&self) -> Result<(), LogDirFailure> {
        let is_due = self.log().is_flush_due(clock::now_ms());
        if is_due { self.flush_to(i64::MAX) } else { Ok(()) }
    }

    /// Makes the log durable up to `offset`; appends go on meanwhile.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn flush_to(&self, offset: i64) -> Result<(), LogDirFailure> {
        let plan = self.log().plan_flush(offset);
        if let Some(plan) = plan {
            plan.run()?;
            self.log().note_flushed(&plan, clock::now_ms());
        }
        Ok(())
    }

    /// A segment was rolled: what lies before the new one is made durable in the background.
    pub(super) fn flush_rolled(&self, active_segment_base_offset: i64) {
        let Some(partition) = self.this.upgrade() else { return };
        tokio::task::spawn_blocking(move || {
            if let Err(failure) = partition.flush_to(active_segment_base_offset) {
                // The directory's health has it; the next append is refused and takes the directory offline.
                log::error!("{}: {failure}", partition.topic_partition);
            }
        });
    }

    /// Removes the files of segments that were deleted `file.delete.delay.ms` ago.
    ///
    /// # Errors
    /// The log directory's failure.
    pub fn remove_deleted_files(&self) -> Result<(), LogDirFailure> {
        self.log().remove_deleted_files(clock::now_ms())
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
