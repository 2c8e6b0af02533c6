//! Every internal error to its code on the wire. No `_` arm: a new error is a decision to be made here.

use protocol::ErrorCode;
use storage::{AppendError, LogStartOffsetError, ReadError, ValidateError};

use controller::{Applied, ControllerError, Rejection, StoreError};

use super::find_coordinator::NoCoordinator;
use crate::group::{Rejection as GroupRejection, ZookeeperOffsetsError};
use crate::heed::HeedError;
use crate::inter_broker::AskError;
use crate::logs::LogsError;
use crate::partition::{AppendFailure, DeleteRecordsError, LeaderError, ReadFailure};

/// An error that has a code on the wire.
pub trait ToCode {
    /// The code that Kafka gives in this case.
    fn to_code(&self) -> ErrorCode;
}

impl ToCode for LeaderError {
    fn to_code(&self) -> ErrorCode {
        match self {
            LeaderError::NotLeader { .. } => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            LeaderError::Fenced { .. } => ErrorCode::FENCED_LEADER_EPOCH,
            LeaderError::Unknown { .. } => ErrorCode::UNKNOWN_LEADER_EPOCH,
        }
    }
}

impl ToCode for AppendFailure {
    fn to_code(&self) -> ErrorCode {
        match self {
            AppendFailure::Leader(error) => error.to_code(),
            AppendFailure::LedAnew { .. } => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            AppendFailure::NotEnoughReplicas { .. } => ErrorCode::NOT_ENOUGH_REPLICAS,
            AppendFailure::Log(error) => error.to_code(),
        }
    }
}

impl ToCode for AppendError {
    fn to_code(&self) -> ErrorCode {
        match self {
            AppendError::LogDir(_) => ErrorCode::KAFKA_STORAGE_ERROR,
            AppendError::Closed { .. } => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            AppendError::RecordBatchTooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
            AppendError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            AppendError::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
            AppendError::InvalidTxnState { .. } => ErrorCode::INVALID_TXN_STATE,
            AppendError::CorruptBatch { .. } => ErrorCode::CORRUPT_MESSAGE,
            // Only a follower's append can come to these.
            AppendError::UnexpectedOffset { .. } | AppendError::OffsetsOutOfOrder { .. } => {
                ErrorCode::UNKNOWN_SERVER_ERROR
            }
        }
    }
}

