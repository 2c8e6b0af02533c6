//! Topics: created, deleted, given more partitions and another configuration, with the checks of Kafka's `ZkAdminManager`
//! and `AdminZkClient`, in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::broker_lifecycle;
use crate::config_changes;
use crate::core::{Decision, Response};
use crate::effects::{ConfigMap, Effect, StopReplicaPartition, Told};
use crate::election;
use crate::ids::{BrokerId, LeaderEpoch, TopicId};
use crate::partitions::{Partition, ReplicaAssignment, Topic};
use crate::rejection::{InvalidReplicaAssignment, InvalidTopicName, Rejection};
use crate::replicas::{self, Start};
use crate::requests::{
    CreatedTopic, DeletedTopic, NewPartitions, NewTopic, TopicConfigChange, TopicPolicy, TopicRef, UNSET,
};
use crate::state::{ControllerState, Record};

/// Longest name of a topic, in characters.
pub const MAX_NAME_LENGTH: usize = 249;

/// Checks a topic's name (Kafka's `Topic.validate`).
pub fn validate_name(name: &str) -> Result<(), InvalidTopicName> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match name {
        "" => Err(InvalidTopicName::Empty),
        "." | ".." => Err(InvalidTopicName::Dots(name.to_owned())),
        _ if name.chars().count() > MAX_NAME_LENGTH => Err(InvalidTopicName::TooLong(name.to_owned())),
        _ if !name.bytes().all(is_legal) => Err(InvalidTopicName::Characters(name.to_owned())),
        _ => Ok(()),
    }
}

/// Whether a topic belongs to the broker itself: clients may read it, but not produce to it by accident.
pub fn is_internal(name: &str) -> bool {
    matches!(
        name,
        "__consumer_offsets" | "__transaction_state" | "__share_group_state"
    )
}

/// Whether two names would be one in metrics, where `.` and `_` are the same.
fn collide(one: &str, other: &str) -> bool {
    let unify = |byte: u8| if byte == b'.' { b'_' } else { byte };
    one.len() == other.len() && one.bytes().map(unify).eq(other.bytes().map(unify))
}

pub(crate) fn create(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    asked: NewTopic,
    topic_id: TopicId,
    start: Start,
    validate_only: bool,
) -> Result<Decision, Rejection> {
    refuse_existing(state, &asked.name)?;
    let nulls = asked.configs.iter().filter(|(_, value)| value.is_none());
    let nulls: Vec<String> = nulls.map(|(key, _)| key.clone()).collect();
    if !nulls.is_empty() {
        return Err(Rejection::NullConfigs { keys: nulls });
    }
    let assignments = place(state, policy, &asked, start)?;
    validate_name(&asked.name).map_err(|reason| Rejection::InvalidTopicName { reason })?;
    refuse_collision(state, &asked.name)?;
    if !asked.assignments.is_empty() {
        validate_assignments(state, &assignments)?;
    }
    let configs: ConfigMap = asked
        .configs
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
    policy
        .validate_configs(&asked.name, &configs)
        .map_err(|message| Rejection::InvalidConfig { message })?;

    let created = CreatedTopic {
        name: asked.name.clone(),
        topic_id: if validate_only { TopicId::ZERO } else { topic_id },
        num_partitions: assignments.len() as i32,
        replication_factor: assignments.values().next().map_or(0, |replicas| replicas.len() as i16),
        configs: configs.clone(),
    };
    if validate_only {
        return Ok(Decision::answer(Response::Created(created)));
    }
    let mut topic = Topic::new(asked.name.into(), topic_id);
    topic.configs = Arc::new(configs);
    let version = state
        .topic_configs_version(&topic.name)
        .map_or(0, |version| version + 1);
    let configs = Record::TopicConfigs {
        topic: topic.name.clone(),
        configs: topic.configs.clone(),
        version,
    };
    let mut decision = start_partitions(state, topic, assignments, 0, Response::Created(created));
    // Before the topic, as Kafka does: whoever sees the topic sees its configuration.
    decision.records.insert(0, configs);
    Ok(decision)
}

fn refuse_existing(state: &ControllerState, name: &str) -> Result<(), Rejection> {
    match state.topic(name) {
        Some(topic) if topic.is_being_deleted => Err(Rejection::TopicMarkedForDeletion { topic: name.to_owned() }),
        Some(_) => Err(Rejection::TopicExists { topic: name.to_owned() }),
        None => Ok(()),
    }
}

