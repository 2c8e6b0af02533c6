//! What the controller tells brokers: shaped like `LeaderAndIsr`, `StopReplica` and `UpdateMetadata`, so that the same
//! effects that are handed to the broker in this process can be sent to others over the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::ErrorCode;

use crate::ids::{BrokerEpoch, BrokerId, ControllerEpoch, LEADER_DURING_DELETE, LeaderEpoch, PartitionEpoch, TopicId};
use crate::merging::append;
use crate::store::BoxFuture;

/// A topic's own configuration: only what was set for it, as text.
pub type ConfigMap = BTreeMap<String, String>;

/// Where clients and brokers reach a broker, one of its listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Listener name, upper case.
    pub listener_name: String,
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub security_protocol: String,
    /// Advertised host name or address; IPv6 without brackets.
    pub host: String,
    /// Advertised port.
    pub port: u16,
}

/// A range of versions of a feature that a broker supports (KIP-584).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureRange {
    /// Lowest version.
    pub min_version: i16,
    /// Highest version.
    pub max_version: i16,
}

/// What a broker says of itself in `/brokers/ids/N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// Its id.
    pub id: BrokerId,
    /// Its advertised listeners.
    pub endpoints: Vec<Endpoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Port of its JMX agent, -1 where it has none.
    pub jmx_port: i32,
    /// Features that it supports.
    pub features: BTreeMap<String, FeatureRange>,
    /// Version of Sordini; `None` for a Java broker.
    pub sordini: Option<String>,
}

/// A registered broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBroker {
    /// What it registered.
    pub registration: BrokerRegistration,
    /// The czxid of that.
    pub broker_epoch: BrokerEpoch,
}

/// Where `leader_recovery_state` of a partition stands (KIP-704).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeaderRecoveryState {
    /// 0
    #[default]
    Recovered,
    /// 1: the leader was elected uncleanly and has not recovered yet.
    Recovering,
}

/// One partition as leaders, followers and metadata caches see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// Partition number.
    pub partition: i32,
    /// Controller that decided this.
    pub controller_epoch: ControllerEpoch,
    /// Leader's id, [`crate::ids::NO_LEADER`] or [`LEADER_DURING_DELETE`].
    pub leader: BrokerId,
    /// Its epoch.
    pub leader_epoch: LeaderEpoch,
    /// Version of the partition's `state` znode.
    pub partition_epoch: PartitionEpoch,
    /// In-sync replicas.
    pub isr: Vec<BrokerId>,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Vec<BrokerId>,
    /// Replicas that a reassignment removes.
    pub removing_replicas: Vec<BrokerId>,
    /// Replicas whose broker or log directory is offline.
    pub offline_replicas: Vec<BrokerId>,
    /// Whether the leader still recovers from an unclean election.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Whether the replica is new, of a new partition or one that a reassignment adds, so that an empty log may be made for it.
    pub is_new: bool,
}

impl PartitionState {
    /// Whether the partition's topic is being deleted.
    pub fn is_being_deleted(&self) -> bool {
        self.leader == LEADER_DURING_DELETE
    }
}

/// Partitions of one topic, all of them or those that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Topic name.
    pub topic: Arc<str>,
    /// Topic id, [`TopicId::ZERO`] where the topic has none.
    pub topic_id: TopicId,
    /// The topic's own configuration.
    pub configs: Arc<ConfigMap>,
    /// Partitions, by number.
    pub partitions: Vec<PartitionState>,
}

