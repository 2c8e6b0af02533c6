//! The controller: topics, partitions, broker registration, on a znode store.
//!
//! A pure core decides (`state`, `topics`, `partitions`, `replicas`, `election`, `broker_lifecycle`); at its edge stand the
//! znode store ([`store`], `store_embedded`) and the `driver` with its [`handle`], the only places that know tokio.

pub mod effects;
pub mod handle;
pub mod ids;
pub mod rejection;
pub mod requests;
pub mod store;

pub use effects::{
    Applied, BrokerRegistration, ConfigMap, Effect, EffectSink, Endpoint, FailedReplica, FeatureRange,
    LeaderRecoveryState, LiveBroker, MetadataSnapshot, PartitionState, StopReplicaPartition, TopicState,
};
pub use handle::ControllerHandle;
pub use ids::{BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, PartitionEpoch, TopicId, TopicPartition};
pub use rejection::Rejection;
pub use requests::{
    Answers, ControllerError, CreatedTopic, DeletedTopic, NewPartitions, NewTopic, ProducerIdBlock, TopicConfigChange,
    TopicPolicy, TopicRef,
};
pub use store::{BoxFuture, Store, StoreError};
