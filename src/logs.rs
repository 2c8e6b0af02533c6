//! All logs of this broker, over its log directories. Kafka's `LogManager`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use config::BrokerConfig;
use controller::ConfigMap;
use parking_lot::Mutex;
use protocol::wire::TopicId;
use storage::checkpoint::OffsetCheckpoint;
use storage::{Log, LogDir, LogDirFailure, OpenError, RefusedLog, TopicPartition};
use tokio::sync::Notify;

use crate::clock;
use crate::log_config::PartitionConfig;
use crate::log_dirs::LogDirs;
use crate::partition::{DirectoryWriter, Partition, StateError};
use crate::random;

/// The partitions that are here, as of the call.
pub type Here<'a> = &'a dyn Fn() -> Vec<Arc<Partition>>;

/// Why a log could not be opened, created or deleted.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Opening it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its directory is offline.
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
    /// It cannot be led as the controller wants it.
    #[error(transparent)]
    State(#[from] StateError),
    /// A directory is offline, and the partition may lie there.
    #[error("its log is not in any directory that is online, and may be in one that is not")]
    PerhapsOffline {
        /// The partition.
        partition: TopicPartition,
    },
    /// Two directories hold a log of the same partition.
    #[error("{partition} has a log in {} and another in {}: remove the one that is stale", first.display(), second.display())]
    Duplicate {
        /// The partition.
        partition: TopicPartition,
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// There is a log, but it cannot be used; it is left as it is.
    #[error("the log cannot be used and is left as it is: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The broker was asked to stop while it opened its logs.
    #[error("stopped before all logs were open; the next start recovers them")]
    Cancelled,
    /// No directory is left for a new log.
    #[error("no log directory is online")]
    NoDirectory {
        /// The partition.
        partition: TopicPartition,
    },
    /// The log in the directory is of another topic with the same name.
    #[error("its log belongs to the topic with id {found}, but the topic now has id {expected}")]
    TopicId {
        /// The partition.
        partition: TopicPartition,
        /// In `partition.metadata`.
        found: TopicId,
        /// Of the topic.
        expected: TopicId,
    },
}

/// A log that was found when the broker started and that no partition has taken yet.
struct Found {
    log: Log,
    high_watermark: i64,
}

/// A log that was found when the broker started and that cannot be used.
struct Refused {
    log: RefusedLog,
    high_watermark: i64,
    log_dir: PathBuf,
    file_delete_delay_ms: i64,
}

struct Directory {
    dir: LogDir,
    /// Partitions in it; new ones go where there are fewest.
    partitions: Mutex<usize>,
    /// Directories of deleted partitions, and when their files go.
    deleted: Mutex<Vec<(i64, PathBuf)>>,
    /// Held while a checkpoint is replaced: two writers would share its temporary file.
    checkpoints: Mutex<()>,
    /// Appends for its partitions while it is slow.
    writer: Arc<DirectoryWriter>,
}

impl Directory {
    fn note_deleted(&self, renamed: PathBuf, delay_ms: i64) {
        self.deleted
            .lock()
            .push((clock::now_ms().saturating_add(delay_ms), renamed));
        let mut partitions = self.partitions.lock();
        *partitions = partitions.saturating_sub(1);
    }
}

fn unique_id() -> u128 {
    u128::from_ne_bytes(random::bytes())
}

/// The logs.
pub struct Logs {
    config: Arc<BrokerConfig>,
    directories: Vec<Directory>,
    found: Mutex<HashMap<TopicPartition, Found>>,
    refused: Mutex<HashMap<TopicPartition, Refused>>,
    /// A directory could not be used when the broker started: what it holds is unknown.
    offline_at_start: bool,
    /// Partitions that are not new and of which no log was found.
    begun_empty: AtomicUsize,
    all_offline: Notify,
}

impl Logs {
    /// Opens every log in the directories, and recovers those that were not closed. One that cannot be used keeps its partition
    /// offline and nothing else. Once `cancelled` is set no further log is opened.
    ///
    /// # Errors
    /// The directory's failure, if it was the only one; [`LogsError::Cancelled`].
    pub fn load(
        config: Arc<BrokerConfig>,
        dirs: LogDirs,
        topic_configs: &BTreeMap<String, ConfigMap>,
        cancelled: &AtomicBool,
    ) -> Result<Arc<Self>, LogsError> {
        let mut configs: HashMap<Arc<str>, PartitionConfig> = HashMap::new();
        let none = ConfigMap::new();
        let only_one = dirs.online.len() == 1;
        let mut logs = Self {
            config,
            directories: Vec::new(),
            found: Mutex::default(),
            refused: Mutex::default(),
            offline_at_start: !dirs.offline.is_empty(),
            begun_empty: AtomicUsize::new(0),
            all_offline: Notify::new(),
        };
        for dir in dirs.online {
            for partition in dir.partitions() {
                configs.entry(partition.topic.clone()).or_insert_with(|| {
                    let overrides = topic_configs.get(&*partition.topic).unwrap_or(&none);
                    PartitionConfig::new(&logs.config, &partition.topic, overrides)
                });
            }
            match logs.load_dir(dir, &configs, cancelled) {
                Err(LogsError::LogDir(failure)) if !only_one => {
                    log::error!("{failure}");
                    logs.offline_at_start = true;
                }
                loaded => loaded?,
            }
        }
        Ok(Arc::new(logs))
    }

    fn load_dir(
        &mut self,
        dir: LogDir,
        configs: &HashMap<Arc<str>, PartitionConfig>,
        cancelled: &AtomicBool,
    ) -> Result<(), LogsError> {
        if cancelled.load(Ordering::Relaxed) {
            return Err(LogsError::Cancelled);
        }
        let threads = usize::try_from(self.config.num_recovery_threads_per_data_dir).unwrap_or(1);
        let config = |partition: &TopicPartition| configs[&partition.topic].log.clone();
        let go_on = || !cancelled.load(Ordering::Relaxed);
        let loaded = dir.load_logs(config, threads, clock::now_ms(), go_on)?;
        if !loaded.complete {
            return Err(LogsError::Cancelled);
        }
        let high_watermarks = dir.read_checkpoint(OffsetCheckpoint::Replication)?;
        let high_watermark = |partition: &TopicPartition| high_watermarks.get(partition).copied().unwrap_or(0);
        let count = loaded.logs.len() + loaded.refused.len();
        for log in loaded.logs {
            let high_watermark = high_watermark(log.partition());
            let partition = log.partition().clone();
            let first = log.dir();
            if let Some(other) = self
                .found
                .get_mut()
                .insert(partition.clone(), Found { log, high_watermark })
            {
                return Err(LogsError::Duplicate {
                    partition,
                    first,
                    second: other.log.dir(),
                });
            }
        }
        for log in loaded.refused {
            log::error!("{}: {}; the partition stays offline", log.partition, log.error);
            let refused = Refused {
                high_watermark: high_watermark(&log.partition),
                log_dir: dir.path().to_path_buf(),
                file_delete_delay_ms: configs[&log.partition.topic].log.file_delete_delay_ms,
                log,
            };
            self.refused.get_mut().insert(refused.log.partition.clone(), refused);
        }
        let now_ms = clock::now_ms();
        let deleted = dir.deleted_dirs().iter().map(|path| (now_ms, path.clone())).collect();
        for path in dir.left_alone() {
            log::warn!("{} is left alone: this version knows no such copies", path.display());
        }
        self.directories.push(Directory {
            dir,
            partitions: Mutex::new(count),
            deleted: Mutex::new(deleted),
            checkpoints: Mutex::new(()),
            writer: Arc::default(),
        });
        Ok(())
    }

    /// The broker's configuration.
    pub fn broker_config(&self) -> &BrokerConfig {
        &self.config
    }

    /// The directories that were online at the start, with what took one offline since.
    pub fn directories(&self) -> Vec<(PathBuf, Option<LogDirFailure>)> {
        let state = |d: &Directory| (d.dir.path().to_path_buf(), d.dir.health().failure().cloned());
        self.directories.iter().map(state).collect()
    }

    /// Whether the directory at `path` has failed.
    pub fn has_failed(&self, path: &Path) -> bool {
        self.directories
            .iter()
            .any(|d| d.dir.path() == path && d.dir.health().failure().is_some())
    }

    /// A directory went offline; without any that is left the broker has nothing to serve.
    pub fn note_offline(&self) {
        if self.directories.iter().all(|d| d.dir.health().failure().is_some()) {
            self.all_offline.notify_one();
        }
    }

    /// Resolves when the last directory has gone offline, with what took each of them.
    pub async fn all_offline(&self) -> Vec<LogDirFailure> {
        self.all_offline.notified().await;
        self.directories()
            .into_iter()
            .filter_map(|(_, failure)| failure)
            .collect()
    }

    /// Whether any directory is offline, so that a partition that is missing may lie there.
    pub fn any_offline(&self) -> bool {
        self.offline_at_start || self.directories.iter().any(|d| d.dir.health().failure().is_some())
    }

    /// Whether any log cannot be used.
    pub fn any_refused(&self) -> bool {
        !self.refused.lock().is_empty()
    }

    /// The log of a partition and its checkpointed high watermark; created where there is none. A partition that is not new and not
    /// here may lie in a directory that is offline: an empty log in its place would lose it.
    ///
    /// # Errors
    /// [`LogsError`]
    pub fn open_or_create(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
        config: &PartitionConfig,
        is_new: bool,
    ) -> Result<(Log, i64), LogsError> {
        // Taken out first: what `if let` locks stays locked to its end.
        let found = self.found.lock().remove(partition);
        if let Some(Found {
            mut log,
            high_watermark,
        }) = found
        {
            if let Some(found) = log.topic_id().filter(|found| *found != topic_id && !topic_id.is_zero()) {
                self.found
                    .lock()
                    .insert(partition.clone(), Found { log, high_watermark });
                return Err(LogsError::TopicId {
                    partition: partition.clone(),
                    found,
                    expected: topic_id,
                });
            }
            if log.topic_id().is_none() && !topic_id.is_zero() {
                log.set_topic_id(topic_id)?;
            }
            log.set_config(config.log.clone());
            return Ok((log, high_watermark));
        }
        let reason = self
            .refused
            .lock()
            .get(partition)
            .map(|refused| refused.log.error.to_string());
        if let Some(reason) = reason {
            return Err(LogsError::Refused { reason });
        }
        if !is_new && self.any_offline() {
            return Err(LogsError::PerhapsOffline {
                partition: partition.clone(),
            });
        }
        let online = self.directories.iter().filter(|d| d.dir.health().failure().is_none());
        let Some(directory) = online.min_by_key(|d| *d.partitions.lock()) else {
            return Err(LogsError::NoDirectory {
                partition: partition.clone(),
            });
        };
        if !is_new {
            log::error!(
                "{partition} had a log here before and has none in log.dirs now: it begins empty, at offset 0; was a directory left \
                 out, or is a disk not mounted?"
            );
            self.begun_empty.fetch_add(1, Ordering::Relaxed);
        }
        let id = (!topic_id.is_zero()).then_some(topic_id);
        let log = directory
            .dir
            .create_log(partition, id, config.log.clone(), clock::now_ms())?;
        *directory.partitions.lock() += 1;
        Ok((log, 0))
    }

    /// The writer of the directory that a log is in.
    pub fn writer_for(&self, log: &Log) -> Arc<DirectoryWriter> {
        let dir = log.dir();
        let directory = self.directories.iter().find(|d| dir.starts_with(d.dir.path()));
        directory.map(|d| d.writer.clone()).unwrap_or_default()
    }

    /// Deletes a partition's log: at once from sight, its files after `file.delete.delay.ms`.
    ///
    /// # Errors
    /// The directory's failure.
    pub fn delete(&self, partition: &TopicPartition, open: Option<&Partition>) -> Result<(), LogsError> {
        if let Some(open) = open {
            return Ok(self.delete_log(&open.log())?);
        }
        let found = self.found.lock().remove(partition);
        if let Some(found) = found {
            return Ok(self.delete_log(&found.log)?);
        }
        let refused = self.refused.lock().remove(partition);
        if let Some(refused) = refused {
            return Ok(self.delete_refused(&refused)?);
        }
        match self.any_offline() {
            true => Err(LogsError::PerhapsOffline {
                partition: partition.clone(),
            }),
            false => Ok(()),
        }
    }

    fn delete_log(&self, log: &Log) -> Result<(), LogDirFailure> {
        let dir = log.dir();
        let Some(directory) = self.directories.iter().find(|d| dir.starts_with(d.dir.path())) else {
            return Ok(());
        };
        let delay_ms = log.config().file_delete_delay_ms;
        let renamed = directory.dir.delete_log(log, unique_id())?;
        directory.note_deleted(renamed, delay_ms);
        Ok(())
    }

    fn delete_refused(&self, refused: &Refused) -> Result<(), LogDirFailure> {
        let Some(directory) = self.directories.iter().find(|d| refused.log_dir == d.dir.path()) else {
            return Ok(());
        };
        let renamed = directory.dir.delete_unopened(&refused.log.partition, unique_id())?;
        directory.note_deleted(renamed, refused.file_delete_delay_ms);
        Ok(())
    }

    /// Logs that were found at the start and belong to no topic: named once, kept. And how many partitions have lost theirs.
    pub fn report_strays(&self) {
        let begun_empty = self.begun_empty.load(Ordering::Relaxed);
        if begun_empty > 0 {
            log::error!("{begun_empty} partitions that had a log before begin empty, since log.dirs hold none of them");
        }
        let found = self.found.lock();
        if !found.is_empty() {
            let names: Vec<String> = found.keys().take(10).map(ToString::to_string).collect();
            log::warn!(
                "{} logs belong to no topic and are left alone, among them {}",
                found.len(),
                names.join(", ")
            );
        }
    }

    /// Removes what deleted partitions have left, when its time has come.
    pub fn remove_deleted(&self) {
        let now_ms = clock::now_ms();
        for directory in &self.directories {
            let due: Vec<PathBuf> = {
                let mut deleted = directory.deleted.lock();
                let (due, later) = deleted.drain(..).partition(|(due_ms, _)| *due_ms <= now_ms);
                *deleted = later;
                due.into_iter().map(|(_, path): (i64, PathBuf)| path).collect()
            };
            for path in due {
                if let Err(failure) = directory.dir.remove_dir(&path) {
                    log::error!("{failure}");
                }
            }
        }
    }

    /// Writes the recovery points of all logs.
    pub fn checkpoint_recovery_points(&self, partitions: Here<'_>) {
        self.checkpoint(
            OffsetCheckpoint::RecoveryPoint,
            partitions,
            |p| Some(p.log().recovery_point()),
            |found| Some(found.log.recovery_point()),
            |refused| Some(refused.log.recovery_point),
        );
    }

    /// Writes the log start offsets of those logs whose first segment does not say them.
    pub fn checkpoint_log_start_offsets(&self, partitions: Here<'_>) {
        let unless_first = |offset: i64| Some(offset).filter(|offset| *offset > 0);
        self.checkpoint(
            OffsetCheckpoint::LogStartOffset,
            partitions,
            |p| unless_first(p.log_start_offset()),
            |found| unless_first(found.log.log_start_offset()),
            |refused| unless_first(refused.log.log_start_offset),
        );
    }

    /// Writes the high watermarks of all partitions.
    pub fn checkpoint_high_watermarks(&self, partitions: Here<'_>) {
        self.checkpoint(
            OffsetCheckpoint::Replication,
            partitions,
            |p| Some(p.high_watermark()),
            |found| Some(found.high_watermark),
            |refused| Some(refused.high_watermark),
        );
    }

    /// Replaces a checkpoint in every directory; a directory that fails is noticed by [`Logs::directories`].
    fn checkpoint(
        &self,
        checkpoint: OffsetCheckpoint,
        partitions: Here<'_>,
        offset: impl Fn(&Partition) -> Option<i64>,
        offset_of_found: impl Fn(&Found) -> Option<i64>,
        offset_of_refused: impl Fn(&Refused) -> Option<i64>,
    ) {
        for directory in self.directories.iter().filter(|d| d.dir.health().failure().is_none()) {
            let _one_at_a_time = directory.checkpoints.lock();
            let mut here: Vec<(TopicPartition, i64)> = partitions()
                .iter()
                .filter(|p| p.log_dir() == directory.dir.path())
                .filter_map(|p| Some((p.topic_partition.clone(), offset(p)?)))
                .collect();
            let found = self.found.lock();
            let strays = found
                .values()
                .filter(|found| found.log.dir().starts_with(directory.dir.path()));
            here.extend(strays.filter_map(|found| Some((found.log.partition().clone(), offset_of_found(found)?))));
            drop(found);
            // What cannot be used now may be usable by another version, which must find what is known of it.
            let refused = self.refused.lock();
            let refused_here = refused
                .values()
                .filter(|refused| refused.log_dir == directory.dir.path());
            here.extend(refused_here.filter_map(|r| Some((r.log.partition.clone(), offset_of_refused(r)?))));
            drop(refused);
            let entries = here.iter().map(|(partition, offset)| (partition, *offset));
            if let Err(failure) = directory.dir.write_checkpoint(checkpoint, entries) {
                log::error!("{failure}");
            }
        }
    }

    /// Closes every log, writes the checkpoints, and marks each directory whose logs are all closed as cleanly left.
    ///
    /// # Errors
    /// The first directory's failure; the others are closed all the same.
    pub fn close(&self, partitions: &[Arc<Partition>]) -> Result<(), LogDirFailure> {
        let mut first_failure = None;
        for directory in &self.directories {
            if let Err(failure) = self.close_in(directory, partitions) {
                log::error!("{failure}");
                first_failure.get_or_insert(failure);
            }
        }
        let here = || partitions.to_vec();
        self.checkpoint_recovery_points(&here);
        self.checkpoint_log_start_offsets(&here);
        self.checkpoint_high_watermarks(&here);
        for directory in &self.directories {
            if directory.dir.health().failure().is_none()
                && self.may_mark_clean(directory)
                && let Err(failure) = directory.dir.mark_clean_shutdown(-1)
            {
                log::error!("{failure}");
                first_failure.get_or_insert(failure);
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// The mark vouches for every log in the directory. One that could not be used is as it was found: not recovered, unless there
    /// was nothing to recover.
    fn may_mark_clean(&self, directory: &Directory) -> bool {
        let refused = self.refused.lock();
        directory.dir.clean_shutdown().is_some() || refused.values().all(|r| r.log_dir != directory.dir.path())
    }

    fn close_in(&self, directory: &Directory, partitions: &[Arc<Partition>]) -> Result<(), LogDirFailure> {
        let mut closing = Vec::new();
        let mut plans = Vec::new();
        for partition in partitions.iter().filter(|p| p.log_dir() == directory.dir.path()) {
            if let Some(plan) = partition.plan_close()? {
                closing.push(partition);
                plans.push(plan);
            }
        }
        directory.dir.flush_together(&plans)?;
        closing
            .iter()
            .zip(&plans)
            .for_each(|(partition, plan)| partition.note_closed(plan));
        for found in self.found.lock().values_mut() {
            if found.log.dir().parent() == Some(directory.dir.path()) {
                found.log.close(clock::now_ms())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
