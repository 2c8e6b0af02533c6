//! `__consumer_offsets` as the group coordinator uses it: over the partitions of it that this broker leads.

use std::sync::Arc;

use bytes::Bytes;
use storage::{AppendError, OnlyBatch, ReadError, ReadMode, ValidateError};

use crate::group::{BoxFuture, LedPartition, OffsetsLog, OffsetsLogError};
use crate::metadata_cache::MetadataCache;
use crate::network::RequestPermit;
use crate::partition::{
    AppendFailure, Appended, Commit, LeaderError, NO_EPOCH, Partition, ReadFailure, ReadLimits, Readable,
};
use crate::replicas::Replicas;
use crate::threads;
use crate::topics::CONSUMER_OFFSETS;

/// The newest version of Produce, by whose rules the coordinator's own batches are checked.
const PRODUCE_VERSION: i16 = 11;
/// `acks=all`
const ACKS_ALL: i16 = -1;

/// The topic.
pub struct OffsetsTopic {
    /// The partitions here.
    pub replicas: Arc<Replicas>,
    /// What there is at all.
    pub metadata: Arc<MetadataCache>,
}

impl OffsetsTopic {
    fn partition(&self, partition: i32) -> Result<Arc<Partition>, OffsetsLogError> {
        match self.replicas.get(CONSUMER_OFFSETS, partition) {
            Some(partition) => Ok(partition),
            None if self.metadata.contains(CONSUMER_OFFSETS, partition) => Err(OffsetsLogError::NotLeader),
            None => Err(OffsetsLogError::UnknownPartition),
        }
    }

    /// The partition, if it is led here in that epoch.
    fn led(&self, led: LedPartition) -> Result<Arc<Partition>, OffsetsLogError> {
        let partition = self.partition(led.partition)?;
        match partition.leader_state() {
            Ok(state) if state.leader_epoch.0 == led.leader_epoch => Ok(partition),
            Ok(_) | Err(_) => Err(OffsetsLogError::NotLeader),
        }
    }

    async fn append_batch(&self, led: LedPartition, batch: Bytes) -> Result<i64, OffsetsLogError> {
        let partition = self.led(led)?;
        let batch = OnlyBatch::find(&batch, PRODUCE_VERSION)
            .and_then(|batch| partition.validate(batch))
            .map_err(|e| refused(&partition, &e))?;
        partition
            .may_append(ACKS_ALL)
            .map_err(|e| append_error(&partition, &e))?;
        let outcome = match partition.append_as_leader(batch, &RequestPermit::default()) {
            Appended::Done(outcome) => outcome,
            Appended::Queued(pending) => pending.outcome().await.ok_or(OffsetsLogError::NotLeader)?,
        };
        let appended = outcome.map_err(|e| append_error(&partition, &e))?;
        match appended.leader_epoch == led.leader_epoch {
            true => Ok(appended.info.first_offset),
            false => Err(OffsetsLogError::NotLeader),
        }
    }

    async fn wait_for_commit(&self, led: LedPartition, offset: i64) -> Result<i64, OffsetsLogError> {
        let partition = self.led(led)?;
        let high_watermark = match partition.commit_of(led.leader_epoch, offset) {
            Commit::Committed { high_watermark } => Some(high_watermark),
            Commit::NotLeader => None,
            Commit::Awaited(pending) => pending.high_watermark().await,
        };
        high_watermark.ok_or(OffsetsLogError::NotLeader)
    }
}

impl OffsetsLog for OffsetsTopic {
    fn partition_count(&self) -> Option<i32> {
        let topic = self.metadata.topic(CONSUMER_OFFSETS)?;
        i32::try_from(topic.partitions.len()).ok()
    }

    fn max_batch_bytes(&self, partition: i32) -> Result<usize, OffsetsLogError> {
        let config = self.partition(partition)?.config();
        Ok(usize::try_from(config.log.max_message_bytes).unwrap_or(0))
    }

