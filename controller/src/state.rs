//! What the controller knows: brokers, topics, partitions, as written in the znodes. [`ControllerState::apply`] is the only
//! way to change what is persisted, when it is loaded as well as when it is decided; [`ControllerState::note`] changes what
//! is not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::effects::{BrokerRegistration, ConfigMap, LiveBroker, MetadataSnapshot, PartitionState, TopicState};
use crate::ids::{BrokerEpoch, BrokerId, ControllerEpoch, TopicId};
use crate::partitions::{LeaderAndIsr, ReplicaAssignment, Topic};
use crate::replicas::Candidate;
use crate::requests::ProducerIdBlock;
use crate::store::Op;
use crate::znodes;

/// A change of what is persisted. Versions are those that the znode has afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A topic exists and has these partitions.
    Topic {
        /// Its name.
        topic: Arc<str>,
        /// Its id.
        topic_id: TopicId,
        /// Replicas of all its partitions.
        assignments: BTreeMap<i32, ReplicaAssignment>,
        /// Version of `/brokers/topics/T`.
        version: i32,
    },
    /// A partition has this leader, these epochs, this ISR.
    Partition {
        /// Its topic.
        topic: Arc<str>,
        /// Its number.
        partition: i32,
        /// What its `state` znode says; its version is the partition epoch.
        state: LeaderAndIsr,
    },
    /// All that is set for a topic.
    TopicConfigs {
        /// The topic.
        topic: Arc<str>,
        /// Its own configuration.
        configs: Arc<ConfigMap>,
        /// Version of `/config/topics/T`.
        version: i32,
    },
    /// Others may watch for changed configurations.
    ConfigChange {
        /// For example `topics/T`.
        entity_path: String,
    },
    /// Such a notice exists, under the name that the store gave it. Made by loading, and by the driver when it is written.
    ConfigChangeWritten {
        /// Its name below `/config/changes`.
        name: Arc<str>,
        /// When it was written, ms since 1970.
        created_ms: i64,
    },
    /// Such notices are old and go.
    ConfigChangesPurged {
        /// Their names below `/config/changes`.
        names: Vec<Arc<str>>,
    },
    /// A topic shall go: `/admin/delete_topics/T` exists.
    TopicMarkedForDeletion {
        /// The topic.
        topic: Arc<str>,
    },
    /// A topic is gone.
    TopicRemoved {
        /// The topic.
        topic: Arc<str>,
    },
    /// Producer ids were given out.
    ProducerIdBlock {
        /// To which broker.
        broker: BrokerId,
        /// Which ones; `None` only when loading, where none were yet.
        block: Option<ProducerIdBlock>,
        /// Version of `/latest_producer_id_block`.
        version: i32,
    },
    /// A broker is registered.
    BrokerRegistered(LiveBroker),
    /// A broker's registration is gone.
    BrokerUnregistered {
        /// The broker.
        id: BrokerId,
    },
    /// Dynamic configuration of one broker or of `<default>`.
    BrokerConfigs {
        /// `<default>` or a broker's id.
        name: String,
        /// What is set.
        configs: ConfigMap,
    },
    /// The finalized features.
    Features {
        /// Levels by name.
        finalized: BTreeMap<String, i16>,
        /// Version of `/feature`.
        version: i32,
    },
}

/// Something learned that is not persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A replica's log directory has failed; it stays offline until its broker registers anew.
    ReplicaOffline {
        /// Broker that holds it.
        broker: BrokerId,
        /// Its topic.
        topic: Arc<str>,
        /// Its partition.
        partition: i32,
    },
    /// A broker is about to stop; until it registers anew it is elected for nothing (KIP-841).
    ShuttingDown {
        /// Which one.
        broker: BrokerId,
    },
    /// A broker has deleted all its replicas of a topic that is being deleted.
    ReplicasDeleted {
        /// The broker.
        broker: BrokerId,
        /// The topic.
        topic: Arc<str>,
    },
}

