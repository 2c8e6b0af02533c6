//! What this broker knows of the cluster: brokers, topics, leaders. Changed by the controller's effects only, read by everybody.
//! Kafka's `ZkMetadataCache`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use controller::BrokerEpoch;
use controller::effects::{ConfigMap, Effect, Endpoint, LiveBroker, MetadataSnapshot, PartitionState, TopicState};
use parking_lot::RwLock;
use protocol::wire::TopicId;

/// The finalized features and their epoch, as ApiVersions tells them (KIP-584).
#[derive(Debug, Clone, Default)]
pub struct FinalizedFeatures {
    /// Feature name to level.
    pub levels: BTreeMap<String, i16>,
    /// -1 where unknown.
    pub epoch: i64,
}

#[derive(Default)]
struct Image {
    /// A controller has told something.
    is_told: bool,
    cluster_id: String,
    controller_id: i32,
    brokers: BTreeMap<i32, LiveBroker>,
    topics: BTreeMap<Arc<str>, Arc<TopicState>>,
    names: HashMap<TopicId, Arc<str>>,
    features: FinalizedFeatures,
}

/// The cache, empty at first. Reads take a shared lock for as long as it takes to clone a few pointers.
#[derive(Default)]
pub struct MetadataCache {
    image: RwLock<Image>,
}

fn wire_id(id: controller::ids::TopicId) -> TopicId {
    protocol::wire::Uuid(id.0)
}

/// Partitions are kept in the order of their numbers.
fn find_partition(topic: &TopicState, partition: i32) -> Option<&PartitionState> {
    let at = topic
        .partitions
        .binary_search_by_key(&partition, |p| p.partition)
        .ok()?;
    topic.partitions.get(at)
}

impl MetadataCache {
    /// Takes over what was known when the broker had joined. What a controller has told since then – its first effects tell all of
    /// it – stays: it is later.
    pub fn set_snapshot(&self, snapshot: MetadataSnapshot) {
        let mut image = self.image.write();
        image.cluster_id = snapshot.cluster_id;
        image.features = FinalizedFeatures {
            levels: snapshot.finalized_features,
            epoch: snapshot.finalized_features_epoch,
        };
        if image.is_told {
            return;
        }
        image.controller_id = snapshot.controller_id;
        image.brokers = snapshot.brokers.into_iter().map(|b| (b.registration.id, b)).collect();
        image.topics = snapshot
            .topics
            .into_iter()
            .map(|t| (t.topic.clone(), Arc::new(t)))
            .collect();
        image.names = image
            .topics
            .values()
            .filter(|t| !t.topic_id.is_zero())
            .map(|t| (wire_id(t.topic_id), t.topic.clone()))
            .collect();
    }

    /// Takes in what concerns the cache; other effects pass by.
    pub fn apply(&self, effect: &Effect) {
        match effect {
            Effect::UpdateMetadata {
                controller_id,
                brokers,
                topics,
                ..
            } => {
                let mut image = self.image.write();
                image.is_told = true;
                image.controller_id = *controller_id;
                image.brokers = brokers.iter().map(|b| (b.registration.id, b.clone())).collect();
                for topic in topics {
                    image.update_topic(topic);
                }
            }
            Effect::TopicConfigChanged { topic, configs } => {
                let mut image = self.image.write();
                if let Some(state) = image.topics.get_mut(topic) {
                    Arc::make_mut(state).configs = configs.clone();
                }
            }
            Effect::LeaderAndIsr { .. } | Effect::StopReplica { .. } => {}
        }
    }

    /// `cluster.id`
    pub fn cluster_id(&self) -> String {
        self.image.read().cluster_id.clone()
    }

    /// The controller's broker id, -1 without one.
    pub fn controller_id(&self) -> i32 {
        self.image.read().controller_id
    }

    /// Every live broker, by id.
    pub fn brokers(&self) -> Vec<LiveBroker> {
        self.image.read().brokers.values().cloned().collect()
    }

    /// One live broker.
    pub fn broker(&self, id: i32) -> Option<LiveBroker> {
        self.image.read().brokers.get(&id).cloned()
    }

    /// The epoch of a live broker, -1 where only the controller knows it.
    pub fn broker_epoch(&self, id: i32) -> Option<BrokerEpoch> {
        self.image.read().brokers.get(&id).map(|broker| broker.broker_epoch)
    }

    /// The endpoint of a live broker on a listener.
    pub fn endpoint(&self, broker: i32, listener_name: &str) -> Option<Endpoint> {
        let image = self.image.read();
        let endpoints = &image.brokers.get(&broker)?.registration.endpoints;
        endpoints.iter().find(|e| e.listener_name == listener_name).cloned()
    }

    /// A topic by name.
    pub fn topic(&self, name: &str) -> Option<Arc<TopicState>> {
        self.image.read().topics.get(name).cloned()
    }

    /// All topics, by name.
    pub fn topics(&self) -> Vec<Arc<TopicState>> {
        self.image.read().topics.values().cloned().collect()
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.image.read().topics.len()
    }

    /// The name of the topic with this id.
    pub fn topic_name(&self, id: TopicId) -> Option<Arc<str>> {
        self.image.read().names.get(&id).cloned()
    }

