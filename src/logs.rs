//! All logs of this broker, over its log directories. Kafka's `LogManager`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::BrokerConfig;
use controller::ConfigMap;
use parking_lot::Mutex;
use protocol::wire::TopicId;
use storage::checkpoint::OffsetCheckpoint;
use storage::{Log, LogDir, LogDirFailure, OpenError, TopicPartition};
use tokio::sync::Notify;

use crate::clock;
use crate::log_config::PartitionConfig;
use crate::log_dirs::LogDirs;
use crate::partition::Partition;
use crate::random;

/// Why a log could not be opened, created or deleted.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Opening it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its directory is offline.
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
    /// A directory is offline, and the partition may lie there.
    #[error("{partition}: its log is not in any directory that is online, and may be in one that is not")]
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
    /// No directory is left for a new log.
    #[error("{partition}: no log directory is online")]
    NoDirectory {
        /// The partition.
        partition: TopicPartition,
    },
    /// The log in the directory is of another topic with the same name.
    #[error("{partition}: its log belongs to the topic with id {found}, but the topic now has id {expected}")]
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

struct Directory {
    dir: LogDir,
    /// Partitions in it; new ones go where there are fewest.
    partitions: Mutex<usize>,
    /// Directories of deleted partitions, and when their files go.
    deleted: Mutex<Vec<(i64, PathBuf)>>,
    /// Held while a checkpoint is replaced: two writers would share its temporary file.
    checkpoints: Mutex<()>,
}

/// The logs.
pub struct Logs {
    config: Arc<BrokerConfig>,
    directories: Vec<Directory>,
    found: Mutex<HashMap<TopicPartition, Found>>,
    /// A directory could not be used when the broker started: what it holds is unknown.
    offline_at_start: bool,
    all_offline: Notify,
}