/// All that the controller of a cluster knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerState {
    cluster_id: String,
    controller_id: BrokerId,
    controller_epoch: ControllerEpoch,
    brokers: BTreeMap<BrokerId, LiveBroker>,
    topics: BTreeMap<Arc<str>, Topic>,
    names_by_id: HashMap<TopicId, Arc<str>>,
    partition_count: usize,
    producer_id_block: Option<ProducerIdBlock>,
    producer_id_version: i32,
    broker_configs: BTreeMap<String, ConfigMap>,
    finalized_features: BTreeMap<String, i16>,
    finalized_features_version: i32,
    offline_replicas: BTreeSet<(BrokerId, Arc<str>, i32)>,
    shutting_down: BTreeSet<BrokerId>,
    /// Of topics that are being deleted: who has done so.
    deleted_by: BTreeMap<Arc<str>, BTreeSet<BrokerId>>,
    /// Configurations of topics that do not exist (yet): Kafka writes them before the topic.
    unclaimed_configs: BTreeMap<Arc<str>, (Arc<ConfigMap>, i32)>,
    /// Notices of changed configurations and when they were written; their names rise with time.
    config_changes: BTreeMap<Arc<str>, i64>,
}

impl ControllerState {
    /// Nothing known but who this controller is.
    pub fn new(cluster_id: String, controller_id: BrokerId, controller_epoch: ControllerEpoch) -> Self {
        ControllerState {
            cluster_id,
            controller_id,
            controller_epoch,
            brokers: BTreeMap::new(),
            topics: BTreeMap::new(),
            names_by_id: HashMap::new(),
            partition_count: 0,
            producer_id_block: None,
            producer_id_version: -1,
            broker_configs: BTreeMap::new(),
            finalized_features: BTreeMap::new(),
            finalized_features_version: -1,
            offline_replicas: BTreeSet::new(),
            shutting_down: BTreeSet::new(),
            deleted_by: BTreeMap::new(),
            unclaimed_configs: BTreeMap::new(),
            config_changes: BTreeMap::new(),
        }
    }

