//! The partitions that this broker holds, and what the controller has it do with them. Kafka's `ReplicaManager`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use controller::{
    Applied, BoxFuture, Effect, EffectSink, FailedReplica, PartitionState, StopReplicaPartition, TopicState,
};
use parking_lot::RwLock;
use protocol::ErrorCode;
use storage::{LogDirFailure, TopicPartition};

use crate::log_config::PartitionConfig;
use crate::logs::Logs;
use crate::metadata_cache::MetadataCache;
use crate::partition::Partition;

type OfTopic = BTreeMap<i32, Arc<Partition>>;

/// The partitions.
pub struct Replicas {
    broker_id: i32,
    logs: Arc<Logs>,
    topics: RwLock<HashMap<Arc<str>, OfTopic>>,
}

impl Replicas {
    /// No partitions yet: the controller's first effects bring them.
    pub fn new(broker_id: i32, logs: Arc<Logs>) -> Arc<Self> {
        Arc::new(Self {
            broker_id,
            logs,
            topics: RwLock::default(),
        })
    }

    /// A partition that is here.
    pub fn get(&self, topic: &str, partition: i32) -> Option<Arc<Partition>> {
        self.topics.read().get(topic)?.get(&partition).cloned()
    }

    /// All partitions that are here.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        self.topics.read().values().flat_map(OfTopic::values).cloned().collect()
    }

    /// The partitions of one topic that are here.
    pub fn of_topic(&self, topic: &str) -> Vec<Arc<Partition>> {
        self.topics
            .read()
            .get(topic)
            .map(|of| of.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The code for a partition that exists but is not here.
    pub fn missing_code(&self, topic: &str, partition: i32) -> ErrorCode {
        match self.logs.is_offline(&TopicPartition::new(topic, partition)) {
            true => ErrorCode::KAFKA_STORAGE_ERROR,
            false => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        }
    }

    /// A log directory has failed: every partition in it goes offline.
    pub fn log_dir_failed(&self, partition: &Partition, failure: &LogDirFailure) {
        if !self.logs.set_offline(&failure.dir) {
            return;
        }
        log::error!(
            "{failure}: its partitions go offline (first seen on {})",
            partition.topic_partition
        );
        let mut topics = self.topics.write();
        for of_topic in topics.values_mut() {
            of_topic.retain(|_, partition| {
                let stays = partition.log_dir() != failure.dir;
                if !stays {
                    partition.waiters.wake_all();
                }
                stays
            });
        }
    }

    fn lead_or_follow(&self, topic: &TopicState, failed: &mut Vec<FailedReplica>) {
        let config = PartitionConfig::new(self.logs.broker_config(), &topic.topic, &topic.configs);
        for state in &topic.partitions {
            if let Err(failure) = self.take_over(topic, state, &config) {
                log::error!("{}-{}: {failure}", topic.topic, state.partition);
                failed.push(FailedReplica {
                    topic: topic.topic.clone(),
                    partition: state.partition,
                    reason: failure.to_string(),
                });
            }
        }
    }

    fn take_over(
        &self,
        topic: &TopicState,
        state: &PartitionState,
        config: &PartitionConfig,
    ) -> Result<(), crate::logs::LogsError> {
        if let Some(partition) = self.get(&topic.topic, state.partition) {
            partition.set_state(state.clone())?;
            return Ok(());
        }
        let topic_partition = TopicPartition::new(topic.topic.clone(), state.partition);
        let topic_id = protocol::wire::Uuid(topic.topic_id.0);
        let (log, high_watermark) = self.logs.open_or_create(&topic_partition, topic_id, config)?;
        let partition = Partition::new(topic_id, self.broker_id, log, high_watermark, config.clone());
        partition.set_state(state.clone())?;
        self.topics
            .write()
            .entry(topic.topic.clone())
            .or_default()
            .insert(state.partition, partition);
        Ok(())
    }

    fn stop(&self, stopped: &StopReplicaPartition, delete: bool) -> Result<(), crate::logs::LogsError> {
        let removed = {
            let mut topics = self.topics.write();
            let removed = topics
                .get_mut(&stopped.topic)
                .and_then(|of_topic| of_topic.remove(&stopped.partition));
            if topics.get(&stopped.topic).is_some_and(BTreeMap::is_empty) {
                topics.remove(&stopped.topic);
            }
            removed
        };
        if let Some(partition) = &removed {
            partition.waiters.wake_all();
        }
        if delete {
            let topic_partition = TopicPartition::new(stopped.topic.clone(), stopped.partition);
            self.logs.delete(&topic_partition, removed.as_deref())?;
        }
        Ok(())
    }

    fn apply_one(&self, effect: &Effect, failed: &mut Vec<FailedReplica>) {
        match effect {
            Effect::LeaderAndIsr { topics, .. } => {
                for topic in topics {
                    self.lead_or_follow(topic, failed);
                }
            }
            Effect::StopReplica { delete, partitions, .. } => {
                for stopped in partitions {
                    if let Err(failure) = self.stop(stopped, *delete) {
                        log::error!("{}-{}: {failure}", stopped.topic, stopped.partition);
                        failed.push(FailedReplica {
                            topic: stopped.topic.clone(),
                            partition: stopped.partition,
                            reason: failure.to_string(),
                        });
                    }
                }
            }
            Effect::TopicConfigChanged { topic, configs } => {
                let config = PartitionConfig::new(self.logs.broker_config(), topic, configs);
                for partition in self.of_topic(topic) {
                    partition.set_config(config.clone());
                }
            }
            Effect::UpdateMetadata { .. } => {}
        }
    }
}

/// Applies the controller's effects to partitions and metadata cache. Partitions come first, so that a client that learns of one
/// finds it here.
pub struct ApplyEffects {
    /// The partitions.
    pub replicas: Arc<Replicas>,
    /// The cache; `None` until the controller's first snapshot made it.
    pub metadata: Arc<MetadataCache>,
}

impl EffectSink for ApplyEffects {
    fn apply(&mut self, effects: Vec<Effect>) -> BoxFuture<'_, Applied> {
        let (replicas, metadata) = (self.replicas.clone(), self.metadata.clone());
        Box::pin(async move {
            let applied = tokio::task::spawn_blocking(move || {
                let mut failed = Vec::new();
                for effect in &effects {
                    replicas.apply_one(effect, &mut failed);
                    metadata.apply(effect);
                }
                Applied { failed }
            });
            applied
                .await
                .unwrap_or_else(|e| panic!("the controller's decisions could not be carried out: {e}"))
        })
    }
}
