//! A leader wants another ISR (KIP-497): the checks of Kafka's `KafkaController.alterPartitions`, in their order, with KIP-841 and KIP-903.

use std::collections::BTreeSet;

use crate::broker_lifecycle::with_only;
use crate::core::{Decision, Response};
use crate::effects::{LeaderRecoveryState, Told};
use crate::ids::BrokerId;
use crate::partitions::{LeaderAndIsr, Partition, Topic};
use crate::rejection::Rejection;
use crate::requests::{AlteredPartition, IsrChange, TopicRef};
use crate::state::{ControllerState, Record};

pub(crate) fn alter(state: &ControllerState, broker: BrokerId, change: &IsrChange) -> Result<Decision, Rejection> {
    let topic = find(state, &change.topic)?;
    let partition = topic.partitions.get(&change.partition);
    let unknown = || Rejection::UnknownPartition {
        topic: topic.name.to_string(),
        partition: change.partition,
    };
    let partition = partition.ok_or_else(unknown)?;
    let current = partition.leader_and_isr.as_ref().ok_or_else(unknown)?;
    if change.leader_epoch > current.leader_epoch || change.partition_epoch > current.partition_epoch {
        // The leader has heard of a later controller, and looks for that.
        return Err(Rejection::NotController);
    }
    if change.leader_epoch != current.leader_epoch {
        return Err(Rejection::FencedLeaderEpoch {
            asked: change.leader_epoch,
            current: current.leader_epoch,
        });
    }
    if current.leader != broker {
        return Err(Rejection::InvalidIsr {
            reason: format!(
                "Broker {broker} does not lead the partition; broker {} does.",
                current.leader
            ),
        });
    }
    if is_done(change, current) {
        return Ok(Decision::answer(Response::Altered(altered(current))));
    }
    if change.partition_epoch != current.partition_epoch {
        return Err(Rejection::InvalidUpdateVersion {
            asked: change.partition_epoch,
            current: current.partition_epoch,
        });
    }
    check_isr(state, partition, current, change)?;
    let next = LeaderAndIsr {
        isr: change.isr.iter().map(|(id, _)| *id).collect(),
        leader_recovery_state: change.leader_recovery_state,
        partition_epoch: current.partition_epoch.next(),
        controller_epoch: state.controller_epoch(),
        ..current.clone()
    };
    Ok(decision(state, topic, change.partition, next))
}

/// Tells a leader the state of a partition again, as what it asked for was made of another one.
pub(crate) fn remind(state: &ControllerState, broker: BrokerId, change: &IsrChange) -> Told {
    let mut told = Told::default();
    if let Ok(topic) = find(state, &change.topic) {
        let now = state.topic_state(topic, [change.partition], false);
        let held = state.held_by(broker, &[now]);
        held.into_iter()
            .for_each(|held| told.push(state.controller_id(), broker, held));
    }
    told
}

fn find<'a>(state: &'a ControllerState, asked: &TopicRef) -> Result<&'a Topic, Rejection> {
    let topic = match asked {
        TopicRef::Name(name) => state.topic(name),
        TopicRef::Id(id) => state.topic_name(id).and_then(|name| state.topic(name)),
    };
    let topic = topic.filter(|topic| !topic.is_being_deleted);
    topic.ok_or_else(|| match asked {
        TopicRef::Name(name) => Rejection::UnknownTopic { topic: name.clone() },
        TopicRef::Id(topic_id) => Rejection::UnknownTopicId { topic_id: *topic_id },
    })
}

/// Whether this is what was done already, and only the answer was lost.
fn is_done(change: &IsrChange, current: &LeaderAndIsr) -> bool {
    change.partition_epoch.next() == current.partition_epoch
        && change.leader_recovery_state == current.leader_recovery_state
        && change.isr.iter().map(|(id, _)| id).eq(&current.isr)
}

fn check_isr(
    state: &ControllerState,
    partition: &Partition,
    current: &LeaderAndIsr,
    change: &IsrChange,
) -> Result<(), Rejection> {
    let invalid = |reason: String| Rejection::InvalidIsr { reason };
    let ids: BTreeSet<BrokerId> = change.isr.iter().map(|(id, _)| *id).collect();
    if ids.len() != change.isr.len() || !ids.contains(&current.leader) {
        return Err(invalid(format!(
            "The ISR {ids:?} names a broker twice or lacks the leader {}.",
            current.leader
        )));
    }
    if let Some(other) = ids.iter().find(|id| !partition.assignment.replicas.contains(id)) {
        return Err(invalid(format!("Broker {other} holds no replica of the partition.")));
    }
    match (change.leader_recovery_state, current.leader_recovery_state) {
        (LeaderRecoveryState::Recovering, _) if ids.len() > 1 => {
            return Err(invalid("While the leader recovers it alone is in sync.".to_owned()));
        }
        (LeaderRecoveryState::Recovering, LeaderRecoveryState::Recovered) => {
            return Err(invalid(
                "A leader that has recovered does not recover again.".to_owned(),
            ));
        }
        _ => {}
    }
    let is_ineligible = |(id, seen): &&(BrokerId, Option<crate::ids::BrokerEpoch>)| {
        // Who is in sync may stay so while it stops: only those that come are looked at, but for their epochs.
        let is_new = !current.isr.contains(id);
        match state.broker(*id) {
            None => true,
            Some(live) => (is_new && state.is_shutting_down(*id)) || seen.is_some_and(|seen| seen != live.broker_epoch),
        }
    };
    let brokers: Vec<BrokerId> = change.isr.iter().filter(is_ineligible).map(|(id, _)| *id).collect();
    match brokers.is_empty() {
        true => Ok(()),
        false => Err(Rejection::IneligibleReplicas { brokers }),
    }
}

fn altered(state: &LeaderAndIsr) -> AlteredPartition {
    AlteredPartition {
        leader: state.leader,
        leader_epoch: state.leader_epoch,
        partition_epoch: state.partition_epoch,
        isr: state.isr.clone(),
        leader_recovery_state: state.leader_recovery_state,
    }
}

/// The leader hears of it by the answer, all others by their metadata.
fn decision(state: &ControllerState, topic: &Topic, number: i32, next: LeaderAndIsr) -> Decision {
    let now = with_only(topic, number, next.clone());
    Decision {
        response: Response::Altered(altered(&next)),
        told: state.tell_all(vec![state.topic_state(&now, [number], false)]),
        records: vec![Record::Partition {
            topic: topic.name.clone(),
            partition: number,
            state: next,
        }],
    }
}
