//! The controller: topics, partitions, broker registration, on a znode store.
//!
//! A pure core decides (`state`, `topics`, `partitions`, `replicas`, `election`, `broker_lifecycle`); at its edge stand the
//! znode store ([`store`], [`store_embedded`], [`store_zookeeper`]) and the `driver` with its [`handle`], the only places that know tokio.

mod alter_partition;
pub mod broker_lifecycle;
mod brokers;
pub mod config_changes;
mod controlled_shutdown;
pub mod core;
pub mod driver;
pub mod effects;
pub mod election;
pub mod handle;
pub mod ids;
mod leader_election;
pub mod limits;
mod membership;
mod merging;
pub mod metadata_copy;
mod metadata_file;
pub mod partitions;
pub mod peers;
mod reassignment;
pub mod rejection;
pub mod replicas;
pub mod requests;
mod session_file;
pub mod sessions;
pub mod startup;
pub mod state;
pub mod store;
pub mod store_embedded;
pub mod store_zookeeper;
#[cfg(feature = "testing")]
pub mod testing;
pub mod topics;
mod watches;
mod znode_tree;
pub mod znodes;

pub use driver::Started;
pub use effects::{
    Applied, BrokerRegistration, ConfigMap, Effect, EffectSink, Endpoint, FailedReplica, FeatureRange,
    LeaderRecoveryState, LiveBroker, MetadataSnapshot, PartitionState, StopReplicaPartition, Told, TopicState,
};
pub use handle::{ControllerHandle, ElectionOutcome};
pub use ids::{BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, PartitionEpoch, TopicId};
pub use peers::{Controller, NoPeers, PeerError, Peers};
pub use rejection::Rejection;
pub use requests::{
    AlterPartitions, AlteredPartition, Answers, ControllerError, CreatedTopic, DeletedTopic, ElectLeaders, IsrChange,
    NewPartitions, NewTopic, OngoingReassignment, ProducerIdBlock, Reassignment, TopicConfigChange, TopicPolicy,
    TopicRef,
};
pub use session_file::{SessionFile, SessionFileError};
pub use sessions::{OpenSession, SessionError, Sessions};
pub use startup::{Bootstrap, StartError};
pub use store::{BoxFuture, Store, StoreError};
pub use store_embedded::EmbeddedStore;
pub use store_zookeeper::{ConnectError, Ensemble, ZookeeperStore};