fn refuse_collision(state: &ControllerState, name: &str) -> Result<(), Rejection> {
    if !name.contains(['.', '_']) {
        return Ok(());
    }
    let colliding = state.topics().filter(|topic| collide(name, &topic.name));
    let existing: Vec<String> = colliding.map(|topic| topic.name.to_string()).collect();
    match existing.is_empty() {
        true => Ok(()),
        false => Err(Rejection::TopicCollision {
            topic: name.to_owned(),
            existing,
        }),
    }
}

/// The replicas of a new topic: those asked for, or those that placement finds.
fn place(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    asked: &NewTopic,
    start: Start,
) -> Result<BTreeMap<i32, Vec<BrokerId>>, Rejection> {
    if !asked.assignments.is_empty() {
        if asked.num_partitions != UNSET || asked.replication_factor != UNSET {
            return Err(Rejection::CountsAndAssignments);
        }
        refuse_too_many(state, policy, asked.assignments.len())?;
        return Ok(asked.assignments.iter().cloned().collect());
    }
    let or_default = |asked: i32, default: i32| if asked == UNSET { default } else { asked };
    let count = or_default(asked.num_partitions, policy.num_partitions());
    refuse_too_many(state, policy, usize::try_from(count).unwrap_or(0))?;
    let factor = or_default(asked.replication_factor, policy.default_replication_factor());
    let assigned = replicas::assign(&state.candidates(), count, factor, start, 0)?;
    Ok((0..).zip(assigned).collect())
}

fn refuse_too_many(state: &ControllerState, policy: &dyn TopicPolicy, requested: usize) -> Result<(), Rejection> {
    let (current, limit) = (state.partition_count(), policy.max_partitions());
    match requested.saturating_add(current) > limit {
        true => Err(Rejection::TooManyPartitions {
            requested,
            current,
            limit,
        }),
        false => Ok(()),
    }
}

/// Explicit assignments of a new topic. Kafka's ZooKeeper mode lets brokers pass that do not exist, and the topic then never
/// gets a leader; here they are refused, as Kafka's KRaft mode does.
fn validate_assignments(
    state: &ControllerState,
    assignments: &BTreeMap<i32, Vec<BrokerId>>,
) -> Result<(), InvalidReplicaAssignment> {
    let factors: BTreeSet<usize> = assignments.values().map(Vec::len).collect();
    if factors.len() != 1 {
        return Err(InvalidReplicaAssignment::UnequalReplicationFactors);
    }
    for (&partition, replicas) in assignments {
        validate_replicas(partition, replicas)?;
    }
    if !(0..)
        .zip(assignments.keys())
        .all(|(expected, &partition)| expected == partition)
    {
        return Err(InvalidReplicaAssignment::NotConsecutive);
    }
    refuse_unknown_brokers(state, assignments.values())
}

fn validate_replicas(partition: i32, replicas: &[BrokerId]) -> Result<(), InvalidReplicaAssignment> {
    if replicas.is_empty() {
        return Err(InvalidReplicaAssignment::NoReplicas { partition });
    }
    if replicas.iter().collect::<BTreeSet<_>>().len() != replicas.len() {
        return Err(InvalidReplicaAssignment::DuplicateBrokers {
            partition,
            replicas: replicas.to_vec(),
        });
    }
    Ok(())
}

fn refuse_unknown_brokers<'a>(
    state: &ControllerState,
    assignments: impl Iterator<Item = &'a Vec<BrokerId>>,
) -> Result<(), InvalidReplicaAssignment> {
    let unknown: BTreeSet<BrokerId> = assignments
        .flatten()
        .copied()
        .filter(|&broker| !state.is_alive(broker))
        .collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(InvalidReplicaAssignment::UnknownBrokers {
            brokers: unknown.into_iter().collect(),
        }),
    }
}

