//! One directory of `log.dirs`: who owns it, whether it was left cleanly, its checkpoints and its partitions.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::TopicPartition;
use protocol::wire::TopicId;

use crate::checkpoint::{
    MalformedMetaProperties, MetaProperties, OffsetCheckpoint, decode_clean_shutdown, decode_meta_properties,
    decode_offsets, encode_clean_shutdown, encode_meta_properties, encode_offsets,
};
use crate::disk::{Disk, DiskLock, LogFile};
use crate::error::{LogDirFailure, LogDirHealth, OpenError};
use crate::flush::FlushPlan;
use crate::log::Log;
use crate::log_config::LogConfig;
use crate::open_files::OpenFiles;
use crate::recovery::LogOptions;
use crate::topic_partition::{PartitionDir, deleted_dir_name, dir_name};

const LOCK: &str = ".lock";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const META_PROPERTIES: &str = "meta.properties";
/// Where Kafka keeps indexes of tiered segments; no partition.
const REMOTE_INDEX_CACHE: &str = "remote-log-index-cache";

/// From how many logs on the file system is synced as a whole.
const SYNC_TOGETHER: usize = 4;

/// Why a directory cannot be a log directory. Nothing in it was touched.
#[derive(Debug, thiserror::Error)]
pub enum LogDirError {
    /// It cannot be created, read or written.
    #[error("log directory {}: {error}", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Another broker uses it.
    #[error("log directory {} is locked: another broker, of this kind or Kafka's, uses it", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// It holds something that no broker has put there.
    #[error(
        "log directory {} holds the directory {name:?}, which is no partition: give the broker a directory of its own",
        dir.display()
    )]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        name: String,
    },
    /// `meta.properties` cannot be used.
    #[error("log directory {}: meta.properties: {malformed}", dir.display())]
    MetaProperties {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        malformed: MalformedMetaProperties,
    },
}

/// One log directory, locked as long as this lives.
#[derive(Debug)]
pub struct LogDir {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    open_files: Arc<OpenFiles>,
    health: Arc<LogDirHealth>,
    _lock: DiskLock,
    /// Open since before anything was written here: so it sees every error of writing back.
    witness: Arc<dyn LogFile>,
    meta_properties: Option<MetaProperties>,
    clean_shutdown: Option<CleanShutdown>,
    partitions: Vec<TopicPartition>,
    deleted: Vec<PathBuf>,
    left_alone: Vec<PathBuf>,
}

/// The mark that a clean stop leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanShutdown {
    /// The epoch that the broker had; `None` in the mark of an old Kafka.
    pub broker_epoch: Option<i64>,
}

/// The logs of a directory.
#[derive(Debug)]
pub struct LoadedLogs {
    /// Those that are open.
    pub logs: Vec<Log>,
    /// Those that cannot be used, while the others can.
    pub refused: Vec<RefusedLog>,
    /// Whether these are all of the directory's, and nobody asked to stop before that.
    pub complete: bool,
}

/// A log that was left as it is, since there is something in it that this version cannot use.
#[derive(Debug)]
pub struct RefusedLog {
    /// The partition.
    pub partition: TopicPartition,
    /// Why; never [`OpenError::LogDir`].
    pub error: OpenError,
    /// What `log-start-offset-checkpoint` says of it; 0 where it says nothing.
    pub log_start_offset: i64,
    /// What `recovery-point-offset-checkpoint` says of it; 0 where it says nothing.
    pub recovery_point: i64,
}

/// Creates a directory, with those above it, so that what is acknowledged later does not vanish with its name.
///
/// # Errors
/// What the system says.
pub fn create_dir_durably(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    disk.create_dir_all(path)?;
    match path.parent() {
        None => Ok(()),
        // A bare name lies where the process runs.
        Some(parent) if parent.as_os_str().is_empty() => disk.fsync_dir(Path::new(".")),
        Some(parent) => disk.fsync_dir(parent),
    }
}