/// What a broker has to do. Effects of one batch are applied in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Lead the partitions whose leader is this broker, follow in the others.
    LeaderAndIsr {
        /// Epoch of the controller that says so.
        controller_epoch: ControllerEpoch,
        /// The partitions that have a replica here.
        topics: Vec<TopicState>,
    },
    /// Change the metadata cache. Partitions with [`LEADER_DURING_DELETE`] go.
    UpdateMetadata {
        /// The controller's id.
        controller_id: BrokerId,
        /// Its epoch.
        controller_epoch: ControllerEpoch,
        /// Every live broker.
        brokers: Vec<LiveBroker>,
        /// Partitions that changed.
        topics: Vec<TopicState>,
    },
    /// Stop these replicas; with `delete`, remove their logs.
    StopReplica {
        /// Epoch of the controller that says so.
        controller_epoch: ControllerEpoch,
        /// Whether logs go too.
        delete: bool,
        /// The partitions.
        partitions: Vec<StopReplicaPartition>,
    },
    /// A topic's own configuration is now this.
    TopicConfigChanged {
        /// Topic name.
        topic: Arc<str>,
        /// All that is set for it.
        configs: Arc<ConfigMap>,
    },
}

/// What brokers have to hear, each in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// The controller's own broker.
    pub own: Vec<Effect>,
    /// The others.
    pub others: BTreeMap<BrokerId, Vec<Effect>>,
}

impl Told {
    /// Nothing for other brokers.
    pub fn own(effects: Vec<Effect>) -> Told {
        Told {
            own: effects,
            others: BTreeMap::new(),
        }
    }

    /// Adds an effect for one broker, where `own` is the controller's.
    pub(crate) fn push(&mut self, own: BrokerId, to: BrokerId, effect: Effect) {
        match to == own {
            true => self.own.push(effect),
            false => self.others.entry(to).or_default().push(effect),
        }
    }

    /// What one broker hears, where `own` is the controller's.
    pub(crate) fn to(&mut self, own: BrokerId, to: BrokerId) -> &mut [Effect] {
        match to == own {
            true => &mut self.own,
            false => self.others.get_mut(&to).map_or(&mut [], Vec::as_mut_slice),
        }
    }

    /// Whether nobody hears anything.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.others.is_empty()
    }

    /// Adds what a later decision tells.
    pub(crate) fn append(&mut self, later: Told) {
        append(&mut self.own, later.own);
        for (broker, effects) in later.others {
            append(self.others.entry(broker).or_default(), effects);
        }
    }
}

/// One partition of [`Effect::StopReplica`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopReplicaPartition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Topic id.
    pub topic_id: TopicId,
    /// Partition number.
    pub partition: i32,
    /// Last leader epoch.
    pub leader_epoch: LeaderEpoch,
}

/// A replica for which an effect could not be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedReplica {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
    /// The code that says why on the wire.
    pub error_code: ErrorCode,
    /// Why, for the log.
    pub reason: String,
}

/// How a batch of effects went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Replicas whose `LeaderAndIsr` or `StopReplica` failed because of their log directory. A deletion that failed is
    /// tried again when the broker starts the next time.
    pub failed: Vec<FailedReplica>,
    /// Nothing was applied: the broker has heard of a later controller.
    pub is_stale: bool,
}

/// The broker, as the controller sees it. `apply` runs on the controller's thread: what blocks belongs elsewhere.
pub trait EffectSink: Send + 'static {
    /// Applies effects in their order. Answers to the requests that caused them wait until this is through; the next
    /// batch comes after.
    fn apply(&mut self, effects: Vec<Effect>) -> BoxFuture<'_, Applied>;
}

/// Everything that a metadata cache starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataSnapshot {
    /// The cluster's id.
    pub cluster_id: String,
    /// The controller's id.
    pub controller_id: BrokerId,
    /// Its epoch.
    pub controller_epoch: ControllerEpoch,
    /// This broker's epoch.
    pub broker_epoch: BrokerEpoch,
    /// Every live broker.
    pub brokers: Vec<LiveBroker>,
    /// Every topic but those that are being deleted, by name.
    pub topics: Vec<TopicState>,
    /// Dynamic configuration by broker id, and of `<default>`, as stored.
    pub broker_configs: BTreeMap<String, ConfigMap>,
    /// Finalized features.
    pub finalized_features: BTreeMap<String, i16>,
    /// Their epoch: the version of `/feature`.
    pub finalized_features_epoch: i64,
}