/// Adds partitions to a topic and elects their first leaders.
fn start_partitions(
    state: &ControllerState,
    mut topic: Topic,
    assignments: BTreeMap<i32, Vec<BrokerId>>,
    version: i32,
    response: Response,
) -> Decision {
    let numbers: Vec<i32> = assignments.keys().copied().collect();
    let mut elected = Vec::with_capacity(numbers.len());
    for (number, replicas) in assignments {
        let is_online = |broker: BrokerId| state.is_online(broker, &topic.name, number);
        let leader_and_isr = election::first_leader(&replicas, &is_online, state.controller_epoch());
        if let Some(first) = &leader_and_isr {
            elected.push(Record::Partition {
                topic: topic.name.clone(),
                partition: number,
                state: first.clone(),
            });
        }
        topic.partitions.insert(
            number,
            Partition {
                assignment: ReplicaAssignment::settled(replicas),
                leader_and_isr,
            },
        );
    }
    let assignments = topic
        .partitions
        .iter()
        .map(|(number, partition)| (*number, partition.assignment.clone()));
    let record = Record::Topic {
        topic: topic.name.clone(),
        topic_id: topic.topic_id,
        assignments: assignments.collect(),
        version,
    };
    let states = vec![state.topic_state(&topic, numbers, true)];
    Decision {
        records: std::iter::once(record).chain(elected).collect(),
        told: state.tell_partitions(states),
        response,
    }
}

pub(crate) fn delete(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    asked: &TopicRef,
) -> Result<Decision, Rejection> {
    if !policy.delete_topic_enable() {
        return Err(Rejection::TopicDeletionDisabled);
    }
    let topic = match asked {
        TopicRef::Name(name) => state
            .topic(name)
            .ok_or_else(|| Rejection::UnknownTopic { topic: name.clone() })?,
        TopicRef::Id(topic_id) => {
            let topic = state.topic_name(topic_id).and_then(|name| state.topic(name));
            topic.ok_or(Rejection::UnknownTopicId { topic_id: *topic_id })?
        }
    };
    let mut records = Vec::new();
    if !topic.is_being_deleted {
        records.push(Record::TopicMarkedForDeletion {
            topic: topic.name.clone(),
        });
    }
    let response = Response::Deleted(DeletedTopic {
        name: topic.name.to_string(),
        topic_id: topic.topic_id,
    });
    Ok(Decision {
        records,
        told: deletion_effects(state, topic),
        response,
    })
}

/// Out of the metadata caches first, then the logs.
pub(crate) fn deletion_effects(state: &ControllerState, topic: &Topic) -> Told {
    let marked = Topic {
        is_being_deleted: true,
        ..topic.clone()
    };
    let hidden = state.topic_state(&marked, topic.partitions.keys().copied(), false);
    let mut told = state.tell_all(vec![hidden]);
    for broker in state.brokers() {
        let id = broker.registration.id;
        if let Some(stop) = stop_to_delete(state, topic, id) {
            told.push(state.controller_id(), id, stop);
        }
    }
    told
}

/// What a broker deletes of a topic; `None` where it holds nothing of it.
pub(crate) fn stop_to_delete(state: &ControllerState, topic: &Topic, broker: BrokerId) -> Option<Effect> {
    let held = topic
        .partitions
        .iter()
        .filter(|(_, known)| known.assignment.replicas.contains(&broker));
    let stop = |(&partition, known): (&i32, &Partition)| StopReplicaPartition {
        topic: topic.name.clone(),
        topic_id: topic.topic_id,
        partition,
        leader_epoch: known
            .leader_and_isr
            .as_ref()
            .map_or(LeaderEpoch(0), |written| written.leader_epoch),
    };
    let partitions: Vec<StopReplicaPartition> = held.map(stop).collect();
    (!partitions.is_empty()).then(|| Effect::StopReplica {
        controller_epoch: state.controller_epoch(),
        delete: true,
        partitions,
    })
}

pub(crate) fn finish_deletion(state: &ControllerState, name: &Arc<str>) -> Decision {
    let mut decision = Decision::answer(Response::None);
    // Two requests may have deleted the topic, and a third may have created it again since.
    let is_gone = |topic: &Topic| topic.is_being_deleted && state.is_deleted_everywhere(topic);
    if state.topic(name).is_some_and(is_gone) {
        decision.records.push(Record::TopicRemoved { topic: name.clone() });
    }
    decision
}

/// A topic that exists and stays.
fn existing<'a>(state: &'a ControllerState, name: &str) -> Result<&'a Topic, Rejection> {
    let topic = state.topic(name).filter(|topic| !topic.is_being_deleted);
    topic.ok_or_else(|| Rejection::UnknownTopic { topic: name.to_owned() })
}

