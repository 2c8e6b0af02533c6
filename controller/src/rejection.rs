//! Answers that are not what was asked for, but expected. Each variant names the Kafka error that it becomes on the wire.

use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, TopicId};

/// Why the controller refuses. The text is fit for a client's `error_message`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// `NOT_CONTROLLER`
    #[error("this broker is not the controller")]
    NotController,
    /// `TOPIC_ALREADY_EXISTS`
    #[error("Topic '{topic}' already exists.")]
    TopicExists {
        /// The topic asked for.
        topic: String,
    },
    /// `TOPIC_ALREADY_EXISTS`
    #[error("Topic '{topic}' is marked for deletion.")]
    TopicMarkedForDeletion {
        /// The topic asked for.
        topic: String,
    },
    /// `INVALID_TOPIC_EXCEPTION`
    #[error("The topic '{topic}' is queued for deletion.")]
    TopicQueuedForDeletion {
        /// The topic that should get more partitions.
        topic: String,
    },
    /// `INVALID_TOPIC_EXCEPTION`
    #[error("Topic name is invalid: {reason}")]
    InvalidTopicName {
        /// What is wrong with the name.
        reason: InvalidTopicName,
    },
    /// `INVALID_TOPIC_EXCEPTION`
    #[error("Topic '{topic}' collides with existing topics: {}", existing.join(", "))]
    TopicCollision {
        /// The topic asked for.
        topic: String,
        /// Topics whose names differ from it only in `.` against `_`.
        existing: Vec<String>,
    },
    /// `INVALID_CONFIG`
    #[error("Null value not supported for topic configs: {}", keys.join(","))]
    NullConfigs {
        /// The keys that came without a value.
        keys: Vec<String>,
    },
    /// `INVALID_CONFIG`
    #[error("{message}")]
    InvalidConfig {
        /// What the configuration's own check said: key, value and reason.
        message: String,
    },
    /// `INVALID_REQUEST`
    #[error("A topic takes either a number of partitions and a replication factor or explicit assignments, not both.")]
    CountsAndAssignments,
    /// `INVALID_PARTITIONS`
    #[error("Number of partitions must be larger than 0, but is {count}.")]
    InvalidPartitionCount {
        /// The count asked for.
        count: i32,
    },
    /// `INVALID_PARTITIONS`
    #[error("Topic '{topic}' currently has {current} partitions; {requested} would not be an increase.")]
    PartitionsNotIncreased {
        /// The topic asked for.
        topic: String,
        /// Partitions it has.
        current: i32,
        /// Partitions it should get.
        requested: i32,
    },
    /// `POLICY_VIOLATION` (as Kafka answers excessively large requests in KRaft mode)
    #[error(
        "{requested} more partitions would exceed the limit of {limit} partitions in all, which follows from how many files the \
         broker may open; there are {current}."
    )]
    TooManyPartitions {
        /// Partitions to be added.
        requested: usize,
        /// Partitions there are.
        current: usize,
        /// The limit.
        limit: usize,
    },
    /// `POLICY_VIOLATION`, as in Kafka's KRaft mode
    #[error("Excessively large number of partitions per request: {requested}; at most {limit} are created at once.")]
    TooManyPartitionsInRequest {
        /// Partitions that the request would add.
        requested: usize,
        /// The limit.
        limit: usize,
    },
    /// `INVALID_REPLICATION_FACTOR`
    #[error("Replication factor: {factor} must be larger than 0 and not larger than available brokers: {brokers}.")]
    InvalidReplicationFactor {
        /// The factor asked for.
        factor: i32,
        /// Brokers alive.
        brokers: usize,
    },
    /// `INVALID_REPLICA_ASSIGNMENT`
    #[error("{0}")]
    InvalidReplicaAssignment(InvalidReplicaAssignment),
    /// `UNKNOWN_SERVER_ERROR` (Kafka's `AdminOperationException`)
    #[error("Not all brokers have rack information: the racks of brokers {without:?} are unknown.")]
    IncompleteRacks {
        /// Brokers without a rack.
        without: Vec<BrokerId>,
    },
    /// `UNKNOWN_TOPIC_OR_PARTITION`
    #[error("The topic '{topic}' does not exist.")]
    UnknownTopic {
        /// The topic asked for.
        topic: String,
    },
    /// `UNKNOWN_TOPIC_ID`
    #[error("No topic has the id {topic_id}.")]
    UnknownTopicId {
        /// The id asked for.
        topic_id: TopicId,
    },
    /// `REASSIGNMENT_IN_PROGRESS`
    #[error("A partition reassignment is in progress for the topic '{topic}'.")]
    ReassignmentInProgress {
        /// The topic asked for.
        topic: String,
    },
    /// `TOPIC_DELETION_DISABLED`
    #[error("Topic deletion is disabled (delete.topic.enable=false).")]
    TopicDeletionDisabled,
    /// None on the wire: the configuration is read again, and the change is made of that.
    #[error("The configuration of topic '{topic}' was changed meanwhile.")]
    ConfigsChanged {
        /// The topic.
        topic: String,
    },
    /// `UNKNOWN_TOPIC_OR_PARTITION`
    #[error("The topic '{topic}' has no partition {partition}.")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: i32,
    },
    /// `STALE_BROKER_EPOCH`
    #[error("Broker {broker} is not registered with epoch {epoch}.")]
    StaleBrokerEpoch {
        /// Who asks.
        broker: BrokerId,
        /// The epoch that it gives.
        epoch: BrokerEpoch,
    },
    /// `BROKER_ID_NOT_REGISTERED`
    #[error("Broker {broker} is not registered.")]
    BrokerNotRegistered {
        /// Who asks.
        broker: BrokerId,
    },
    /// `FENCED_LEADER_EPOCH`
    #[error("Leader epoch {asked} is not {current}, the present one.")]
    FencedLeaderEpoch {
        /// The epoch of who asks.
        asked: LeaderEpoch,
        /// The present one.
        current: LeaderEpoch,
    },
    /// `INVALID_UPDATE_VERSION`
    #[error("Partition epoch {asked} is not {current}, the present one.")]
    InvalidUpdateVersion {
        /// What the leader knows.
        asked: PartitionEpoch,
        /// The present one.
        current: PartitionEpoch,
    },
    /// `INVALID_REQUEST`
    #[error("{reason}")]
    InvalidIsr {
        /// What is wrong.
        reason: String,
    },
    /// `ELECTION_NOT_NEEDED`
    #[error("Leader election not needed for topic partition.")]
    ElectionNotNeeded,
    /// `PREFERRED_LEADER_NOT_AVAILABLE`
    #[error("The preferred leader {preferred} is not in sync or not online.")]
    PreferredLeaderNotAvailable {
        /// Its id.
        preferred: BrokerId,
    },
    /// `ELIGIBLE_LEADERS_NOT_AVAILABLE`
    #[error("No replica of the partition is online.")]
    EligibleLeadersNotAvailable,
    /// `NO_REASSIGNMENT_IN_PROGRESS`
    #[error("No reassignment of partition {partition} of topic '{topic}' is in progress.")]
    NoReassignmentInProgress {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// `INELIGIBLE_REPLICA`
    #[error("Brokers {brokers:?} may not be in sync: they are not registered, about to stop, or have registered anew.")]
    IneligibleReplicas {
        /// Which ones.
        brokers: Vec<BrokerId>,
    },
    /// `UNKNOWN_SERVER_ERROR`
    #[error("All producer ids are used up; the last block ends at {last}.")]
    ProducerIdsExhausted {
        /// Last id of the last block.
        last: i64,
    },
}

