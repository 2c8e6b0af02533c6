//! AlterPartition as a message, at both ends.

use std::sync::Arc;

use controller::ids::BrokerId;
use controller::{
    AlterPartitions, AlteredPartition, BrokerEpoch, IsrChange, LeaderEpoch, LeaderRecoveryState, PartitionEpoch,
    TopicRef,
};
use protocol::ErrorCode;
use protocol::messages::alter_partition::{
    AlterPartitionRequest, AlterPartitionRequestPartitionData, AlterPartitionRequestTopicData, AlterPartitionResponse,
    AlterPartitionResponsePartitionData, AlterPartitionResponseTopicData, BrokerState,
};
use protocol::wire::{TopicId, Utf8Bytes};

/// The first version that names topics by id.
const TOPIC_IDS: i16 = 2;
/// The first version that says which broker epochs the leader has seen.
const BROKER_EPOCHS: i16 = 3;

/// The name of a topic by its id.
pub type NameOf<'a> = &'a dyn Fn(TopicId) -> Option<Arc<str>>;

pub(super) fn recovery_state(number: i8) -> LeaderRecoveryState {
    match number {
        1 => LeaderRecoveryState::Recovering,
        _ => LeaderRecoveryState::Recovered,
    }
}

pub(super) fn recovery_number(state: LeaderRecoveryState) -> i8 {
    match state {
        LeaderRecoveryState::Recovered => 0,
        LeaderRecoveryState::Recovering => 1,
    }
}

/// The request; `None` where a topic has no name yet and the version asks for one.
pub fn request(
    broker: BrokerId,
    broker_epoch: BrokerEpoch,
    version: i16,
    changes: &[IsrChange],
    name_of: NameOf<'_>,
) -> Option<AlterPartitionRequest> {
    let mut topics: Vec<AlterPartitionRequestTopicData> = Vec::new();
    for change in changes {
        let (topic_name, topic_id) = named(&change.topic, version, name_of)?;
        let place = topics
            .iter()
            .position(|topic| topic.topic_name == topic_name && topic.topic_id == topic_id);
        let place = place.unwrap_or_else(|| {
            topics.push(AlterPartitionRequestTopicData {
                topic_name,
                topic_id,
                ..Default::default()
            });
            topics.len() - 1
        });
        topics[place].partitions.push(partition(change, version));
    }
    Some(AlterPartitionRequest {
        broker_id: broker,
        broker_epoch: broker_epoch.0,
        topics,
    })
}

fn named(topic: &TopicRef, version: i16, name_of: NameOf<'_>) -> Option<(Utf8Bytes, TopicId)> {
    match topic {
        TopicRef::Id(id) if version >= TOPIC_IDS => Some((Utf8Bytes::default(), *id)),
        TopicRef::Id(id) => Some((Utf8Bytes::from(&*name_of(*id)?), TopicId::ZERO)),
        TopicRef::Name(name) => Some((Utf8Bytes::from(name.clone()), TopicId::ZERO)),
    }
}

fn partition(change: &IsrChange, version: i16) -> AlterPartitionRequestPartitionData {
    let mut partition = AlterPartitionRequestPartitionData {
        partition_index: change.partition,
        leader_epoch: change.leader_epoch.0,
        leader_recovery_state: if version >= 1 {
            recovery_number(change.leader_recovery_state)
        } else {
            0
        },
        partition_epoch: change.partition_epoch.0,
        ..Default::default()
    };
    if version >= BROKER_EPOCHS {
        let state = |(broker_id, epoch): &(BrokerId, Option<BrokerEpoch>)| BrokerState {
            broker_id: *broker_id,
            broker_epoch: epoch.map_or(-1, |epoch| epoch.0),
        };
        partition.new_isr_with_epochs = change.isr.iter().map(state).collect();
    } else {
        partition.new_isr = change.isr.iter().map(|(id, _)| *id).collect();
    }
    partition
}

/// What each change was answered.
pub fn answers(
    changes: &[IsrChange],
    response: &AlterPartitionResponse,
    name_of: NameOf<'_>,
) -> Vec<Result<AlteredPartition, ErrorCode>> {
    let is_of = |topic: &AlterPartitionResponseTopicData, change: &IsrChange| match &change.topic {
        TopicRef::Id(id) => {
            topic.topic_id == *id || (topic.topic_id.is_zero() && name_of(*id).is_some_and(|n| *n == *topic.topic_name))
        }
        TopicRef::Name(name) => *topic.topic_name == **name,
    };
    let answer = |change: &IsrChange| {
        let topics = response.topics.iter().filter(|topic| is_of(topic, change));
        let mut partitions = topics.flat_map(|topic| &topic.partitions);
        let found = partitions.find(|partition| partition.partition_index == change.partition);
        match found {
            Some(found) if found.error_code == ErrorCode::NONE => Ok(AlteredPartition {
                leader: found.leader_id,
                leader_epoch: LeaderEpoch(found.leader_epoch),
                partition_epoch: PartitionEpoch(found.partition_epoch),
                isr: found.isr.clone(),
                leader_recovery_state: recovery_state(found.leader_recovery_state),
            }),
            Some(found) => Err(found.error_code),
            None => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    };
    changes.iter().map(answer).collect()
}

/// What a request asks for.
pub fn asked(version: i16, request: &AlterPartitionRequest) -> AlterPartitions {
    let mut changes = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let isr = match version >= BROKER_EPOCHS {
                true => partition
                    .new_isr_with_epochs
                    .iter()
                    .map(|state| {
                        (
                            state.broker_id,
                            (state.broker_epoch >= 0).then_some(BrokerEpoch(state.broker_epoch)),
                        )
                    })
                    .collect(),
                false => partition.new_isr.iter().map(|id| (*id, None)).collect(),
            };
            changes.push(IsrChange {
                topic: match version >= TOPIC_IDS {
                    true => TopicRef::Id(topic.topic_id),
                    false => TopicRef::Name(topic.topic_name.to_string()),
                },
                partition: partition.partition_index,
                leader_epoch: LeaderEpoch(partition.leader_epoch),
                partition_epoch: PartitionEpoch(partition.partition_epoch),
                isr,
                leader_recovery_state: recovery_state(partition.leader_recovery_state),
            });
        }
    }
    AlterPartitions {
        broker: request.broker_id,
        broker_epoch: BrokerEpoch(request.broker_epoch),
        changes,
    }
}

/// The answer to a request, of which each partition has one, in the request's order.
pub fn response(
    request: &AlterPartitionRequest,
    answers: impl IntoIterator<Item = Result<AlteredPartition, ErrorCode>>,
) -> AlterPartitionResponse {
    let mut answers = answers.into_iter();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let partitions = topic.partitions.iter().zip(answers.by_ref());
        let partitions = partitions.map(|(asked, answer)| match answer {
            Ok(altered) => AlterPartitionResponsePartitionData {
                partition_index: asked.partition_index,
                leader_id: altered.leader,
                leader_epoch: altered.leader_epoch.0,
                isr: altered.isr,
                leader_recovery_state: recovery_number(altered.leader_recovery_state),
                partition_epoch: altered.partition_epoch.0,
                ..Default::default()
            },
            Err(error_code) => AlterPartitionResponsePartitionData {
                partition_index: asked.partition_index,
                error_code,
                ..Default::default()
            },
        });
        topics.push(AlterPartitionResponseTopicData {
            topic_name: topic.topic_name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
        });
    }
    AlterPartitionResponse {
        topics,
        ..Default::default()
    }
}