pub(crate) fn add_partitions(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    asked: &NewPartitions,
    validate_only: bool,
) -> Result<Decision, Rejection> {
    if state.topic(&asked.topic).is_some_and(|topic| topic.is_being_deleted) {
        return Err(Rejection::TopicQueuedForDeletion {
            topic: asked.topic.clone(),
        });
    }
    let topic = existing(state, &asked.topic)?;
    if topic
        .partitions
        .values()
        .any(|partition| partition.assignment.is_being_reassigned())
    {
        return Err(Rejection::ReassignmentInProgress {
            topic: asked.topic.clone(),
        });
    }
    let current = topic.partitions.len() as i32;
    let increase = asked.count.saturating_sub(current);
    if increase <= 0 {
        let (topic, requested) = (asked.topic.clone(), asked.count);
        return Err(Rejection::PartitionsNotIncreased {
            topic,
            current,
            requested,
        });
    }
    refuse_too_many(state, policy, increase as usize)?;
    let first_replicas = topic
        .partitions
        .get(&0)
        .map(|partition| partition.assignment.replicas.as_slice());
    let first_replicas = first_replicas.unwrap_or_default();
    let added = match &asked.assignments {
        Some(explicit) => {
            validate_added(state, explicit, increase, current, first_replicas.len())?;
            explicit.clone()
        }
        None => place_added(state, first_replicas, increase, current)?,
    };
    if validate_only {
        return Ok(Decision::answer(Response::Changed));
    }
    let assignments = (current..).zip(added).collect();
    Ok(start_partitions(
        state,
        topic.clone(),
        assignments,
        topic.version + 1,
        Response::Changed,
    ))
}

/// Placement goes on from where the topic began.
fn place_added(
    state: &ControllerState,
    first_replicas: &[BrokerId],
    increase: i32,
    current: i32,
) -> Result<Vec<Vec<BrokerId>>, Rejection> {
    let candidates = state.candidates();
    let head = first_replicas.first().copied().unwrap_or_default();
    let index = candidates
        .iter()
        .position(|candidate| candidate.id >= head)
        .unwrap_or(0) as u32;
    replicas::assign(
        &candidates,
        increase,
        first_replicas.len() as i32,
        Start { index, shift: index },
        current,
    )
}

fn validate_added(
    state: &ControllerState,
    explicit: &[Vec<BrokerId>],
    increase: i32,
    current: i32,
    expected: usize,
) -> Result<(), InvalidReplicaAssignment> {
    refuse_unknown_brokers(state, explicit.iter())?;
    if explicit.len() != increase as usize {
        return Err(InvalidReplicaAssignment::WrongCount {
            increase,
            assignments: explicit.len(),
        });
    }
    for (partition, replicas) in (current..).zip(explicit) {
        validate_replicas(partition, replicas)?;
    }
    match (current..)
        .zip(explicit)
        .find(|(_, replicas)| replicas.len() != expected)
    {
        Some((partition, replicas)) => Err(InvalidReplicaAssignment::OtherReplicationFactor {
            expected,
            partition,
            found: replicas.len(),
        }),
        None => Ok(()),
    }
}

pub(crate) fn alter_configs(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    change: TopicConfigChange,
    validate_only: bool,
    now_ms: i64,
) -> Result<Decision, Rejection> {
    let topic = existing(state, &change.topic)?;
    if change.expected.is_some_and(|expected| expected != *topic.configs) {
        return Err(Rejection::ConfigsChanged { topic: change.topic });
    }
    policy
        .validate_configs(&change.topic, &change.configs)
        .map_err(|message| Rejection::InvalidConfig { message })?;
    if validate_only {
        return Ok(Decision::answer(Response::Changed));
    }
    let (name, configs) = (topic.name.clone(), Arc::new(change.configs));
    let version = topic.configs_version.map_or(0, |version| version + 1);
    let obsolete = config_changes::purge(state, now_ms, config_changes::PURGED_WITH_A_NEW_ONE);
    let changed = [
        Record::TopicConfigs {
            topic: name.clone(),
            configs: configs.clone(),
            version,
        },
        Record::ConfigChange {
            entity_path: format!("topics/{name}"),
        },
    ];
    let mut records: Vec<Record> = changed.into_iter().chain(obsolete).collect();
    let mut told = Told::own(vec![Effect::TopicConfigChanged {
        topic: name,
        configs: configs.clone(),
    }]);
    if policy.unclean_leader_election_enable(&configs) {
        let now = Topic {
            configs,
            ..topic.clone()
        };
        let elected = broker_lifecycle::elect_offline(state, policy, &now);
        records.extend(elected.records);
        told.append(elected.told);
    }
    Ok(Decision {
        records,
        told,
        response: Response::Changed,
    })
}