/// What is wrong with a topic's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopicName {
    /// It has no characters.
    #[error("the empty string is not allowed")]
    Empty,
    /// It is `.` or `..`.
    #[error("'{0}' is not allowed")]
    Dots(String),
    /// It has more than 249 characters.
    #[error("the length of '{0}' is longer than the max allowed length 249")]
    TooLong(String),
    /// It has a character that is not allowed.
    #[error("'{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")]
    Characters(String),
}

/// What is wrong with explicit assignments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReplicaAssignment {
    /// Partitions differ in their number of replicas.
    #[error("All partitions should have the same number of replicas.")]
    UnequalReplicationFactors,
    /// A partition has no replicas.
    #[error("Partition {partition} would have no replicas.")]
    NoReplicas {
        /// The partition.
        partition: i32,
    },
    /// A broker stands twice in one partition's list.
    #[error("Duplicate brokers in the replica assignment {replicas:?} of partition {partition}.")]
    DuplicateBrokers {
        /// The partition.
        partition: i32,
        /// Its replicas as asked for.
        replicas: Vec<BrokerId>,
    },
    /// Partition numbers do not run from 0 without a gap.
    #[error("Partitions should be a consecutive 0-based integer sequence.")]
    NotConsecutive,
    /// Brokers that are not registered.
    #[error("Unknown broker(s) in replica assignment: {brokers:?}.")]
    UnknownBrokers {
        /// Their ids.
        brokers: Vec<BrokerId>,
    },
    /// CreatePartitions with another number of assignments than partitions to add.
    #[error("Increasing the number of partitions by {increase} but {assignments} assignments provided.")]
    WrongCount {
        /// Partitions to be added.
        increase: i32,
        /// Assignments given.
        assignments: usize,
    },
    /// CreatePartitions with another replication factor than partition 0 has.
    #[error(
        "Inconsistent replication factor: partition 0 has {expected} while partition {partition} would have {found}."
    )]
    OtherReplicationFactor {
        /// Replicas of partition 0.
        expected: usize,
        /// The partition that differs.
        partition: i32,
        /// Its replicas.
        found: usize,
    },
}

impl From<InvalidReplicaAssignment> for Rejection {
    fn from(reason: InvalidReplicaAssignment) -> Self {
        Rejection::InvalidReplicaAssignment(reason)
    }
}