impl LogDir {
    /// Creates the directory where it is missing, locks it, and looks at what it holds.
    pub fn open(path: &Path, disk: Arc<dyn Disk>, open_files: Arc<OpenFiles>) -> Result<Self, LogDirError> {
        let unusable = |error| LogDirError::Unusable {
            dir: path.to_path_buf(),
            error,
        };
        let entries = match disk.list(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_dir_durably(&*disk, path).map_err(unusable)?;
                Vec::new()
            }
            entries => entries.map_err(unusable)?,
        };
        let mut opened = Contents::default();
        for entry in entries
            .iter()
            .filter(|entry| entry.is_dir && entry.name != REMOTE_INDEX_CACHE)
        {
            opened.sort_in(path, &entry.name)?;
        }
        let lock = disk.lock(&path.join(LOCK)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => LogDirError::Locked {
                dir: path.to_path_buf(),
            },
            _ => unusable(error),
        })?;
        let read = |name: &str| match disk.read(&path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            content => content
                .map(|content| Some(String::from_utf8_lossy(&content).into_owned()))
                .map_err(unusable),
        };
        let meta_properties = read(META_PROPERTIES)?
            .map(|text| decode_meta_properties(&text))
            .transpose();
        let meta_properties = meta_properties.map_err(|malformed| LogDirError::MetaProperties {
            dir: path.to_path_buf(),
            malformed,
        })?;
        let clean_shutdown = read(CLEAN_SHUTDOWN)?.map(|text| CleanShutdown {
            broker_epoch: decode_clean_shutdown(&text),
        });
        Ok(Self {
            path: path.to_path_buf(),
            disk: disk.clone(),
            open_files,
            health: LogDirHealth::new(path),
            _lock: lock,
            witness: disk.open(&path.join(LOCK)).map_err(unusable)?,
            meta_properties,
            clean_shutdown,
            partitions: opened.partitions,
            deleted: opened.deleted,
            left_alone: opened.left_alone,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it works.
    pub fn health(&self) -> &Arc<LogDirHealth> {
        &self.health
    }

    /// Who owns it; `None` for a new one.
    pub fn meta_properties(&self) -> Option<&MetaProperties> {
        self.meta_properties.as_ref()
    }

    /// Writes down who owns it.
    pub fn write_meta_properties(&mut self, meta: &MetaProperties) -> Result<(), LogDirFailure> {
        self.write(META_PROPERTIES, &encode_meta_properties(meta))?;
        self.meta_properties = Some(meta.clone());
        Ok(())
    }

    /// The mark of a clean stop that was found.
    pub fn clean_shutdown(&self) -> Option<CleanShutdown> {
        self.clean_shutdown
    }

    /// The partitions that it holds.
    pub fn partitions(&self) -> &[TopicPartition] {
        &self.partitions
    }

    /// Directories of deleted partitions that were found; [`LogDir::remove_dir`] removes them.
    pub fn deleted_dirs(&self) -> &[PathBuf] {
        &self.deleted
    }

    /// Directories of Kafka's that this broker does nothing with: future and stray copies.
    pub fn left_alone(&self) -> &[PathBuf] {
        &self.left_alone
    }

    /// Opens all its partitions with the settings that `config` gives for a topic, `threads` at a time; recovers them where the stop
    /// was not clean. From here on the stop counts as not clean until [`LogDir::mark_clean_shutdown`]. `go_on` is asked before each
    /// log: once it says no, the rest stays as it is.
    ///
    /// # Errors
    /// The directory's failure. A log that cannot be used keeps none of the others from being opened.
    pub fn load_logs(
        &self,
        config: impl Fn(&TopicPartition) -> Arc<LogConfig> + Sync,
        threads: usize,
        now_ms: i64,
        go_on: impl Fn() -> bool + Sync,
    ) -> Result<LoadedLogs, LogDirFailure> {
        self.unmark_clean_shutdown()?;
        let starts = self.read_checkpoint(OffsetCheckpoint::LogStartOffset)?;
        let recovery_points = self.read_checkpoint(OffsetCheckpoint::RecoveryPoint)?;
        let open = |partition: &TopicPartition| {
            let at = |offsets: &BTreeMap<TopicPartition, i64>| offsets.get(partition).copied().unwrap_or(0).max(0);
            let mut options = self.options(partition, None, config(partition));
            let (log_start_offset, recovery_point) = (at(&starts), at(&recovery_points));
            options.log_start_offset = log_start_offset;
            options.recovery_point = recovery_point;
            options.clean_shutdown = self.clean_shutdown.is_some();
            Log::open(options, now_ms).map_err(|error| RefusedLog {
                partition: partition.clone(),
                error,
                log_start_offset,
                recovery_point,
            })
        };
        let share = self.partitions.len().div_ceil(threads.max(1)).max(1);
        let results: Vec<Result<Log, RefusedLog>> = std::thread::scope(|scope| {
            let shares = self.partitions.chunks(share);
            let threads: Vec<_> = shares
                .map(|share| scope.spawn(|| share.iter().take_while(|_| go_on()).map(open).collect::<Vec<_>>()))
                .collect();
            let joined = threads.into_iter();
            joined
                .flat_map(|thread| thread.join().expect("opening a log does not panic"))
                .collect()
        });
        let complete = results.len() == self.partitions.len();
        let (mut logs, mut refused) = (Vec::with_capacity(self.partitions.len()), Vec::new());
        for result in results {
            match result {
                Ok(log) => logs.push(log),
                Err(RefusedLog {
                    error: OpenError::LogDir(failure),
                    ..
                }) => return Err(failure),
                Err(other) => refused.push(other),
            }
        }
        Ok(LoadedLogs {
            logs,
            refused,
            complete,
        })
    }

    fn options(&self, partition: &TopicPartition, topic_id: Option<TopicId>, config: Arc<LogConfig>) -> LogOptions {
        LogOptions {
            partition: partition.clone(),
            dir: self.path.join(dir_name(partition)),
            topic_id,
            config,
            disk: self.disk.clone(),
            open_files: self.open_files.clone(),
            health: self.health.clone(),
            log_start_offset: 0,
            recovery_point: 0,
            clean_shutdown: false,
        }
    }

    /// Creates the log of a partition that is new here.
    pub fn create_log(
        &self,
        partition: &TopicPartition,
        topic_id: Option<TopicId>,
        config: Arc<LogConfig>,
        now_ms: i64,
    ) -> Result<Log, OpenError> {
        Log::open(self.options(partition, topic_id, config), now_ms)
    }

    /// Deletes a partition: its directory is renamed, which frees the name, and its files go with [`LogDir::remove_dir`] of
    /// the answer. Reads that are under way go on. `unique_id` must be new.
    pub fn delete_log(&self, log: &Log, unique_id: u128) -> Result<PathBuf, LogDirFailure> {
        self.health.check()?;
        let renamed = self.path.join(deleted_dir_name(log.partition(), unique_id));
        log.home.mark_deleted();
        self.check("delete a partition", self.disk.rename(&log.dir(), &renamed))?;
        log.moved_to(&renamed);
        Ok(renamed)
    }

    /// Deletes a partition whose log is not open, as [`LogDir::delete_log`] does it.
    pub fn delete_unopened(&self, partition: &TopicPartition, unique_id: u128) -> Result<PathBuf, LogDirFailure> {
        self.health.check()?;
        let renamed = self.path.join(deleted_dir_name(partition, unique_id));
        let dir = self.path.join(dir_name(partition));
        self.check("delete a partition", self.disk.rename(&dir, &renamed))?;
        Ok(renamed)
    }

    /// Runs many plans of logs in this directory. From a handful on the whole file system is synced at once: a disk does that in
    /// little more than the time of one fsync.
    pub fn flush_together(&self, plans: &[FlushPlan]) -> Result<(), LogDirFailure> {
        if plans.len() < SYNC_TOGETHER {
            return plans.iter().try_for_each(FlushPlan::run);
        }
        plans.iter().try_for_each(FlushPlan::write)?;
        self.check("flush many logs", self.witness.sync_file_system())
    }

    /// Removes a deleted partition's directory with all that is in it.
    pub fn remove_dir(&self, dir: &Path) -> Result<(), LogDirFailure> {
        let removed = match self.disk.remove_dir_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        self.check("remove a deleted partition", removed)
    }

    /// The offsets of a checkpoint; none where it is missing or torn, as Kafka has it: a lost recovery point costs time, and the log
    /// start offset falls back to what the segments say.
    ///
    /// # Errors
    /// The directory's failure where the file is there and cannot be read: what it says is not to be guessed.
    pub fn read_checkpoint(
        &self,
        checkpoint: OffsetCheckpoint,
    ) -> Result<BTreeMap<TopicPartition, i64>, LogDirFailure> {
        let name = checkpoint.file_name();
        let content = match self.disk.read(&self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            content => self.health.checked(|| format!("read {name}"), content)?,
        };
        Ok(
            decode_offsets(&String::from_utf8_lossy(&content)).unwrap_or_else(|malformed| {
                log::error!(
                    "{}: {malformed}; going on without it, as Kafka does",
                    self.path.join(name).display()
                );
                BTreeMap::new()
            }),
        )
    }

    /// Replaces a checkpoint; durable when this returns.
    pub fn write_checkpoint<'a>(
        &self,
        checkpoint: OffsetCheckpoint,
        offsets: impl ExactSizeIterator<Item = (&'a TopicPartition, i64)>,
    ) -> Result<(), LogDirFailure> {
        self.write(checkpoint.file_name(), &encode_offsets(offsets))
    }

    /// Notes that all logs are closed and all checkpoints written.
    pub fn mark_clean_shutdown(&self, broker_epoch: i64) -> Result<(), LogDirFailure> {
        self.write(CLEAN_SHUTDOWN, &encode_clean_shutdown(broker_epoch))
    }

    fn unmark_clean_shutdown(&self) -> Result<(), LogDirFailure> {
        if self.clean_shutdown.is_none() {
            return Ok(());
        }
        // The mark must not come back with a crash of the machine: it would vouch for what is written from now on.
        let unmarked = match self.disk.remove_file(&self.path.join(CLEAN_SHUTDOWN)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.disk.fsync_dir(&self.path)),
        };
        self.check("remove the mark of a clean stop", unmarked)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), LogDirFailure> {
        self.health.check()?;
        let written = self.disk.write_atomically(&self.path.join(name), text.as_bytes(), true);
        self.health.checked(|| format!("write {name}"), written)
    }

    fn check<T>(&self, action: &str, result: io::Result<T>) -> Result<T, LogDirFailure> {
        self.health.checked(|| action.to_owned(), result)
    }
}

#[derive(Default)]
struct Contents {
    partitions: Vec<TopicPartition>,
    deleted: Vec<PathBuf>,
    left_alone: Vec<PathBuf>,
}

impl Contents {
    fn sort_in(&mut self, dir: &Path, name: &str) -> Result<(), LogDirError> {
        match PartitionDir::parse(name) {
            Some(PartitionDir::Current(partition)) => self.partitions.push(partition),
            Some(PartitionDir::Deleted(_)) => self.deleted.push(dir.join(name)),
            Some(PartitionDir::Future(_) | PartitionDir::Stray(_)) => self.left_alone.push(dir.join(name)),
            None => {
                return Err(LogDirError::Foreign {
                    dir: dir.to_path_buf(),
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }
}
