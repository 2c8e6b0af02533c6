//! The log: segments, indexes, producer state, recovery, checkpoints.
//!
//! A [`Log`] is the log of one partition: `&mut self` appends, and a read is split in two. [`Log::locate`] is cheap and made under
//! the partition's lock; the [`ReadPlan`] that it returns owns what it needs and runs without the lock. A [`LogDir`] is one
//! directory of `log.dirs`: its lock, its checkpoints, its partitions. Everything touches files through the [`Disk`] trait, so that
//! a simulated disk can lose, tear and refuse what a real one might. Nothing in here reads a clock: `now_ms` is an argument.

mod batch;
mod disk;
mod error;
mod index_file;
mod log;
mod log_config;
mod offset_index;
mod open_files;
mod read;
mod scan;
mod segment;
mod time_index;
mod topic_partition;
mod validate;

pub use batch::BatchHeader;
pub use disk::{DirEntry, Disk, FileMetadata, LogFile, RealDisk};
pub use error::{AppendError, LogDirFailure, LogDirHealth, OpenError, ReadError};
pub use log::{AppendInfo, Log, LogOptions};
pub use log_config::{CleanupPolicy, LogConfig, TimestampType};
pub use open_files::OpenFiles;
pub use read::{FetchData, ReadOutcome, ReadPlan, ReadRequest, Records};
pub use scan::ReadMode;
pub use topic_partition::TopicPartition;
pub use validate::{RecordError, ValidateError, ValidateOptions, ValidatedBatch, validate};