impl Logs {
    /// Opens every log in the directories, and recovers those that were not closed.
    ///
    /// # Errors
    /// The directory's failure, if it was the only one.
    pub fn load(
        config: Arc<BrokerConfig>,
        dirs: LogDirs,
        topic_configs: &BTreeMap<String, ConfigMap>,
    ) -> Result<Arc<Self>, LogsError> {
        let mut configs: HashMap<Arc<str>, PartitionConfig> = HashMap::new();
        let mut found = HashMap::new();
        let mut directories = Vec::new();
        let none = ConfigMap::new();
        let threads = usize::try_from(config.num_recovery_threads_per_data_dir).unwrap_or(1);
        let only_one = dirs.online.len() == 1;
        let mut offline_at_start = !dirs.offline.is_empty();
        for dir in dirs.online {
            for partition in dir.partitions() {
                configs.entry(partition.topic.clone()).or_insert_with(|| {
                    let overrides = topic_configs.get(&*partition.topic).unwrap_or(&none);
                    PartitionConfig::new(&config, &partition.topic, overrides)
                });
            }
            let logs = match dir.load_logs(
                |partition| configs[&partition.topic].log.clone(),
                threads,
                clock::now_ms(),
            ) {
                Ok(logs) => logs,
                Err(e) if only_one => return Err(e.into()),
                Err(e) => {
                    log::error!("{e}");
                    offline_at_start = true;
                    continue;
                }
            };
            let high_watermarks = dir.read_checkpoint(OffsetCheckpoint::Replication);
            let count = logs.len();
            for log in logs {
                let high_watermark = high_watermarks.get(log.partition()).copied().unwrap_or(0);
                let partition = log.partition().clone();
                let first = log.dir();
                if let Some(other) = found.insert(partition.clone(), Found { log, high_watermark }) {
                    return Err(LogsError::Duplicate {
                        partition,
                        first,
                        second: other.log.dir(),
                    });
                }
            }
            let now_ms = clock::now_ms();
            let deleted = dir.deleted_dirs().iter().map(|path| (now_ms, path.clone())).collect();
            for path in dir.left_alone() {
                log::warn!("{} is left alone: this version knows no such copies", path.display());
            }
            directories.push(Directory {
                dir,
                partitions: Mutex::new(count),
                deleted: Mutex::new(deleted),
                checkpoints: Mutex::new(()),
            });
        }
        Ok(Arc::new(Self {
            config,
            directories,
            found: Mutex::new(found),
            offline_at_start,
            all_offline: Notify::new(),
        }))
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

    /// Resolves when the last directory has gone offline.
    pub async fn all_offline(&self) {
        self.all_offline.notified().await;
    }

    /// Whether any directory is offline, so that a partition that is missing may lie there.
    pub fn any_offline(&self) -> bool {
        self.offline_at_start || self.directories.iter().any(|d| d.dir.health().failure().is_some())
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
        if let Some(Found {
            mut log,
            high_watermark,
        }) = self.found.lock().remove(partition)
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
        let id = (!topic_id.is_zero()).then_some(topic_id);
        let log = directory
            .dir
            .create_log(partition, id, config.log.clone(), clock::now_ms())?;
        *directory.partitions.lock() += 1;
        Ok((log, 0))
    }

    /// Deletes a partition's log: at once from sight, its files after `file.delete.delay.ms`.
    ///
    /// # Errors
    /// The directory's failure.
    pub fn delete(&self, partition: &TopicPartition, open: Option<&Partition>) -> Result<(), LogsError> {
        if let Some(open) = open {
            return Ok(self.delete_log(&open.log())?);
        }
        match self.found.lock().remove(partition) {
            Some(found) => Ok(self.delete_log(&found.log)?),
            None if self.any_offline() => Err(LogsError::PerhapsOffline {
                partition: partition.clone(),
            }),
            None => Ok(()),
        }
    }

    fn delete_log(&self, log: &Log) -> Result<(), LogDirFailure> {
        let dir = log.dir();
        let Some(directory) = self.directories.iter().find(|d| dir.starts_with(d.dir.path())) else {
            return Ok(());
        };
        let delay_ms = log.config().file_delete_delay_ms;
        let renamed = directory.dir.delete_log(log, u128::from_ne_bytes(random::bytes()))?;
        directory.deleted.lock().push((clock::now_ms() + delay_ms, renamed));
        let mut partitions = directory.partitions.lock();
        *partitions = partitions.saturating_sub(1);
        Ok(())
    }

    /// Logs that were found at the start and belong to no topic: named once, kept.
    pub fn report_strays(&self) {
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
    pub fn checkpoint_recovery_points(&self, partitions: &[Arc<Partition>]) {
        let of_found = |found: &Found| Some(found.log.recovery_point());
        self.checkpoint(
            OffsetCheckpoint::RecoveryPoint,
            partitions,
            |p| Some(p.log().recovery_point()),
            of_found,
        );
    }

    /// Writes the log start offsets of those logs whose first segment does not say them.
    pub fn checkpoint_log_start_offsets(&self, partitions: &[Arc<Partition>]) {
        let unless_first = |offset: i64| Some(offset).filter(|offset| *offset > 0);
        self.checkpoint(
            OffsetCheckpoint::LogStartOffset,
            partitions,
            |p| unless_first(p.log_start_offset()),
            |found| unless_first(found.log.log_start_offset()),
        );
    }

    /// Writes the high watermarks of all partitions.
    pub fn checkpoint_high_watermarks(&self, partitions: &[Arc<Partition>]) {
        let of_found = |found: &Found| Some(found.high_watermark);
        self.checkpoint(
            OffsetCheckpoint::Replication,
            partitions,
            |p| Some(p.high_watermark()),
            of_found,
        );
    }

    /// Replaces a checkpoint in every directory; a directory that fails is noticed by [`Logs::directories`].
    fn checkpoint(
        &self,
        checkpoint: OffsetCheckpoint,
        partitions: &[Arc<Partition>],
        offset: impl Fn(&Partition) -> Option<i64>,
        offset_of_found: impl Fn(&Found) -> Option<i64>,
    ) {
        for directory in self.directories.iter().filter(|d| d.dir.health().failure().is_none()) {
            let _one_at_a_time = directory.checkpoints.lock();
            let mut here: Vec<(TopicPartition, i64)> = partitions
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
        self.checkpoint_recovery_points(partitions);
        self.checkpoint_log_start_offsets(partitions);
        self.checkpoint_high_watermarks(partitions);
        for directory in &self.directories {
            if directory.dir.health().failure().is_none()
                && let Err(failure) = directory.dir.mark_clean_shutdown(-1)
            {
                log::error!("{failure}");
                first_failure.get_or_insert(failure);
            }
        }
        first_failure.map_or(Ok(()), Err)
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