    fn append(&self, led: LedPartition, batch: Bytes) -> BoxFuture<'_, Result<i64, OffsetsLogError>> {
        Box::pin(self.append_batch(led, batch))
    }

    fn committed(&self, led: LedPartition, offset: i64) -> BoxFuture<'_, Result<i64, OffsetsLogError>> {
        Box::pin(self.wait_for_commit(led, offset))
    }

    fn bounds(&self, partition: i32) -> Result<(i64, i64), OffsetsLogError> {
        let partition = self.partition(partition)?;
        partition.leader_state().map_err(|_| OffsetsLogError::NotLeader)?;
        let log = partition.log();
        Ok((log.log_start_offset(), log.log_end_offset()))
    }

    fn read(&self, partition: i32, offset: i64, max_bytes: usize) -> BoxFuture<'_, Result<Bytes, OffsetsLogError>> {
        Box::pin(async move {
            let partition = self.partition(partition)?;
            let read = threads::spawn_blocking(move || read_whole_batches(&partition, offset, max_bytes));
            read.await.unwrap_or(Err(OffsetsLogError::Storage))
        })
    }
}

fn read_whole_batches(partition: &Partition, offset: i64, max_bytes: usize) -> Result<Bytes, OffsetsLogError> {
    let limits = ReadLimits {
        fetch_offset: offset,
        max_bytes,
        min_one_message: true,
        readable: Readable::LogEnd,
        replica: None,
        from_followers: false,
        current_leader_epoch: NO_EPOCH,
        last_fetched_epoch: NO_EPOCH,
        sendfile_min_bytes: usize::MAX,
    };
    match partition.read(&limits, ReadMode::Blocking) {
        Ok(Some(read)) => Ok(read.records.as_memory().cloned().unwrap_or_default()),
        Ok(None) => Ok(Bytes::new()),
        Err(e) => {
            log::error!(
                "{}: cannot be read from offset {offset}: {e}",
                partition.topic_partition
            );
            Err(match e {
                ReadFailure::Leader(_) => OffsetsLogError::NotLeader,
                ReadFailure::Log(ReadError::CorruptBatch { .. } | ReadError::OldRecordFormat { .. }) => {
                    OffsetsLogError::Damaged
                }
                ReadFailure::Log(_) => OffsetsLogError::Storage,
            })
        }
    }
}

fn refused(partition: &Partition, error: &ValidateError) -> OffsetsLogError {
    log::warn!(
        "{}: a batch of the group coordinator was refused: {error}",
        partition.topic_partition
    );
    match error {
        ValidateError::RecordTooLarge { .. } => OffsetsLogError::TooLarge,
        ValidateError::InvalidRecord { .. }
        | ValidateError::InvalidTimestamp { .. }
        | ValidateError::CorruptMessage { .. }
        | ValidateError::TooMuchInflated { .. }
        | ValidateError::Undecodable { .. }
        | ValidateError::UnsupportedCompressionType { .. } => OffsetsLogError::Refused,
    }
}

fn append_error(partition: &Partition, failure: &AppendFailure) -> OffsetsLogError {
    log::warn!(
        "{}: an append of the group coordinator failed: {failure}",
        partition.topic_partition
    );
    match failure {
        AppendFailure::Leader(
            LeaderError::NotLeader { .. } | LeaderError::Fenced { .. } | LeaderError::Unknown { .. },
        ) => OffsetsLogError::NotLeader,
        AppendFailure::LedAnew { .. } => OffsetsLogError::NotLeader,
        AppendFailure::NotEnoughReplicas { .. } => OffsetsLogError::NotEnoughReplicas,
        AppendFailure::Log(AppendError::Closed { .. }) => OffsetsLogError::NotLeader,
        AppendFailure::Log(AppendError::LogDir(_)) => OffsetsLogError::Storage,
        AppendFailure::Log(AppendError::RecordBatchTooLarge { .. }) => OffsetsLogError::TooLarge,
        // The coordinator's batches are well-formed, without a producer, and appended by the leader.
        AppendFailure::Log(
            AppendError::OutOfOrderSequence { .. }
            | AppendError::InvalidProducerEpoch { .. }
            | AppendError::InvalidTxnState { .. }
            | AppendError::CorruptBatch { .. }
            | AppendError::UnexpectedOffset { .. }
            | AppendError::OffsetsOutOfOrder { .. },
        ) => OffsetsLogError::Refused,
    }
}
