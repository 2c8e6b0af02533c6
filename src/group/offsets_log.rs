//! What the coordinator needs of `__consumer_offsets`: the partitions that this broker leads.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::decision::Rejection;

/// A future in a box, so that [`OffsetsLog`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A partition of the topic, as long as this broker leads it in this epoch: what was loaded in it holds for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedPartition {
    /// Its number.
    pub partition: i32,
    /// The epoch.
    pub leader_epoch: i32,
}

/// The topic `__consumer_offsets` as its leader sees it.
pub trait OffsetsLog: Send + Sync + 'static {
    /// How many partitions the topic has; `None` while it does not exist.
    fn partition_count(&self) -> Option<i32>;

    /// The largest batch that the partition's log takes (`max.message.bytes`).
    fn max_batch_bytes(&self, partition: i32) -> Result<usize, OffsetsLogError>;

    /// Appends one batch as the partition's leader, with `acks=all`, and says which offset its first record got. It is
    /// in the local log then, not yet committed. The batch is whole and has been made here: offsets from 0, CRC set.
    fn append(&self, led: LedPartition, batch: Bytes) -> BoxFuture<'_, Result<i64, OffsetsLogError>>;

    /// Waits until `offset` lies below the high watermark, and says where that is. Without a deadline: ends with
    /// [`OffsetsLogError::NotLeader`] when leadership in that epoch goes.
    fn committed(&self, led: LedPartition, offset: i64) -> BoxFuture<'_, Result<i64, OffsetsLogError>>;

    /// Where the partition's log begins and ends: log start offset and log end offset.
    fn bounds(&self, partition: i32) -> Result<(i64, i64), OffsetsLogError>;

    /// Reads whole batches from `offset` on, up to about `max_bytes` and at least one, committed or not. The first
    /// may begin before `offset`. Empty at the end of the log.
    fn read(&self, partition: i32, offset: i64, max_bytes: usize) -> BoxFuture<'_, Result<Bytes, OffsetsLogError>>;
}

/// Why the log did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OffsetsLogError {
    /// There is no such partition.
    #[error("the partition does not exist")]
    UnknownPartition,
    /// Another broker leads it, or none does.
    #[error("this broker does not lead the partition")]
    NotLeader,
    /// Its log directory has failed.
    #[error("the partition's log directory has failed")]
    Storage,
    /// What is stored cannot be read, and trying again does not mend it.
    #[error(
        "its records are damaged where the line before this one says; a replica or a copy that is whole is to take their place"
    )]
    Damaged,
    /// Fewer replicas are in sync than `min.insync.replicas`, before or after the append.
    #[error("too few replicas are in sync")]
    NotEnoughReplicas,
    /// A record or the batch is larger than the topic allows.
    #[error("the batch is too large")]
    TooLarge,
    /// Not committed within `offsets.commit.timeout.ms`.
    #[error("not committed in time")]
    TimedOut,
    /// Refused for a reason that should not occur with batches that the coordinator made.
    #[error("the batch was refused")]
    Refused,
}

impl OffsetsLogError {
    /// What an OffsetCommit, OffsetDelete or DeleteGroups is told.
    pub fn for_offsets(self) -> Rejection {
        match self {
            OffsetsLogError::UnknownPartition | OffsetsLogError::NotEnoughReplicas => {
                Rejection::CoordinatorNotAvailable
            }
            OffsetsLogError::NotLeader | OffsetsLogError::Storage | OffsetsLogError::Damaged => {
                Rejection::NotCoordinator
            }
            OffsetsLogError::TooLarge => Rejection::InvalidCommitOffsetSize,
            OffsetsLogError::TimedOut => Rejection::RequestTimedOut,
            OffsetsLogError::Refused => Rejection::UnknownServerError,
        }
    }

    /// What a JoinGroup or SyncGroup is told: its clients do not know the codes of commits.
    pub fn for_group(self) -> Rejection {
        match self {
            OffsetsLogError::UnknownPartition | OffsetsLogError::NotEnoughReplicas => {
                Rejection::CoordinatorNotAvailable
            }
            OffsetsLogError::NotLeader | OffsetsLogError::Storage | OffsetsLogError::Damaged => {
                Rejection::NotCoordinator
            }
            OffsetsLogError::TimedOut => Rejection::RebalanceInProgress,
            OffsetsLogError::TooLarge | OffsetsLogError::Refused => Rejection::UnknownServerError,
        }
    }
}
