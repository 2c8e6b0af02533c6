//! The partitions that this broker holds, and what the controller has it do with them. Kafka's `ReplicaManager`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use controller::ids::{LeaderEpoch, NO_LEADER};
use controller::{Applied, ControllerHandle, Effect, FailedReplica, PartitionState, StopReplicaPartition, TopicState};
use parking_lot::RwLock;
use protocol::ErrorCode;
use storage::{LogDirFailure, TopicPartition};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::group::GroupCoordinator;
use crate::handlers::to_code::ToCode;
use crate::log_config::PartitionConfig;
use crate::logs::{Logs, LogsError};
use crate::metadata_cache::MetadataCache;
use crate::partition::{NO_EPOCH, Partition};
use crate::replication::ReplicationContext;
use crate::replication::fetcher::Following;
use crate::replication::members::ClusterMembers;
use crate::threads;
use crate::topics::CONSUMER_OFFSETS;

type OfTopic = BTreeMap<i32, Arc<Partition>>;

/// The partitions.
pub struct Replicas {
    broker_id: i32,
    logs: Arc<Logs>,
    topics: RwLock<HashMap<Arc<str>, OfTopic>>,
    /// What the controller must hear of.
    went_offline: UnboundedSender<Vec<FailedReplica>>,
    members: Arc<ClusterMembers>,
    replication: Arc<ReplicationContext>,
    /// Who follows whom.
    following: UnboundedSender<Following>,
}

/// What partitions want done, each for the task that does it.
pub struct Wanted {
    /// To be told to the controller.
    pub went_offline: WentOffline,
    /// To be asked of the controller: smaller and larger ISRs.
    pub proposing: UnboundedReceiver<Arc<Partition>>,
    /// To be fetched from leaders.
    pub following: UnboundedReceiver<Following>,
}

/// Partitions that went offline with their log directory, as long as nobody has told the controller.
pub type WentOffline = UnboundedReceiver<Vec<FailedReplica>>;

/// Tells the controller of partitions that went offline: nobody else leads them, or another broker does, and clients hear of it
/// (Kafka's `propagateLogDirEvent`). Ends with the broker.
pub async fn report_offline(mut went_offline: WentOffline, controller: ControllerHandle) {
    while let Some(replicas) = went_offline.recv().await {
        let count = replicas.len();
        if let Err(e) = controller.report_offline_replicas(replicas).await {
            log::warn!("the controller does not know that {count} partitions are offline: {e}");
        }
    }
}

impl Replicas {
    /// No partitions yet: the controller's first effects bring them.
    pub fn new(broker_id: i32, logs: Arc<Logs>, metadata: Arc<MetadataCache>) -> (Arc<Self>, Wanted) {
        let (sender, went_offline) = unbounded_channel();
        let (proposing_sender, proposing) = unbounded_channel();
        let (following_sender, following) = unbounded_channel();
        let members = Arc::new(ClusterMembers::new(metadata));
        let replication = ReplicationContext {
            members: members.clone(),
            lag_time_max_ms: logs.broker_config().replica_lag_time_max_ms,
            proposing: proposing_sender,
        };
        let replicas = Self {
            broker_id,
            logs,
            topics: RwLock::default(),
            went_offline: sender,
            members,
            replication: Arc::new(replication),
            following: following_sender,
        };
        let wanted = Wanted {
            went_offline,
            proposing,
            following,
        };
        (Arc::new(replicas), wanted)
    }

    /// A follower's broker has sent a fetch; ms on this process's own clock.
    pub fn note_fetch_of(&self, broker: i32, now_ms: i64) {
        self.members.note_fetch(broker, now_ms);
    }

