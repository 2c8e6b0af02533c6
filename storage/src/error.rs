//! What can go wrong, with the facts. Every I/O error takes its log directory offline; the first one is remembered.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use protocol::TopicPartition;
use protocol::wire::TopicId;

use crate::checkpoint::MalformedCheckpoint;
use crate::old_format::OldRecordFormat;

/// Why a log directory is offline: the first I/O error that it gave.
#[derive(Clone, Debug, thiserror::Error)]
#[error("log directory {} is offline: {action}: {error}", dir.display())]
pub struct LogDirFailure {
    /// The log directory.
    pub dir: PathBuf,
    /// What was being done, with the file's name.
    pub action: String,
    /// What the system answered.
    pub error: String,
}

/// Whether one log directory still works. Shared by all its logs; once failed it stays failed, so that nothing which may
/// rest on a lost write is ever acknowledged.
#[derive(Debug)]
pub struct LogDirHealth {
    dir: PathBuf,
    failure: OnceLock<LogDirFailure>,
}

impl LogDirHealth {
    /// A working directory.
    pub fn new(dir: impl Into<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            dir: dir.into(),
            failure: OnceLock::new(),
        })
    }

    /// The log directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The failure that took the directory offline, if any.
    pub fn failure(&self) -> Option<&LogDirFailure> {
        self.failure.get()
    }

    /// Takes the directory offline; the first failure is the one that stays.
    pub fn fail(&self, action: impl FnOnce() -> String, error: &io::Error) -> LogDirFailure {
        self.failure
            .get_or_init(|| LogDirFailure {
                dir: self.dir.clone(),
                action: action(),
                error: error.to_string(),
            })
            .clone()
    }

    /// Passes a result on; an error takes the directory offline.
    pub(crate) fn checked<T>(
        &self,
        action: impl FnOnce() -> String,
        result: io::Result<T>,
    ) -> Result<T, LogDirFailure> {
        result.map_err(|error| self.fail(action, &error))
    }

    /// `Err` once the directory is offline.
    pub fn check(&self) -> Result<(), LogDirFailure> {
        match self.failure.get() {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }
}

/// Why an append was refused. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// `KAFKA_STORAGE_ERROR`: the directory is offline.
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
    /// `NOT_LEADER_OR_FOLLOWER`: the broker stops, and the log is closed. Another broker, or this one when it is back, takes them.
    #[error("{partition}: the log is closed")]
    Closed {
        /// The partition.
        partition: TopicPartition,
    },
    /// `RECORD_LIST_TOO_LARGE`: the records do not fit into a segment.
    #[error("{partition}: {size} bytes of records exceed the maximum segment size of {segment_bytes}")]
    RecordBatchTooLarge {
        /// The partition.
        partition: TopicPartition,
        /// Bytes of the records.
        size: usize,
        /// `segment.bytes`.
        segment_bytes: i32,
    },
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    #[error(
        "{partition}: out of order sequence number for producer {producer_id} at offset {offset}: {sequence} (incoming), \
         {last_sequence} (current end)"
    )]
    OutOfOrderSequence {
        /// The partition.
        partition: TopicPartition,
        /// The producer.
        producer_id: i64,
        /// The offset that the batch would have had.
        offset: i64,
        /// The sequence that came.
        sequence: i32,
        /// The last one that is stored.
        last_sequence: i32,
    },
    /// `INVALID_PRODUCER_EPOCH`.
    #[error(
        "{partition}: epoch {producer_epoch} of producer {producer_id} at offset {offset} is older than {current_epoch}"
    )]
    InvalidProducerEpoch {
        /// The partition.
        partition: TopicPartition,
        /// The producer.
        producer_id: i64,
        /// The offset that the batch would have had.
        offset: i64,
        /// The epoch that came.
        producer_epoch: i16,
        /// The newest epoch seen.
        current_epoch: i16,
    },
    /// `INVALID_TXN_STATE`: a record outside a transaction while one is open, or inside one that nobody opened.
    #[error(
        "{partition}: producer {producer_id} is not in the transaction state that its batch at offset {offset} claims"
    )]
    InvalidTxnState {
        /// The partition.
        partition: TopicPartition,
        /// The producer.
        producer_id: i64,
        /// The offset that the batch would have had.
        offset: i64,
    },
    /// A follower was given records that overlap what it has.
    #[error("{partition}: first offset {first_offset} of the append is below the log end offset {log_end_offset}")]
    UnexpectedOffset {
        /// The partition.
        partition: TopicPartition,
        /// The first offset that came.
        first_offset: i64,
        /// The last offset that came.
        last_offset: i64,
        /// The next offset to be written.
        log_end_offset: i64,
    },
    /// A follower was given records whose offsets do not rise.
    #[error("{partition}: offsets of the append do not rise: {last_offset} after {previous_last_offset}")]
    OffsetsOutOfOrder {
        /// The partition.
        partition: TopicPartition,
        /// The last offset of the batch that breaks the order.
        last_offset: i64,
        /// The last offset of the batch before it.
        previous_last_offset: i64,
    },
    /// `CORRUPT_MESSAGE`: a batch given to a follower does not match its checksum or its length.
    #[error("{partition}: corrupt batch in the append at byte {position}")]
    CorruptBatch {
        /// The partition.
        partition: TopicPartition,
        /// Where in the appended bytes it begins.
        position: usize,
    },
}

/// Why a read was refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// `KAFKA_STORAGE_ERROR`: the directory is offline.
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
    /// `OFFSET_OUT_OF_RANGE`.
    #[error("{partition}: offset {requested} is outside of {log_start_offset}..={log_end_offset}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset that was asked for.
        requested: i64,
        /// The first offset that is readable.
        log_start_offset: i64,
        /// The next offset to be written.
        log_end_offset: i64,
    },
    /// `CORRUPT_MESSAGE`: bytes that came back from the disk do not match their checksum.
    #[error("{}: corrupt batch at byte {position}", file.display())]
    CorruptBatch {
        /// The segment's file.
        file: PathBuf,
        /// Where the batch begins.
        position: u64,
    },
    /// `KAFKA_STORAGE_ERROR`: records that this version cannot use.
    #[error("{partition}: {found}")]
    OldRecordFormat {
        /// The partition.
        partition: TopicPartition,
        /// What and where.
        found: OldRecordFormat,
    },
}

/// Why a log could not be opened or created. Who reports it says of which partition it speaks.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is offline.
    #[error(transparent)]
    LogDir(#[from] LogDirFailure),
    /// It holds records that this version cannot use. They stay as they are.
    #[error("{found}")]
    OldRecordFormat {
        /// The partition.
        partition: TopicPartition,
        /// What and where.
        found: OldRecordFormat,
    },
    /// `partition.metadata` cannot be read.
    #[error("partition.metadata: {malformed}")]
    PartitionMetadata {
        /// The partition.
        partition: TopicPartition,
        /// What is wrong with it.
        malformed: MalformedCheckpoint,
    },
    /// The directory belongs to another topic of the same name (`INCONSISTENT_TOPIC_ID`).
    #[error("the directory belongs to topic id {stored}, not {given}")]
    InconsistentTopicId {
        /// The partition.
        partition: TopicPartition,
        /// The topic's id in `partition.metadata`.
        stored: TopicId,
        /// The id that was expected.
        given: TopicId,
    },
}
