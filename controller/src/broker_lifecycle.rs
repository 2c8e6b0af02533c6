//! A broker registers, becomes controller, gets producer ids, loses log directories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config_changes;
use crate::core::{Decision, Response};
use crate::effects::{BrokerRegistration, Effect, PartitionState, Told};
use crate::election;
use crate::ids::{BrokerId, ControllerEpoch};
use crate::partitions::{LeaderAndIsr, Partition, Topic};
use crate::rejection::Rejection;
use crate::requests::{ProducerIdBlock, TopicPolicy};
use crate::state::{ControllerState, Record};
use crate::store::{CreateMode, Op};
use crate::{brokers, topics, znodes};

/// Producer ids that a broker gets at a time.
pub const PRODUCER_ID_BLOCK_SIZE: i64 = 1000;

/// How a broker registers: an empty ephemeral znode and its contents in one transaction. The czxid is its epoch. The znode gets
/// `version`, at least 1: one after the other get different ones, so that whoever deletes one by its version does not delete the next.
pub fn registration_ops(registration: &BrokerRegistration, version: i32, now_ms: i64) -> Vec<Op> {
    let path = znodes::broker(registration.id);
    let mut ops = vec![Op::Create {
        path: path.clone(),
        data: bytes::Bytes::new(),
        mode: CreateMode::Ephemeral,
    }];
    ops.extend((1..version).map(|next| Op::set(path.clone(), bytes::Bytes::new(), next - 1)));
    ops.push(Op::set(path, znodes::encode_broker(registration, now_ms), version - 1));
    ops
}

/// How a broker becomes controller, in one transaction that only one of several brokers can win: `epoch` is the next
/// controller epoch, `version` the version of `/controller_epoch` before.
pub fn election_ops(id: BrokerId, epoch: ControllerEpoch, version: i32, now_ms: i64) -> Vec<Op> {
    vec![
        Op::Create {
            path: znodes::CONTROLLER.to_owned(),
            data: znodes::encode_controller(id, now_ms),
            mode: CreateMode::Ephemeral,
        },
        Op::set(
            znodes::CONTROLLER_EPOCH,
            znodes::encode_controller_epoch(epoch),
            version,
        ),
    ]
}

/// First leaders for partitions that have none yet, new ones where the leader is gone, nobody in an ISR who is, and everything to the
/// brokers. A partition whose leader is registered again keeps leader and epoch, as with Kafka: the registration came first. Which brokers live is
/// told before anything else: a Java broker does not follow a leader that it does not know.
pub(crate) fn become_controller(state: &ControllerState, policy: &dyn TopicPolicy, now_ms: i64) -> Decision {
    let obsolete = config_changes::purge(state, now_ms, config_changes::PURGED_AT_START);
    let mut records: Vec<Record> = obsolete.into_iter().collect();
    let mut states = Vec::new();
    let mut deletions = Told::default();
    for topic in state.topics() {
        if topic.is_being_deleted {
            deletions.append(topics::deletion_effects(state, topic));
            continue;
        }
        let numbers: Vec<i32> = topic.partitions.keys().copied().collect();
        let elected = brokers::without_lost(state, policy, topic, &numbers);
        let changed = with(topic, &elected);
        states.push(state.topic_state(&changed, numbers, false));
        records.extend(elected_records(&topic.name, elected));
    }
    let mut told = match state.brokers().count() {
        0 | 1 => Told::default(),
        _ => state.tell_all(Vec::new()),
    };
    told.append(state.tell_partitions(states));
    told.append(deletions);
    Decision {
        records,
        told,
        response: Response::None,
    }
}

/// New states for those of these partitions whose leader is gone, or that never had one, where somebody can lead. Who leads and is
/// alive is left alone, be it about to stop.
pub(crate) fn elect(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    topic: &Topic,
    partitions: impl Iterator<Item = i32>,
) -> BTreeMap<i32, LeaderAndIsr> {
    let mut elected = BTreeMap::new();
    for number in partitions {
        let Some(Partition {
            assignment,
            leader_and_isr,
        }) = topic.partitions.get(&number)
        else {
            continue;
        };
        let is_online = |broker: BrokerId| state.is_online(broker, &topic.name, number);
        let epoch = state.controller_epoch();
        let next = match leader_and_isr {
            None => election::first_leader(&assignment.replicas, &is_online, epoch),
            Some(current) if state.is_held(current.leader, &topic.name, number) => None,
            Some(current) => {
                let allow_unclean = policy.unclean_leader_election_enable(&topic.configs);
                election::offline_leader(&assignment.replicas, current, &is_online, allow_unclean, epoch)
            }
        };
        elected.extend(next.map(|next| (number, next)));
    }
    elected
}

/// The topic as it will be.
pub(crate) fn with(topic: &Topic, changed: &BTreeMap<i32, LeaderAndIsr>) -> Topic {
    let mut topic = topic.clone();
    for (number, next) in changed {
        if let Some(partition) = topic.partitions.get_mut(number) {
            partition.leader_and_isr = Some(next.clone());
        }
    }
    topic
}

