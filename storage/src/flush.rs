//! Making a log durable. Decided with the log in hand, done without it: an fsync may take long, and appends go on meanwhile.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::LogDirFailure;
use crate::leader_epoch_cache::EpochEntry;
use crate::log::{PARTITION_METADATA, Unsynced};
use crate::log_home::LogHome;
use crate::segment::Segment;

/// A flush that is decided but not done.
#[derive(Debug)]
pub struct FlushPlan {
    pub(crate) home: Arc<LogHome>,
    pub(crate) segments: Vec<Arc<Segment>>,
    /// By offset.
    pub(crate) snapshots: Vec<(i64, PathBuf)>,
    /// What `leader-epoch-checkpoint` is to hold.
    pub(crate) epochs: Option<Vec<EpochEntry>>,
    pub(crate) unsynced: Unsynced,
    pub(crate) offset: i64,
    pub(crate) truncations: u64,
    /// Flushes are numbered as they are planned.
    pub(crate) number: u64,
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

    /// Writes what is only in memory, so that syncing the whole file system makes everything durable.
    pub(crate) fn write(&self) -> Result<(), LogDirFailure> {
        self.home.health().check()?;
        let write = || {
            self.of_each_segment(Segment::write_indexes)?;
            self.epochs
                .iter()
                .try_for_each(|epochs| self.home.write_epochs(epochs, self.number, false))
        };
        self.home.check("flush", write())
    }

    fn of_each_segment(&self, work: impl Fn(&Segment) -> io::Result<()>) -> io::Result<()> {
        self.segments
            .iter()
            .try_for_each(|segment| segment.unless_gone(work(segment)).map(drop))
    }

    fn sync(&self) -> io::Result<()> {
        self.of_each_segment(Segment::flush)?;
        for (_, snapshot) in &self.snapshots {
            // One that retention has removed meanwhile is not missed.
            self.sync_if_there(snapshot)?;
        }
        if let Some(epochs) = &self.epochs {
            self.home.write_epochs(epochs, self.number, true)?;
        }
        let dir = self.home.dir();
        if self.unsynced.created {
            self.sync_if_there(&self.home.path(PARTITION_METADATA))?;
            if let Some(log_dir) = dir.parent() {
                self.home.disk().fsync_dir(log_dir)?;
            }
        }
        if self.unsynced.names || self.unsynced.created {
            self.home.disk().fsync_dir(&dir)?;
        }
        Ok(())
    }

    fn sync_if_there(&self, path: &Path) -> io::Result<()> {
        match self.home.disk().open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            file => file?.fsync(),
        }
    }
}