    /// The id of a topic.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.image.read().topics.get(name).map(|t| wire_id(t.topic_id))
    }

    /// One partition's state.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<PartitionState> {
        let image = self.image.read();
        find_partition(image.topics.get(topic)?, partition).cloned()
    }

    /// Whether a partition exists.
    pub fn contains(&self, topic: &str, partition: i32) -> bool {
        let image = self.image.read();
        image
            .topics
            .get(topic)
            .is_some_and(|t| find_partition(t, partition).is_some())
    }

    /// Whether a broker is in the ISR of a partition, as far as this one has heard; of one that is not known nothing else is.
    pub fn is_in_sync(&self, topic: &str, partition: i32, broker: i32) -> bool {
        let image = self.image.read();
        let known = image
            .topics
            .get(topic)
            .and_then(|topic| find_partition(topic, partition));
        known.is_none_or(|partition| partition.isr.contains(&broker))
    }

    /// What a topic has set for itself.
    pub fn topic_configs(&self, topic: &str) -> Option<Arc<ConfigMap>> {
        self.image.read().topics.get(topic).map(|t| t.configs.clone())
    }

    /// Finalized features.
    pub fn features(&self) -> FinalizedFeatures {
        self.image.read().features.clone()
    }
}

impl Image {
    fn update_topic(&mut self, changed: &TopicState) {
        if changed.partitions.iter().all(PartitionState::is_being_deleted) && !changed.partitions.is_empty() {
            // By the id that was known: who says that a topic goes need not.
            if let Some(known) = self.topics.remove(&changed.topic) {
                self.names.remove(&wire_id(known.topic_id));
            }
            return;
        }
        let id = wire_id(changed.topic_id);
        if let Some(known) = self.topics.get(&changed.topic).map(|known| wire_id(known.topic_id))
            && known != id
        {
            self.names.remove(&known);
            // Another topic has the name now, and nobody has told this broker that the one before went: so did its partitions.
            if !known.is_zero() && !id.is_zero() {
                self.topics.remove(&changed.topic);
            }
        }
        if !id.is_zero() {
            self.names.insert(id, changed.topic.clone());
        }
        let topic = self.topics.entry(changed.topic.clone()).or_insert_with(|| {
            Arc::new(TopicState {
                partitions: Vec::new(),
                ..changed.clone()
            })
        });
        let topic = Arc::make_mut(topic);
        topic.topic_id = changed.topic_id;
        topic.configs = changed.configs.clone();
        for partition in &changed.partitions {
            match topic
                .partitions
                .binary_search_by_key(&partition.partition, |p| p.partition)
            {
                Ok(at) => topic.partitions[at] = partition.clone(),
                Err(at) => topic.partitions.insert(at, partition.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use controller::effects::BrokerRegistration;
    use controller::ids::ControllerEpoch;

    use super::*;

    fn broker(id: i32) -> LiveBroker {
        LiveBroker {
            registration: BrokerRegistration {
                id,
                endpoints: Vec::new(),
                rack: None,
                jmx_port: -1,
                features: BTreeMap::new(),
                sordini: None,
            },
            broker_epoch: BrokerEpoch(100),
        }
    }

    #[test]
    fn a_snapshot_takes_nothing_back_that_was_told_since() {
        let cache = MetadataCache::default();
        cache.apply(&Effect::UpdateMetadata {
            controller_id: 2,
            controller_epoch: ControllerEpoch(1),
            brokers: vec![broker(1), broker(2)],
            topics: Vec::new(),
        });
        cache.set_snapshot(MetadataSnapshot {
            cluster_id: "of the snapshot".to_owned(),
            controller_id: 2,
            controller_epoch: ControllerEpoch(1),
            broker_epoch: BrokerEpoch(100),
            brokers: vec![broker(2)],
            topics: Vec::new(),
            broker_configs: BTreeMap::new(),
            finalized_features: BTreeMap::new(),
            finalized_features_epoch: 0,
        });
        assert_eq!(cache.cluster_id(), "of the snapshot");
        assert_eq!(cache.brokers(), [broker(1), broker(2)]);
    }

    fn told(topic_id: u8, partitions: &[i32]) -> Effect {
        let partition = |number: &i32| PartitionState {
            partition: *number,
            controller_epoch: ControllerEpoch(1),
            leader: 1,
            leader_epoch: controller::LeaderEpoch(0),
            partition_epoch: controller::PartitionEpoch(0),
            isr: vec![1],
            replicas: vec![1],
            adding_replicas: Vec::new(),
            removing_replicas: Vec::new(),
            offline_replicas: Vec::new(),
            leader_recovery_state: Default::default(),
            is_new: false,
        };
        Effect::UpdateMetadata {
            controller_id: 1,
            controller_epoch: ControllerEpoch(1),
            brokers: vec![broker(1)],
            topics: vec![TopicState {
                topic: Arc::from("t"),
                topic_id: protocol::wire::Uuid([topic_id; 16]),
                configs: Arc::default(),
                partitions: partitions.iter().map(partition).collect(),
            }],
        }
    }

    #[test]
    fn the_next_topic_with_a_name_has_nothing_of_the_one_before() {
        let cache = MetadataCache::default();
        let id = |byte| protocol::wire::Uuid([byte; 16]);
        cache.apply(&told(0, &[0]));
        cache.apply(&told(1, &[1]));
        assert!(cache.contains("t", 0) && cache.contains("t", 1), "it got its id late");
        cache.apply(&told(2, &[0]));
        assert!(cache.contains("t", 0) && !cache.contains("t", 1));
        assert_eq!((cache.topic_name(id(1)), cache.topic_id("t")), (None, Some(id(2))));
    }
}
