//! What a log shares with its segments and with the reads that are under way: where it lies and through what it is reached.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use protocol::TopicPartition;

use crate::checkpoint::encode_epochs;
use crate::disk::Disk;
use crate::error::{LogDirFailure, LogDirHealth, ReadError};
use crate::leader_epoch_cache::EpochEntry;
use crate::log::LEADER_EPOCH_CHECKPOINT;
use crate::old_format::OldRecordFormat;
use crate::open_files::OpenFiles;
use crate::scan::DamagedBatch;

#[derive(Debug)]
pub(crate) struct LogHome {
    pub(crate) partition: TopicPartition,
    disk: Arc<dyn Disk>,
    open_files: Arc<OpenFiles>,
    health: Arc<LogDirHealth>,
    /// Changes once at most: when the partition is deleted.
    dir: RwLock<PathBuf>,
    /// The number of the flush that wrote `leader-epoch-checkpoint` last.
    epochs_file: Mutex<u64>,
    /// The partition is being deleted: a file that is missing then says nothing about the disk.
    is_deleted: AtomicBool,
}

impl LogHome {
    pub(crate) fn new(
        partition: TopicPartition,
        dir: PathBuf,
        disk: Arc<dyn Disk>,
        open_files: Arc<OpenFiles>,
        health: Arc<LogDirHealth>,
    ) -> Arc<Self> {
        Arc::new(Self {
            partition,
            disk,
            open_files,
            health,
            dir: RwLock::new(dir),
            epochs_file: Mutex::new(0),
            is_deleted: AtomicBool::new(false),
        })
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    pub(crate) fn open_files(&self) -> &OpenFiles {
        &self.open_files
    }

    pub(crate) fn health(&self) -> &LogDirHealth {
        &self.health
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.read().clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.read().join(name)
    }

    pub(crate) fn set_dir(&self, dir: &Path) {
        *self.dir.write() = dir.to_path_buf();
    }

    /// Replaces `leader-epoch-checkpoint`, with `sync` durably, unless a later flush has done so.
    pub(crate) fn write_epochs(&self, epochs: &[EpochEntry], flush: u64, sync: bool) -> io::Result<()> {
        let mut last_flush = self.epochs_file.lock();
        if *last_flush > flush {
            return Ok(());
        }
        *last_flush = flush;
        let text = encode_epochs(epochs.iter().copied());
        self.disk
            .write_atomically(&self.path(LEADER_EPOCH_CHECKPOINT), text.as_bytes(), sync)
    }

    /// From now on files may be missing. To be called before the first one goes.
    pub(crate) fn mark_deleted(&self) {
        self.is_deleted.store(true, Ordering::SeqCst);
    }

    /// Passes a result on, see [`LogHome::failure`].
    pub(crate) fn check<T>(&self, action: &str, result: io::Result<T>) -> Result<T, LogDirFailure> {
        result.map_err(|error| self.failure(action, &error))
    }

    /// What an error means: it takes the directory offline, unless it says nothing about the disk. That is so where a deleted
    /// partition's file is gone – work that was under way when the partition was deleted ends with that (KAFKA-15391) – and where
    /// records are of an old format.
    pub(crate) fn failure(&self, action: &str, error: &io::Error) -> LogDirFailure {
        let of_this_log = |action| LogDirFailure {
            dir: self.health.dir().to_path_buf(),
            action,
            error: error.to_string(),
        };
        if error.kind() == io::ErrorKind::NotFound && self.is_deleted.load(Ordering::SeqCst) {
            return of_this_log(format!("{action} in {}, which was deleted", self.dir().display()));
        }
        let action = || format!("{action} in {}", self.dir().display());
        match OldRecordFormat::of(error) {
            Some(_) => of_this_log(action()),
            None => self.health.fail(action, error),
        }
    }

    /// What an error of a read means: see [`LogHome::failure`].
    pub(crate) fn read_error(&self, action: &str, error: &io::Error) -> ReadError {
        if let Some(DamagedBatch { file, position }) = DamagedBatch::of(error).cloned() {
            return ReadError::CorruptBatch { file, position };
        }
        match OldRecordFormat::of(error) {
            Some(found) => ReadError::OldRecordFormat {
                partition: self.partition.clone(),
                found: found.clone(),
            },
            None => ReadError::LogDir(self.failure(action, error)),
        }
    }
}