    /// The logs, and the directories that they are in.
    pub fn logs(&self) -> &Logs {
        &self.logs
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
    pub fn missing_code(&self) -> ErrorCode {
        match self.logs.any_offline() || self.logs.any_refused() {
            true => ErrorCode::KAFKA_STORAGE_ERROR,
            false => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        }
    }

    /// A log directory has failed: every partition in it goes offline. The first who sees it says so.
    pub fn log_dir_failed(&self, failure: &LogDirFailure) {
        // What a partition says that is being deleted is not about its directory.
        if !self.logs.has_failed(&failure.dir) {
            return;
        }
        let mut offline = Vec::new();
        for of_topic in self.topics.write().values_mut() {
            of_topic.retain(|_, partition| {
                let stays = partition.log_dir() != failure.dir;
                if !stays {
                    offline.push(partition.clone());
                }
                stays
            });
        }
        self.logs.note_offline();
        for partition in &offline {
            partition.go_offline();
            self.follow_nobody(&partition.topic_partition);
        }
        if offline.is_empty() {
            return;
        }
        log::error!("{failure}; {} partitions go offline", offline.len());
        let failed = offline.iter().map(|partition| FailedReplica {
            topic: partition.topic_partition.topic.clone(),
            partition: partition.topic_partition.partition,
            error_code: ErrorCode::KAFKA_STORAGE_ERROR,
            reason: failure.to_string(),
        });
        // Without a receiver the broker is about to end.
        drop(self.went_offline.send(failed.collect()));
    }

    /// Takes partitions offline whose directory has failed without any request having seen it.
    pub fn look_at_log_dirs(&self) {
        for (_, failure) in self.logs.directories() {
            if let Some(failure) = failure {
                self.log_dir_failed(&failure);
            }
        }
    }

    fn lead_or_follow(&self, topic: &TopicState, failed: &mut Vec<FailedReplica>) {
        let config = PartitionConfig::new(self.logs.broker_config(), &topic.topic, &topic.configs);
        for state in &topic.partitions {
            if let Err(failure) = self.take_over(topic, state, &config) {
                // That a partition without leader is offline was said before.
                let level = match state.leader {
                    NO_LEADER => log::Level::Debug,
                    _ => log::Level::Error,
                };
                log::log!(level, "{}-{}: {failure}", topic.topic, state.partition);
                failed.push(FailedReplica {
                    topic: topic.topic.clone(),
                    partition: state.partition,
                    error_code: failure.to_code(),
                    reason: failure.to_string(),
                });
            }
        }
    }

    fn take_over(&self, topic: &TopicState, state: &PartitionState, config: &PartitionConfig) -> Result<(), LogsError> {
        let topic_id = protocol::wire::Uuid(topic.topic_id.0);
        if let Some(partition) = self.get(&topic.topic, state.partition) {
            let has_other_id = !topic_id.is_zero() && !partition.topic_id.is_zero() && partition.topic_id != topic_id;
            if has_other_id {
                return Err(LogsError::TopicId {
                    partition: partition.topic_partition.clone(),
                    found: partition.topic_id,
                    expected: topic_id,
                });
            }
            // Of a change whose notice was lost this tells, too.
            partition.set_config(config.clone());
            return self.set_state(&partition, state);
        }
        let topic_partition = TopicPartition::new(topic.topic.clone(), state.partition);
        let (log, high_watermark) = self
            .logs
            .open_or_create(&topic_partition, topic_id, config, state.is_new)?;
        let writer = self.logs.writer_for(&log);
        let partition = Partition::new(
            topic_id,
            self.broker_id,
            log,
            high_watermark,
            config.clone(),
            writer,
            self.replication.clone(),
        );
        let led = self.set_state(&partition, state);
        // Also where it does not lead: its log is open here.
        self.topics
            .write()
            .entry(topic.topic.clone())
            .or_default()
            .insert(state.partition, partition);
        led
    }

    fn set_state(&self, partition: &Arc<Partition>, state: &PartitionState) -> Result<(), LogsError> {
        if !partition.set_state(state.clone())? {
            log::debug!(
                "{}: leader epoch {} and partition epoch {} are older than what is known",
                partition.topic_partition,
                state.leader_epoch,
                state.partition_epoch
            );
            return Ok(());
        }
        match state.leader >= 0 && state.leader != self.broker_id {
            // Without a receiver the broker is about to end, here and below.
            true => drop(self.following.send(Following::Of {
                partition: partition.clone(),
                leader: state.leader,
                leader_epoch: state.leader_epoch,
            })),
            false => self.follow_nobody(&partition.topic_partition),
        }
        Ok(())
    }

    fn follow_nobody(&self, name: &TopicPartition) {
        drop(self.following.send(Following::Nobody(name.clone())));
    }

    fn stop(&self, stopped: &StopReplicaPartition, delete: bool) -> Result<(), LogsError> {
        let name = TopicPartition::new(stopped.topic.clone(), stopped.partition);
        let held = self.get(&stopped.topic, stopped.partition);
        let epoch = match delete {
            true => LeaderEpoch(NO_EPOCH),
            false => stopped.leader_epoch,
        };
        if let Some(partition) = &held
            && !partition.stop(epoch)
        {
            log::info!("{name}: leader epoch {epoch} of a StopReplica is older than what is known");
            return Ok(());
        }
        self.follow_nobody(&name);
        if !delete {
            return Ok(());
        }
        self.remove(stopped);
        if let Some(partition) = &held {
            partition.waiters.gone();
        }
        self.logs.delete(&name, held.as_deref())
    }

    fn remove(&self, stopped: &StopReplicaPartition) {
        let mut topics = self.topics.write();
        if let Some(of_topic) = topics.get_mut(&stopped.topic) {
            of_topic.remove(&stopped.partition);
            if of_topic.is_empty() {
                topics.remove(&stopped.topic);
            }
        }
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
                            error_code: failure.to_code(),
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

    /// Applies effects in their order, with `after_each` after each of them.
    fn apply(&self, effects: &[Effect], mut after_each: impl FnMut(&Effect)) -> Applied {
        let mut failed = Vec::new();
        for effect in effects {
            self.apply_one(effect, &mut failed);
            after_each(effect);
        }
        // Keyed by name: what stays behind would be taken for that of the next topic with this name, which cannot come before the
        // controller has heard that these effects are through. Once for all of them, since a checkpoint names every partition.
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::StopReplica { delete: true, .. }))
        {
            let remaining = || self.all();
            self.logs.checkpoint_log_start_offsets(&remaining);
            self.logs.checkpoint_recovery_points(&remaining);
        }
        Applied {
            failed,
            is_stale: false,
        }
    }
}