/// The topic with one partition alone, as that will be: a topic may have thousands, and each of them be decided about by itself.
pub(crate) fn with_only(topic: &Topic, number: i32, next: LeaderAndIsr) -> Topic {
    let known = topic.partitions.get(&number);
    let partition = Partition {
        assignment: known.map(|known| known.assignment.clone()).unwrap_or_default(),
        leader_and_isr: Some(next),
    };
    Topic {
        partitions: BTreeMap::from([(number, partition)]),
        is_being_deleted: topic.is_being_deleted,
        version: topic.version,
        configs: topic.configs.clone(),
        configs_version: topic.configs_version,
        ..Topic::new(topic.name.clone(), topic.topic_id)
    }
}

pub(crate) fn elected_records(topic: &Arc<str>, elected: BTreeMap<i32, LeaderAndIsr>) -> impl Iterator<Item = Record> {
    elected.into_iter().map(|(partition, state)| Record::Partition {
        topic: topic.clone(),
        partition,
        state,
    })
}

/// New leaders for the partitions of a topic that have none, as its configuration has changed
/// (Kafka's `processTopicUncleanLeaderElectionEnable`).
pub(crate) fn elect_offline(state: &ControllerState, policy: &dyn TopicPolicy, topic: &Topic) -> Decision {
    let elected = elect(state, policy, topic, topic.partitions.keys().copied());
    if elected.is_empty() {
        return Decision::answer(Response::None);
    }
    let states = vec![state.topic_state(&with(topic, &elected), elected.keys().copied(), false)];
    Decision {
        records: elected_records(&topic.name, elected).collect(),
        told: state.tell_partitions(states),
        response: Response::None,
    }
}

/// Replicas are offline, their brokers alive.
pub(crate) fn take_offline(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    partitions: &[(Arc<str>, i32)],
) -> Decision {
    let mut by_topic: BTreeMap<&Arc<str>, BTreeSet<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        by_topic.entry(topic).or_default().insert(*partition);
    }
    let mut records = Vec::new();
    let mut states = Vec::new();
    for (name, numbers) in by_topic {
        let Some(topic) = state.topic(name).filter(|topic| !topic.is_being_deleted) else {
            continue;
        };
        let numbers: Vec<i32> = numbers.into_iter().collect();
        let changed = brokers::without_lost(state, policy, topic, &numbers);
        // What does not change is not told again: the broker that reports failures would only report them again.
        if !changed.is_empty() {
            states.push(state.topic_state(&with(topic, &changed), changed.keys().copied(), false));
            records.extend(elected_records(name, changed));
        }
    }
    let told = match states.is_empty() {
        true => Told::default(),
        false => state.tell_partitions(states),
    };
    Decision {
        records,
        told,
        response: Response::None,
    }
}

pub(crate) fn allocate_producer_id_block(state: &ControllerState, broker: BrokerId) -> Result<Decision, Rejection> {
    let (last_block, version) = state.producer_id_block();
    let last = last_block.map_or(-1, |block| block.last);
    if last > i64::MAX - PRODUCER_ID_BLOCK_SIZE {
        return Err(Rejection::ProducerIdsExhausted { last });
    }
    let block = ProducerIdBlock {
        first: last + 1,
        last: last + PRODUCER_ID_BLOCK_SIZE,
    };
    let record = Record::ProducerIdBlock {
        broker,
        block: Some(block),
        version: version + 1,
    };
    Ok(Decision {
        records: vec![record],
        told: Told::default(),
        response: Response::Block(block),
    })
}

impl ControllerState {
    /// The effect that brings metadata caches up to date about these partitions.
    pub(crate) fn update_metadata(&self, topics: Vec<crate::effects::TopicState>) -> Effect {
        Effect::UpdateMetadata {
            controller_id: self.controller_id(),
            controller_epoch: self.controller_epoch(),
            brokers: self.brokers().cloned().collect(),
            topics,
        }
    }

    /// The same to every broker.
    pub(crate) fn tell_all(&self, topics: Vec<crate::effects::TopicState>) -> Told {
        let mut told = Told::default();
        let update = self.update_metadata(topics);
        for broker in self.brokers() {
            told.push(self.controller_id(), broker.registration.id, update.clone());
        }
        told
    }

    /// What a broker leads and follows in among these partitions; `None` where it holds none of them.
    pub(crate) fn held_by(&self, broker: BrokerId, topics: &[crate::effects::TopicState]) -> Option<Effect> {
        let is_held = |partition: &PartitionState| {
            partition.replicas.contains(&broker) && !partition.offline_replicas.contains(&broker)
        };
        let held_of = |topic: &crate::effects::TopicState| {
            let partitions: Vec<PartitionState> = topic
                .partitions
                .iter()
                .filter(|partition| is_held(partition))
                .cloned()
                .collect();
            (!partitions.is_empty()).then(|| crate::effects::TopicState {
                partitions,
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                configs: topic.configs.clone(),
            })
        };
        let held: Vec<_> = topics.iter().filter_map(held_of).collect();
        (!held.is_empty()).then(|| Effect::LeaderAndIsr {
            controller_epoch: self.controller_epoch(),
            topics: held,
        })
    }

    /// Leaders first, so that whoever learns of a leader from a metadata cache finds it leading.
    pub(crate) fn tell_partitions(&self, topics: Vec<crate::effects::TopicState>) -> Told {
        let mut told = Told::default();
        for broker in self.brokers() {
            let id = broker.registration.id;
            if let Some(held) = self.held_by(id, &topics) {
                told.push(self.controller_id(), id, held);
            }
        }
        told.append(self.tell_all(topics));
        told
    }
}