impl ToCode for ValidateError {
    fn to_code(&self) -> ErrorCode {
        match self {
            ValidateError::InvalidRecord { .. } | ValidateError::TooMuchInflated { .. } => ErrorCode::INVALID_RECORD,
            ValidateError::InvalidTimestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
            ValidateError::CorruptMessage { .. } => ErrorCode::CORRUPT_MESSAGE,
            ValidateError::RecordTooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
            ValidateError::UnsupportedCompressionType { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            ValidateError::Undecodable { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

impl ToCode for Rejection {
    fn to_code(&self) -> ErrorCode {
        match self {
            Rejection::NotController => ErrorCode::NOT_CONTROLLER,
            Rejection::TopicExists { .. } | Rejection::TopicMarkedForDeletion { .. } => ErrorCode::TOPIC_ALREADY_EXISTS,
            Rejection::TopicQueuedForDeletion { .. }
            | Rejection::InvalidTopicName { .. }
            | Rejection::TopicCollision { .. } => ErrorCode::INVALID_TOPIC_EXCEPTION,
            Rejection::NullConfigs { .. } | Rejection::InvalidConfig { .. } => ErrorCode::INVALID_CONFIG,
            Rejection::CountsAndAssignments => ErrorCode::INVALID_REQUEST,
            Rejection::InvalidPartitionCount { .. } | Rejection::PartitionsNotIncreased { .. } => {
                ErrorCode::INVALID_PARTITIONS
            }
            Rejection::TooManyPartitions { .. } | Rejection::TooManyPartitionsInRequest { .. } => {
                ErrorCode::POLICY_VIOLATION
            }
            Rejection::InvalidReplicationFactor { .. } => ErrorCode::INVALID_REPLICATION_FACTOR,
            Rejection::InvalidReplicaAssignment(_) => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            Rejection::UnknownTopic { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Rejection::UnknownTopicId { .. } => ErrorCode::UNKNOWN_TOPIC_ID,
            Rejection::ReassignmentInProgress { .. } => ErrorCode::REASSIGNMENT_IN_PROGRESS,
            Rejection::TopicDeletionDisabled => ErrorCode::TOPIC_DELETION_DISABLED,
            Rejection::UnknownPartition { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Rejection::StaleBrokerEpoch { .. } => ErrorCode::STALE_BROKER_EPOCH,
            Rejection::BrokerNotRegistered { .. } => ErrorCode::BROKER_ID_NOT_REGISTERED,
            Rejection::FencedLeaderEpoch { .. } => ErrorCode::FENCED_LEADER_EPOCH,
            Rejection::InvalidUpdateVersion { .. } => ErrorCode::INVALID_UPDATE_VERSION,
            Rejection::InvalidIsr { .. } => ErrorCode::INVALID_REQUEST,
            Rejection::IneligibleReplicas { .. } => ErrorCode::INELIGIBLE_REPLICA,
            Rejection::ElectionNotNeeded => ErrorCode::ELECTION_NOT_NEEDED,
            Rejection::PreferredLeaderNotAvailable { .. } => ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE,
            Rejection::EligibleLeadersNotAvailable => ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE,
            Rejection::NoReassignmentInProgress { .. } => ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
            Rejection::IncompleteRacks { .. }
            | Rejection::ProducerIdsExhausted { .. }
            // Tried again until it fits: whoever sees it has met others as often as that.
            | Rejection::ConfigsChanged { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

impl ToCode for HeedError {
    fn to_code(&self) -> ErrorCode {
        match self {
            HeedError::StaleControllerEpoch { .. } => ErrorCode::STALE_CONTROLLER_EPOCH,
            HeedError::StaleBrokerEpoch { .. } => ErrorCode::STALE_BROKER_EPOCH,
        }
    }
}

/// How what the controller told of a partition went.
pub fn code_of(applied: &Applied, topic: &str, partition: i32) -> ErrorCode {
    let failed = applied
        .failed
        .iter()
        .find(|it| it.partition == partition && *it.topic == *topic);
    failed.map_or(ErrorCode::NONE, |failed| failed.error_code)
}

impl ToCode for LogsError {
    fn to_code(&self) -> ErrorCode {
        match self {
            LogsError::TopicId { .. } => ErrorCode::INCONSISTENT_TOPIC_ID,
            LogsError::Open(_)
            | LogsError::LogDir(_)
            | LogsError::State(_)
            | LogsError::PerhapsOffline { .. }
            | LogsError::Duplicate { .. }
            | LogsError::Refused { .. }
            | LogsError::NoDirectory { .. } => ErrorCode::KAFKA_STORAGE_ERROR,
            LogsError::Cancelled => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

impl ToCode for ControllerError {
    fn to_code(&self) -> ErrorCode {
        match self {
            ControllerError::Rejected(rejection) => rejection.to_code(),
            ControllerError::Store(error) => error.to_code(),
            ControllerError::NotController | ControllerError::Stopped => ErrorCode::NOT_CONTROLLER,
        }
    }
}

impl ToCode for StoreError {
    fn to_code(&self) -> ErrorCode {
        match self {
            // It may have been done, or not.
            StoreError::Unknown { .. } => ErrorCode::REQUEST_TIMED_OUT,
            StoreError::SessionEnded => ErrorCode::NOT_CONTROLLER,
            StoreError::Multi { error, .. } => error.to_code(),
            StoreError::NoNode { .. }
            | StoreError::NodeExists { .. }
            | StoreError::BadVersion { .. }
            | StoreError::NotEmpty { .. }
            | StoreError::NoChildrenForEphemerals { .. }
            | StoreError::BadArguments { .. }
            | StoreError::NoAuth { .. }
            | StoreError::Refused { .. }
            | StoreError::Failed { .. }
            | StoreError::Closed => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

/// What a producer that asks for its id is told: of a broker that stops, or that finds no controller, it asks again, here or elsewhere, by
/// this code alone.
pub fn for_producer(error: &AskError) -> ErrorCode {
    match error {
        AskError::NoController | AskError::NotController { .. } | AskError::Connection { .. } => {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        }
        AskError::Refused { code } => match *code {
            ErrorCode::STALE_BROKER_EPOCH | ErrorCode::BROKER_ID_NOT_REGISTERED => {
                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            }
            code => code,
        },
        AskError::Own(error) => match error {
            // Ids that were perhaps given out are left unused.
            ControllerError::Store(StoreError::Unknown { .. } | StoreError::SessionEnded)
            | ControllerError::NotController
            | ControllerError::Stopped
            | ControllerError::Rejected(Rejection::StaleBrokerEpoch { .. } | Rejection::BrokerNotRegistered { .. }) => {
                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            }
            ControllerError::Rejected(_) | ControllerError::Store(_) => error.to_code(),
        },
    }
}

impl ToCode for NoCoordinator {
    fn to_code(&self) -> ErrorCode {
        match self {
            NoCoordinator::NotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            NoCoordinator::Transactions => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            NoCoordinator::UnknownKeyType => ErrorCode::INVALID_REQUEST,
        }
    }
}

impl ToCode for ReadFailure {
    fn to_code(&self) -> ErrorCode {
        match self {
            ReadFailure::Leader(error) => error.to_code(),
            ReadFailure::Log(error) => error.to_code(),
        }
    }
}

impl ToCode for ReadError {
    fn to_code(&self) -> ErrorCode {
        match self {
            ReadError::LogDir(_) | ReadError::OldRecordFormat { .. } => ErrorCode::KAFKA_STORAGE_ERROR,
            ReadError::OffsetOutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            ReadError::CorruptBatch { .. } => ErrorCode::CORRUPT_MESSAGE,
        }
    }
}

impl ToCode for DeleteRecordsError {
    fn to_code(&self) -> ErrorCode {
        match self {
            DeleteRecordsError::Leader(error) => error.to_code(),
            DeleteRecordsError::Log(LogStartOffsetError::Closed { .. }) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            DeleteRecordsError::Log(LogStartOffsetError::OffsetOutOfRange { .. }) => ErrorCode::OFFSET_OUT_OF_RANGE,
            DeleteRecordsError::Log(LogStartOffsetError::LogDir(_)) => ErrorCode::KAFKA_STORAGE_ERROR,
        }
    }
}

impl ToCode for GroupRejection {
    fn to_code(&self) -> ErrorCode {
        match self {
            GroupRejection::InvalidGroupId => ErrorCode::INVALID_GROUP_ID,
            GroupRejection::CoordinatorNotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            GroupRejection::CoordinatorLoadInProgress => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            GroupRejection::NotCoordinator => ErrorCode::NOT_COORDINATOR,
            GroupRejection::InvalidRequest => ErrorCode::INVALID_REQUEST,
            GroupRejection::InvalidSessionTimeout => ErrorCode::INVALID_SESSION_TIMEOUT,
            GroupRejection::GroupMaxSizeReached => ErrorCode::GROUP_MAX_SIZE_REACHED,
            GroupRejection::MemberIdRequired => ErrorCode::MEMBER_ID_REQUIRED,
            GroupRejection::UnknownMemberId => ErrorCode::UNKNOWN_MEMBER_ID,
            GroupRejection::FencedInstanceId => ErrorCode::FENCED_INSTANCE_ID,
            GroupRejection::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
            GroupRejection::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
            GroupRejection::InconsistentGroupProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            GroupRejection::NonEmptyGroup => ErrorCode::NON_EMPTY_GROUP,
            GroupRejection::GroupIdNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
            GroupRejection::GroupSubscribedToTopic => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
            GroupRejection::OffsetMetadataTooLarge => ErrorCode::OFFSET_METADATA_TOO_LARGE,
            GroupRejection::UnstableOffsetCommit => ErrorCode::UNSTABLE_OFFSET_COMMIT,
            GroupRejection::InvalidCommitOffsetSize => ErrorCode::INVALID_COMMIT_OFFSET_SIZE,
            GroupRejection::RequestTimedOut => ErrorCode::REQUEST_TIMED_OUT,
            GroupRejection::UnknownServerError => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

impl ToCode for ZookeeperOffsetsError {
    fn to_code(&self) -> ErrorCode {
        match self {
            ZookeeperOffsetsError::TooManyGroups => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            ZookeeperOffsetsError::GroupId { .. } => ErrorCode::INVALID_GROUP_ID,
            ZookeeperOffsetsError::NoOffset { .. } | ZookeeperOffsetsError::Store(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}