    /// Takes over a change that has been, or is being, made durable.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Topic {
                topic,
                topic_id,
                assignments,
                version,
            } => {
                self.apply_topic(topic, topic_id, assignments, version);
            }
            Record::Partition {
                topic,
                partition,
                state,
            } => {
                if let Some(partition) = self
                    .topics
                    .get_mut(&topic)
                    .and_then(|it| it.partitions.get_mut(&partition))
                {
                    partition.leader_and_isr = Some(state);
                }
            }
            Record::TopicConfigs {
                topic,
                configs,
                version,
            } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    (topic.configs, topic.configs_version) = (configs, Some(version));
                } else {
                    self.unclaimed_configs.insert(topic, (configs, version));
                }
            }
            Record::ConfigChange { .. } => {}
            Record::ConfigChangeWritten { name, created_ms } => {
                self.config_changes.insert(name, created_ms);
            }
            Record::ConfigChangesPurged { names } => {
                for name in &names {
                    self.config_changes.remove(name);
                }
            }
            Record::TopicMarkedForDeletion { topic } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    topic.is_being_deleted = true;
                }
            }
            Record::TopicRemoved { topic } => {
                if let Some(topic) = self.topics.remove(&topic) {
                    self.partition_count -= topic.partitions.len();
                    self.names_by_id.remove(&topic.topic_id);
                    self.offline_replicas.retain(|(_, other, _)| *other != topic.name);
                    self.deleted_by.remove(&topic.name);
                }
            }
            Record::ProducerIdBlock { block, version, .. } => {
                (self.producer_id_block, self.producer_id_version) = (block, version);
            }
            Record::BrokerRegistered(broker) => {
                let id = broker.registration.id;
                self.offline_replicas.retain(|(holder, _, _)| *holder != id);
                self.shutting_down.remove(&id);
                self.brokers.insert(id, broker);
            }
            Record::BrokerUnregistered { id } => {
                self.shutting_down.remove(&id);
                self.brokers.remove(&id);
            }
            Record::BrokerConfigs { name, configs } => {
                self.broker_configs.insert(name, configs);
            }
            Record::Features { finalized, version } => {
                (self.finalized_features, self.finalized_features_version) = (finalized, version);
            }
        }
    }

    fn apply_topic(
        &mut self,
        name: Arc<str>,
        topic_id: TopicId,
        assignments: BTreeMap<i32, ReplicaAssignment>,
        version: i32,
    ) {
        let unclaimed = self.unclaimed_configs.remove(&name);
        let topic = self
            .topics
            .entry(name.clone())
            .or_insert_with(|| Topic::new(name.clone(), topic_id));
        if let Some((configs, version)) = unclaimed {
            (topic.configs, topic.configs_version) = (configs, Some(version));
        }
        (topic.topic_id, topic.version) = (topic_id, version);
        self.partition_count -= topic.partitions.len();
        for (number, assignment) in assignments {
            topic.partitions.entry(number).or_default().assignment = assignment;
        }
        self.partition_count += topic.partitions.len();
        if !topic_id.is_zero() {
            self.names_by_id.insert(topic_id, name);
        }
    }

    /// Takes note of something that is not persisted.
    pub fn note(&mut self, note: Note) {
        match note {
            Note::ReplicaOffline {
                broker,
                topic,
                partition,
            } => {
                self.offline_replicas.insert((broker, topic, partition));
            }
            Note::ShuttingDown { broker } => {
                self.shutting_down.insert(broker);
            }
            Note::ReplicasDeleted { broker, topic } => {
                self.deleted_by.entry(topic).or_default().insert(broker);
            }
        }
    }

    /// Takes over what another state has noted: after loading anew. Of a broker that has registered anew meanwhile it does not hold any
    /// more.
    pub(crate) fn keep_notes(&mut self, of: ControllerState) {
        let epoch = |brokers: &BTreeMap<BrokerId, LiveBroker>, id: &BrokerId| brokers.get(id).map(|it| it.broker_epoch);
        let is_same = |id: &BrokerId| epoch(&self.brokers, id) == epoch(&of.brokers, id);
        let offline = of.offline_replicas.into_iter();
        self.offline_replicas = offline.filter(|(holder, _, _)| is_same(holder)).collect();
        self.shutting_down = of.shutting_down.into_iter().filter(is_same).collect();
        self.deleted_by = of.deleted_by;
    }

    /// What has to be written for a record, seen from the state before it is applied. Records that only loading or the
    /// start of a broker make have nothing to write here.
    pub fn ops(&self, record: &Record) -> Vec<Op> {
        match record {
            Record::Topic {
                topic,
                topic_id,
                assignments,
                version,
            } => {
                let data = znodes::encode_topic(*topic_id, assignments.iter().map(|(number, it)| (*number, it)));
                match version {
                    0 => vec![
                        Op::create(znodes::topic(topic), data),
                        Op::create(znodes::partitions(topic), ""),
                    ],
                    _ => vec![Op::set(znodes::topic(topic), data, version - 1)],
                }
            }
            Record::Partition {
                topic,
                partition,
                state,
            } => {
                let path = znodes::partition_state(topic, *partition);
                let data = znodes::encode_partition_state(state);
                match state.partition_epoch.0 {
                    0 => vec![
                        Op::create(znodes::partition(topic, *partition), ""),
                        Op::create(path, data),
                    ],
                    version => vec![Op::set(path, data, version - 1)],
                }
            }
            Record::TopicConfigs {
                topic,
                configs,
                version,
            } => {
                let (path, data) = (znodes::topic_config(topic), znodes::encode_config(configs));
                match version {
                    0 => vec![Op::create(path, data)],
                    _ => vec![Op::set(path, data, version - 1)],
                }
            }
            Record::ConfigChange { entity_path } => vec![Op::Create {
                path: znodes::CONFIG_CHANGE.to_owned(),
                data: znodes::encode_config_change(entity_path),
                mode: crate::store::CreateMode::PersistentSequential,
            }],
            Record::ConfigChangesPurged { names } => {
                let path = |name: &Arc<str>| format!("{}/{name}", znodes::CONFIG_CHANGES);
                let delete = |name| Op::delete(path(name), crate::store::ANY_VERSION);
                names.iter().map(delete).collect()
            }
            Record::TopicMarkedForDeletion { topic } => vec![Op::create(znodes::delete_topic(topic), "")],
            Record::TopicRemoved { topic } => self.removal_ops(topic),
            Record::ProducerIdBlock { broker, block, version } => block
                .map(|block| znodes::encode_producer_id_block(*broker, block))
                .map(|data| match version {
                    0 => Op::create(znodes::PRODUCER_ID_BLOCK, data),
                    _ => Op::set(znodes::PRODUCER_ID_BLOCK, data, version - 1),
                })
                .into_iter()
                .collect(),
            Record::BrokerRegistered(_)
            | Record::BrokerUnregistered { .. }
            | Record::BrokerConfigs { .. }
            | Record::ConfigChangeWritten { .. }
            | Record::Features { .. } => Vec::new(),
        }
    }

    fn removal_ops(&self, name: &Arc<str>) -> Vec<Op> {
        let Some(topic) = self.topics.get(name) else {
            return Vec::new();
        };
        let mut ops = Vec::with_capacity(topic.partitions.len() * 2 + 4);
        for (&number, partition) in &topic.partitions {
            if let Some(state) = &partition.leader_and_isr {
                ops.push(Op::delete(
                    znodes::partition_state(name, number),
                    state.partition_epoch.0,
                ));
                ops.push(Op::delete(znodes::partition(name, number), crate::store::ANY_VERSION));
            }
        }
        ops.push(Op::delete(znodes::partitions(name), crate::store::ANY_VERSION));
        ops.push(Op::delete(znodes::topic(name), topic.version));
        if let Some(version) = topic.configs_version {
            ops.push(Op::delete(znodes::topic_config(name), version));
        }
        if topic.is_being_deleted {
            ops.push(Op::delete(znodes::delete_topic(name), crate::store::ANY_VERSION));
        }
        ops
    }

    /// This controller's id.
    pub fn controller_id(&self) -> BrokerId {
        self.controller_id
    }

    /// Its epoch.
    pub fn controller_epoch(&self) -> ControllerEpoch {
        self.controller_epoch
    }

    /// A topic by its name, those included that are being deleted.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// Every topic, those included that are being deleted.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    /// A topic's name by its id.
    pub fn topic_name(&self, topic_id: &TopicId) -> Option<&Arc<str>> {
        self.names_by_id.get(topic_id)
    }

    /// Partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// Version of `/config/topics/T`, whether the topic exists or not.
    pub fn topic_configs_version(&self, name: &str) -> Option<i32> {
        let unclaimed = || self.unclaimed_configs.get(name).map(|(_, version)| *version);
        self.topics
            .get(name)
            .map_or_else(unclaimed, |topic| topic.configs_version)
    }

    /// Notices of changed configurations, the oldest first: name and time of writing.
    pub fn config_changes(&self) -> impl Iterator<Item = (&Arc<str>, i64)> {
        self.config_changes.iter().map(|(name, created_ms)| (name, *created_ms))
    }

    /// The last block of producer ids that was given out, and the version of its znode.
    pub fn producer_id_block(&self) -> (Option<ProducerIdBlock>, i32) {
        (self.producer_id_block, self.producer_id_version)
    }

    /// Every live broker, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &LiveBroker> {
        self.brokers.values()
    }

    /// The partitions of which this broker's replicas are offline.
    pub(crate) fn offline_replicas_of(&self, broker: BrokerId) -> Vec<(Arc<str>, i32)> {
        let of_broker = self.offline_replicas.iter().filter(|(holder, _, _)| *holder == broker);
        of_broker
            .map(|(_, topic, partition)| (topic.clone(), *partition))
            .collect()
    }

    /// Whether a broker is registered.
    pub fn is_alive(&self, broker: BrokerId) -> bool {
        self.brokers.contains_key(&broker)
    }

    /// Brokers that may hold replicas, by id.
    pub fn candidates(&self) -> Vec<Candidate> {
        let candidate = |BrokerRegistration { id, rack, .. }: &BrokerRegistration| Candidate {
            id: *id,
            rack: rack.clone(),
        };
        self.brokers
            .values()
            .map(|broker| candidate(&broker.registration))
            .collect()
    }

    /// A registered broker.
    pub fn broker(&self, id: BrokerId) -> Option<&LiveBroker> {
        self.brokers.get(&id)
    }

    /// Whether a broker is about to stop.
    pub fn is_shutting_down(&self, broker: BrokerId) -> bool {
        self.shutting_down.contains(&broker)
    }

    /// Whether a replica's broker is registered and its log directory has not failed: it is told what it has to do, and who leads goes
    /// on leading.
    pub fn is_held(&self, broker: BrokerId, topic: &Arc<str>, partition: i32) -> bool {
        self.is_alive(broker) && !self.offline_replicas.contains(&(broker, topic.clone(), partition))
    }

    /// Whether a replica may be elected: it is held, and its broker is not about to stop.
    pub fn is_online(&self, broker: BrokerId, topic: &Arc<str>, partition: i32) -> bool {
        !self.is_shutting_down(broker) && self.is_held(broker, topic, partition)
    }

    /// Whether every broker that held a replica of a topic has deleted it.
    pub fn is_deleted_everywhere(&self, topic: &Topic) -> bool {
        let deleted = self.deleted_by.get(&topic.name);
        let replicas = topic.partitions.values().flat_map(|it| &it.assignment.replicas);
        replicas
            .into_iter()
            .all(|holder| deleted.is_some_and(|by| by.contains(holder)))
    }

    /// How brokers see these partitions of a topic.
    pub fn topic_state(&self, topic: &Topic, partitions: impl IntoIterator<Item = i32>, is_new: bool) -> TopicState {
        let state = |number: i32| {
            let is_held = |broker: BrokerId| self.is_held(broker, &topic.name, number);
            topic
                .partitions
                .get(&number)
                .map(|partition| match topic.is_being_deleted {
                    true => partition.state_during_delete(number, &is_held),
                    false => partition.state(number, is_new, &is_held),
                })
        };
        let partitions: Vec<PartitionState> = partitions.into_iter().filter_map(state).collect();
        TopicState {
            topic: topic.name.clone(),
            topic_id: topic.topic_id,
            configs: topic.configs.clone(),
            partitions,
        }
    }

    /// All that a metadata cache starts with.
    pub fn snapshot(&self, broker_epoch: BrokerEpoch) -> MetadataSnapshot {
        let topics = self.topics.values().filter(|topic| !topic.is_being_deleted);
        MetadataSnapshot {
            cluster_id: self.cluster_id.clone(),
            controller_id: self.controller_id,
            controller_epoch: self.controller_epoch,
            broker_epoch,
            brokers: self.brokers.values().cloned().collect(),
            topics: topics
                .map(|topic| self.topic_state(topic, topic.partitions.keys().copied(), false))
                .collect(),
            broker_configs: self.broker_configs.clone(),
            finalized_features: self.finalized_features.clone(),
            finalized_features_epoch: i64::from(self.finalized_features_version),
        }
    }
}
