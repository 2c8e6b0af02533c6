//! The directories of `log.dirs` before their logs are opened: whose they are.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::BrokerConfig;
use storage::checkpoint::MetaProperties;
use storage::{Disk, LogDir, LogDirError, LogDirFailure, OpenFiles, RealDisk};

use crate::open_files::OpenFileLimit;

/// The directories that can be used.
pub struct LogDirs {
    /// Locked.
    pub online: Vec<LogDir>,
    /// Those that cannot be used.
    pub offline: Vec<PathBuf>,
}

/// Why the directories cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogDirsError {
    /// One of them.
    #[error(transparent)]
    Directory(#[from] LogDirError),
    /// Writing to one of them.
    #[error(transparent)]
    Failure(#[from] LogDirFailure),
    /// Two paths of `log.dirs` lead to one directory.
    #[error("log.dirs names one directory twice: {first} and {second}")]
    Twice {
        /// One path.
        first: String,
        /// The other.
        second: String,
    },
    /// Two directories, or a directory and the configuration, name different brokers.
    #[error("{first} says broker.id {first_id}, but {second} says {second_id}")]
    BrokerId {
        /// Who says so.
        first: String,
        /// What.
        first_id: i32,
        /// Who says otherwise.
        second: String,
        /// What.
        second_id: i32,
    },
    /// Two directories belong to different clusters.
    #[error("{first} belongs to cluster {first_id}, but {second} to {second_id}")]
    ClusterId {
        /// One directory.
        first: String,
        /// Its cluster.
        first_id: String,
        /// The other.
        second: String,
        /// Its cluster.
        second_id: String,
    },
    /// There are logs, but not the metadata store that knows their topics.
    #[error(
        "{}, but {first}{} in log.dirs: without the store their topics \
         are unknown{elsewhere}. It belongs into metadata.log.dir, by default the first of log.dirs; a new broker needs empty \
         directories",
        match is_there {
            false => format!("there is no metadata store at {store}"),
            true => format!("the metadata store at {store} is empty"),
        },
        match others {
            0 => " lies".to_owned(),
            1 => " and 1 more log lie".to_owned(),
            _ => format!(" and {others} more logs lie"),
        }
    )]
    NoMetadataStore {
        /// Where it should be.
        store: String,
        /// Whether a store lies there, one that knows no cluster.
        is_there: bool,
        /// One of the logs.
        first: String,
        /// How many more there are.
        others: usize,
        /// Where one lies, in words; empty for nowhere.
        elsewhere: String,
    },
    /// Whether the metadata store is there cannot be told.
    #[error("cannot look for the metadata store at {store}: {source}")]
    MetadataStore {
        /// Where it should be.
        store: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A directory cannot be listed.
    #[error("{path}: {source}")]
    List {
        /// The directory.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl LogDirs {
    /// Opens and locks the directories of `log.dirs`. One that cannot be used is left out if there are others.
    ///
    /// # Errors
    /// [`LogDirsError`]
    pub fn open(config: &BrokerConfig, open_files: OpenFileLimit) -> Result<Self, LogDirsError> {
        LogDirs::open_on(&(Arc::new(RealDisk) as Arc<dyn Disk>), config, open_files)
    }

    /// The same on another file system than the real one.
    ///
    /// # Errors
    /// [`LogDirsError`]
    pub fn open_on(
        disk: &Arc<dyn Disk>,
        config: &BrokerConfig,
        open_files: OpenFileLimit,
    ) -> Result<Self, LogDirsError> {
        let open_files = OpenFiles::new(open_files.between_uses());
        let (mut online, mut offline) = (Vec::new(), Vec::new());
        for (index, path) in config.log_dirs.iter().enumerate() {
            match LogDir::open(path, disk.clone(), open_files.clone()) {
                Ok(dir) => online.push(dir),
                Err(e @ LogDirError::Unusable { .. }) if !online.is_empty() || index + 1 < config.log_dirs.len() => {
                    log::error!("{e}; the broker goes on without it");
                    offline.push(path.clone());
                }
                Err(e @ LogDirError::Locked { .. }) => {
                    // By a symbolic link or `..`: then it is this broker that holds the lock.
                    let real = path.canonicalize().ok();
                    let first = online
                        .iter()
                        .find(|dir| real.is_some() && dir.path().canonicalize().ok() == real);
                    return Err(first.map_or(LogDirsError::Directory(e), |first| LogDirsError::Twice {
                        first: first.path().display().to_string(),
                        second: path.display().to_string(),
                    }));
                }
                Err(e) => return Err(e.into()),
            }
        }
        let dirs = Self { online, offline };
        dirs.agree(config)?;
        Ok(dirs)
    }

    /// What the directories say, each with its name.
    fn stated(&self) -> impl Iterator<Item = (String, &MetaProperties)> {
        self.online.iter().filter_map(|dir| {
            let meta = dir.meta_properties()?;
            Some((dir.path().join("meta.properties").display().to_string(), meta))
        })
    }

    fn agree(&self, config: &BrokerConfig) -> Result<(), LogDirsError> {
        let mut broker = config.broker_id.map(|id| ("the configuration".to_string(), id));
        let mut cluster: Option<(String, String)> = None;
        for (file, meta) in self.stated() {
            let (first, first_id) = broker.get_or_insert_with(|| (file.clone(), meta.broker_id)).clone();
            if first_id != meta.broker_id {
                return Err(LogDirsError::BrokerId {
                    first,
                    first_id,
                    second: file,
                    second_id: meta.broker_id,
                });
            }
            let (first, first_id) = cluster
                .get_or_insert_with(|| (file.clone(), meta.cluster_id.clone()))
                .clone();
            if first_id != meta.cluster_id {
                return Err(LogDirsError::ClusterId {
                    first,
                    first_id,
                    second: file,
                    second_id: meta.cluster_id.clone(),
                });
            }
        }
        Ok(())
    }

    /// Refuses logs without the metadata store that belongs to them: with a new one in its place all topics would be gone, and the
    /// next topics of those names would meet logs that are not theirs. A file without a byte is a store as little as none.
    ///
    /// # Errors
    /// [`LogDirsError::NoMetadataStore`], [`LogDirsError::MetadataStore`], [`LogDirsError::List`]
    pub fn require_metadata_store(&self, store: &Path) -> Result<(), LogDirsError> {
        let bytes = match store.metadata() {
            Ok(file) => Some(file.len()),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(source) => {
                return Err(LogDirsError::MetadataStore {
                    store: store.display().to_string(),
                    source,
                });
            }
        };
        match bytes {
            None => self.require_no_logs(store, false),
            Some(0) => self.require_no_logs(store, true),
            Some(_) => Ok(()),
        }
    }

    /// Refuses all logs, as the store at `store` is not theirs: it is not there, or knows no cluster.
    ///
    /// # Errors
    /// [`LogDirsError::NoMetadataStore`], [`LogDirsError::List`]
    pub fn require_no_logs(&self, store: &Path, is_there: bool) -> Result<(), LogDirsError> {
        let (mut logs, mut elsewhere) = (Vec::new(), String::new());
        for dir in &self.online {
            let listed = |source| LogDirsError::List {
                path: dir.path().display().to_string(),
                source,
            };
            for entry in std::fs::read_dir(dir.path()).map_err(listed)? {
                let path = entry.map_err(listed)?.path();
                if path != store && path.file_name() == store.file_name() {
                    elsewhere = format!("; one lies at {}", path.display());
                }
                // A deleted log waits for the removal of its files.
                if path
                    .extension()
                    .is_some_and(|e| e.to_string_lossy().ends_with("-delete"))
                {
                    continue;
                }
                // What every log has; a directory of another kind is refused when the logs are opened.
                if path.join("partition.metadata").exists() || path.join("leader-epoch-checkpoint").exists() {
                    logs.push(path.display().to_string());
                }
            }
        }
        logs.sort_unstable();
        match logs.split_first() {
            None => Ok(()),
            Some((first, others)) => Err(LogDirsError::NoMetadataStore {
                store: store.display().to_string(),
                is_there,
                first: first.clone(),
                others: others.len(),
                elsewhere,
            }),
        }
    }

    /// The cluster that the directories belong to.
    pub fn cluster_id(&self) -> Option<String> {
        self.stated().next().map(|(_, meta)| meta.cluster_id.clone())
    }

    /// The broker that they belong to.
    pub fn broker_id(&self) -> Option<i32> {
        self.stated().next().map(|(_, meta)| meta.broker_id)
    }

    /// Writes down in each directory whose it is.
    ///
    /// # Errors
    /// The directory's failure.
    pub fn identify(&mut self, broker_id: i32, cluster_id: &str) -> Result<(), LogDirFailure> {
        let meta = MetaProperties {
            broker_id,
            cluster_id: cluster_id.to_string(),
        };
        for dir in &mut self.online {
            if dir.meta_properties() != Some(&meta) {
                dir.write_meta_properties(&meta)?;
            }
        }
        Ok(())
    }
}
