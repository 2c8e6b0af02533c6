//! What brokers' handlers ask of the controller, and its answers.

use std::sync::Arc;
use std::time::Duration;

use crate::effects::{ConfigMap, LeaderRecoveryState};
use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, TopicId};
use crate::rejection::Rejection;
use crate::store::StoreError;

/// Takes the place of a number of partitions or a replication factor that the broker's default decides.
pub const UNSET: i32 = -1;

/// A topic to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions, or [`UNSET`].
    pub num_partitions: i32,
    /// Replication factor, or [`UNSET`].
    pub replication_factor: i32,
    /// Explicit assignments (partition, replicas); with these both numbers must be [`UNSET`].
    pub assignments: Vec<(i32, Vec<BrokerId>)>,
    /// Its own configuration. A null value is refused, as Kafka does.
    pub configs: Vec<(String, Option<String>)>,
}

impl NewTopic {
    /// A topic of which everything but the name is left to the broker's defaults.
    pub fn with_defaults(name: impl Into<String>) -> NewTopic {
        NewTopic {
            name: name.into(),
            num_partitions: UNSET,
            replication_factor: UNSET,
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }
}

impl Default for NewTopic {
    fn default() -> Self {
        NewTopic::with_defaults("")
    }
}

/// A topic that was created, or (validate only) would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// Its id; [`TopicId::ZERO`] when it was only validated.
    pub topic_id: TopicId,
    /// Number of partitions.
    pub num_partitions: i32,
    /// Replicas of partition 0.
    pub replication_factor: i16,
    /// Its own configuration.
    pub configs: ConfigMap,
}

/// A topic by its name or by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicRef {
    /// By name.
    Name(String),
    /// By id.
    Id(TopicId),
}

/// A topic that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub topic_id: TopicId,
}

/// Partitions to be added to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic.
    pub topic: String,
    /// How many it shall have in all.
    pub count: i32,
    /// Replicas of each new partition; `None`: the controller places them.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// The complete new configuration of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicConfigChange {
    /// The topic.
    pub topic: String,
    /// All that shall be set for it from now on.
    pub configs: ConfigMap,
    /// What must be set for it now, where the change was made of that.
    pub expected: Option<ConfigMap>,
}

/// What the leaders on one broker ask the controller for (KIP-497).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterPartitions {
    /// The broker.
    pub broker: BrokerId,
    /// The epoch of its registration.
    pub broker_epoch: BrokerEpoch,
    /// One for each partition.
    pub changes: Vec<IsrChange>,
}

/// Another ISR, as the leader of a partition wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsrChange {
    /// The topic.
    pub topic: TopicRef,
    /// The partition.
    pub partition: i32,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The state that is changed.
    pub partition_epoch: PartitionEpoch,
    /// The new ISR, each with the broker epoch that the leader has seen, where it has (KIP-903).
    pub isr: Vec<(BrokerId, Option<BrokerEpoch>)>,
    /// Whether the leader has recovered from an unclean election (KIP-704).
    pub leader_recovery_state: LeaderRecoveryState,
}

/// What a partition's state is after an [`IsrChange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlteredPartition {
    /// Who leads.
    pub leader: BrokerId,
    /// In which epoch.
    pub leader_epoch: LeaderEpoch,
    /// The state's version.
    pub partition_epoch: PartitionEpoch,
    /// In-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Whether the leader has recovered.
    pub leader_recovery_state: LeaderRecoveryState,
}

/// An election that somebody asks for (KIP-183, KIP-460).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectLeaders {
    /// Whether a replica that is not in sync may be elected where no other is online; otherwise the preferred leader is.
    pub unclean: bool,
    /// Which partitions; `None` for all.
    pub partitions: Option<Vec<(Arc<str>, i32)>>,
}

/// Other replicas for a partition (KIP-455).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Its replicas, the preferred leader first; `None` takes back what is going on.
    pub replicas: Option<Vec<BrokerId>>,
}

/// A reassignment that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OngoingReassignment {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// All replicas, those included that come and that go.
    pub replicas: Vec<BrokerId>,
    /// Those that come.
    pub adding: Vec<BrokerId>,
    /// Those that go.
    pub removing: Vec<BrokerId>,
}

/// Producer ids that are this broker's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// First id.
    pub first: i64,
    /// Last id, included.
    pub last: i64,
}

/// One answer for each thing that was asked, in the order of the request.
pub type Answers<T> = Vec<Result<T, Rejection>>;

/// Why there is no answer at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControllerError {
    /// The whole request is refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The store failed; what was asked may or may not have happened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This broker is not the controller now.
    #[error("this broker is not the controller")]
    NotController,
    /// The controller has stopped.
    #[error("the controller has stopped")]
    Stopped,
}

/// What the broker knows and the controller needs to judge a topic.
pub trait TopicPolicy: Send + Sync + 'static {
    /// Refuses a topic's configuration; the text names key, value and reason.
    fn validate_configs(&self, topic: &str, configs: &ConfigMap) -> Result<(), String>;
    /// `num.partitions`
    fn num_partitions(&self) -> i32;
    /// `default.replication.factor`
    fn default_replication_factor(&self) -> i32;
    /// `delete.topic.enable`
    fn delete_topic_enable(&self) -> bool;
    /// `unclean.leader.election.enable` of a topic with this configuration.
    fn unclean_leader_election_enable(&self, configs: &ConfigMap) -> bool {
        configs
            .get("unclean.leader.election.enable")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
    /// How often leadership is given back to preferred replicas; `None` for never (`auto.leader.rebalance.enable`,
    /// `leader.imbalance.check.interval.seconds`).
    fn rebalance_interval(&self) -> Option<Duration> {
        None
    }
    /// `leader.imbalance.per.broker.percentage`
    fn imbalance_percentage(&self) -> i32 {
        10
    }
    /// How many partitions there may be in all. Each keeps files open where it is, and a broker that runs out of them loses a log
    /// directory.
    fn max_partitions(&self) -> usize;
}