/// Applies a controller's effects to partitions and metadata cache. Partitions come first, so that a client that learns of one
/// finds it here.
pub struct ApplyEffects {
    /// The partitions.
    pub replicas: Arc<Replicas>,
    /// The cache.
    pub metadata: Arc<MetadataCache>,
    /// Groups live where their partition of `__consumer_offsets` is led.
    pub groups: Arc<GroupCoordinator>,
}

impl ApplyEffects {
    fn tell_groups(replicas: &Replicas, groups: &GroupCoordinator, effect: &Effect) {
        match effect {
            Effect::LeaderAndIsr { topics, .. } => {
                let of_offsets = topics
                    .iter()
                    .filter(|t| &*t.topic == CONSUMER_OFFSETS)
                    .flat_map(|t| &t.partitions);
                for state in of_offsets {
                    match state.leader == replicas.broker_id {
                        true => groups.on_elected(state.partition, state.leader_epoch.0),
                        false => groups.on_resigned(state.partition, Some(state.leader_epoch.0)),
                    }
                }
            }
            Effect::StopReplica { partitions, .. } => {
                for stopped in partitions.iter().filter(|p| &*p.topic == CONSUMER_OFFSETS) {
                    groups.on_resigned(stopped.partition, None);
                }
            }
            // That a replica is stopped and deleted does not say so: it may only go elsewhere. And whoever coordinates a group need not
            // hold any (Kafka's `handleUpdateMetadataRequest`).
            Effect::UpdateMetadata { topics, .. } => {
                let deleted = topics.iter().flat_map(|topic| {
                    let gone = topic.partitions.iter().filter(|partition| partition.is_being_deleted());
                    gone.map(|partition| TopicPartition {
                        topic: topic.topic.clone(),
                        partition: partition.partition,
                    })
                });
                let deleted: Vec<TopicPartition> = deleted.collect();
                if !deleted.is_empty() {
                    groups.on_partitions_deleted(&deleted);
                }
            }
            Effect::TopicConfigChanged { .. } => {}
        }
    }

    /// Applies effects in their order, where that delays nobody.
    pub async fn apply(&self, effects: Vec<Effect>) -> Applied {
        let (replicas, metadata, groups) = (self.replicas.clone(), self.metadata.clone(), self.groups.clone());
        let applied = threads::spawn_blocking(move || {
            replicas.apply(&effects, |effect| {
                metadata.apply(effect);
                Self::tell_groups(&replicas, &groups, effect);
            })
        });
        applied
            .await
            .unwrap_or_else(|e| panic!("the controller's decisions could not be carried out: {e}"))
    }
}
