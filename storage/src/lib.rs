//! The log: segments, indexes, producer state, recovery, checkpoints.
//!
//! A [`Log`] is the log of one partition: `&mut self` appends, and a read is split in two. [`Log::locate`] is cheap and made under
//! the partition's lock; the [`ReadPlan`] that it returns owns what it needs and runs without the lock. A [`LogDir`] is one
//! directory of `log.dirs`: its lock, its checkpoints, its partitions. Everything touches files through the [`Disk`] trait, so that
//! a simulated disk can lose, tear and refuse what a real one might. Nothing in here reads a clock: `now_ms` is an argument.

mod append;
mod batch;
pub mod checkpoint;
mod damage;
mod disk;
mod disk_sim;
mod error;
mod flush;
mod index_file;
mod index_search;
mod leader_epoch_cache;
mod log;
mod log_config;
mod log_dir;
mod log_files;
mod log_home;
mod lookup;
mod offset_index;
mod offsets_before;
mod old_format;
mod only_batch;
mod open_files;
mod producer_snapshot;
mod producer_state;
mod read;
mod recovery;
mod retention;
mod scan;
mod segment;
mod sys;
mod time_index;
mod topic_partition;
mod validate;

pub use append::AppendInfo;
pub use batch::BatchHeader;
pub use disk::{DirEntry, Disk, DiskLock, FileMetadata, LogFile, RealDisk};
pub use disk_sim::{SimCall, SimDisk};
pub use error::{AppendError, LogDirFailure, LogDirHealth, OpenError, ReadError};
pub use flush::FlushPlan;
pub use leader_epoch_cache::{EpochEndOffset, EpochEntry, LeaderEpochCache};
pub use log::Log;
pub use log_config::LogConfig;
pub use log_dir::{CleanShutdown, LoadedLogs, LogDir, LogDirError, RefusedLog, create_dir_durably};
pub use lookup::{OffsetLookup, OffsetSpec, TimestampAndOffset, TimestampSearch};
pub use offsets_before::{BeforeSpec, OffsetsBefore};
pub use old_format::OldRecordFormat;
pub use only_batch::{OnlyBatch, is_transactional};
pub use open_files::OpenFiles;
pub use producer_state::{BatchMetadata, EndTxnMarker, MAX_PRODUCERS, ProducerState, ProducerStateEntry};
pub use protocol::TopicPartition;
pub use read::{FetchData, ReadOutcome, ReadPlan, ReadRequest};
pub use recovery::LogOptions;
pub use retention::{DeletedFiles, LogStartOffsetError, OldestSegments};
pub use scan::ReadMode;
pub use topic_partition::PartitionDir;
pub use validate::{RecordError, ValidateError, ValidateOptions, ValidatedBatch, validate, validate_if_cheap};
