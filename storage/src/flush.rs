//! Making a log durable. Decided with the log in hand, done without it: an fsync may take long, and appends go on meanwhile.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::LogDirFailure;
use crate::log::{LEADER_EPOCH_CHECKPOINT, PARTITION_METADATA, Unsynced};
use crate::log_home::LogHome;
use crate::segment::Segment;

/// A flush that is decided but not done.
#[derive(Debug)]
pub struct FlushPlan {
    pub(crate) home: Arc<LogHome>,
    pub(crate) segments: Vec<Arc<Segment>>,
    /// By offset.
    pub(crate) snapshots: Vec<(i64, PathBuf)>,
    pub(crate) unsynced: Unsynced,
    pub(crate) offset: i64,
    pub(crate) truncations: u64,
}

impl FlushPlan {
    pub(crate) fn include(&mut self, segment: Arc<Segment>) {
        if !self
            .segments
            .iter()
            .any(|other| other.base_offset() == segment.base_offset())
        {
            self.segments.push(segment);
        }
    }

    /// Does it. After an error the directory is offline: what a failed fsync has lost, a later one would not report.
    pub fn run(&self) -> Result<(), LogDirFailure> {
        self.home.health().check()?;
        self.home.check("flush", self.sync())
    }

    fn sync(&self) -> io::Result<()> {
        let disk = self.home.disk();
        for segment in &self.segments {
            segment.flush()?;
        }
        for (_, snapshot) in &self.snapshots {
            // One that retention has removed meanwhile is not missed.
            match disk.open(snapshot) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => file?.fsync()?,
            }
        }
        if self.unsynced.epochs {
            disk.open(&self.home.path(LEADER_EPOCH_CHECKPOINT))?.fsync()?;
        }
        let dir = self.home.dir();
        if self.unsynced.created {
            match disk.open(&self.home.path(PARTITION_METADATA)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => file?.fsync()?,
            }
            if let Some(log_dir) = dir.parent() {
                disk.fsync_dir(log_dir)?;
            }
        }
        if self.unsynced.names || self.unsynced.created {
            disk.fsync_dir(&dir)?;
        }
        Ok(())
    }
}
