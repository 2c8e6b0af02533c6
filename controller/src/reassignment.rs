//! Other replicas for a partition (KIP-455; Kafka's `KafkaController.onPartitionReassignment`): first all that are wanted are added to
//! those there are, and when each of them is in sync those that are not wanted go.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker_lifecycle::{elected_records, with};
use crate::core::{Decision, Response};
use crate::effects::{Effect, StopReplicaPartition, Told};
use crate::ids::{BrokerId, LeaderEpoch, NO_LEADER};
use crate::partitions::{LeaderAndIsr, Partition, ReplicaAssignment, Topic};
use crate::rejection::{InvalidReplicaAssignment, Rejection};
use crate::requests::{OngoingReassignment, Reassignment};
use crate::state::{ControllerState, Record};

impl ReplicaAssignment {
    /// The replicas before a reassignment began.
    fn origin(&self) -> Vec<BrokerId> {
        let stays = |id: &BrokerId| !self.adding_replicas.contains(id);
        self.replicas.iter().copied().filter(stays).collect()
    }

    /// The replicas when it is through.
    fn target(&self) -> Vec<BrokerId> {
        let stays = |id: &BrokerId| !self.removing_replicas.contains(id);
        self.replicas.iter().copied().filter(stays).collect()
    }

    /// All replicas while those that there were become these.
    fn towards(&self, target: &[BrokerId]) -> ReplicaAssignment {
        let origin = self.origin();
        let mut replicas = target.to_vec();
        replicas.extend(origin.iter().filter(|id| !target.contains(id)));
        let without = |others: &[BrokerId]| -> Vec<BrokerId> {
            replicas.iter().copied().filter(|id| !others.contains(id)).collect()
        };
        ReplicaAssignment {
            adding_replicas: without(&origin),
            removing_replicas: without(target),
            replicas,
        }
    }
}

/// Begins, changes or takes back a reassignment.
pub(crate) fn alter(state: &ControllerState, asked: &Reassignment) -> Result<Decision, Rejection> {
    let topic = state.topic(&asked.topic).filter(|topic| !topic.is_being_deleted);
    let known = topic.and_then(|topic| Some((topic, topic.partitions.get(&asked.partition)?)));
    let current = known
        .map(|(_, partition)| partition.assignment.clone())
        .unwrap_or_default();
    let next = match &asked.replicas {
        Some(target) => {
            validate(state, asked.partition, target, &current)?;
            current.towards(target)
        }
        None if current.is_being_reassigned() => current.towards(&current.origin()),
        None => {
            return Err(Rejection::NoReassignmentInProgress {
                topic: asked.topic.clone(),
                partition: asked.partition,
            });
        }
    };
    let (topic, _) = known.ok_or_else(|| Rejection::UnknownPartition {
        topic: asked.topic.clone(),
        partition: asked.partition,
    })?;
    if next == current {
        return Ok(Decision::answer(Response::Changed));
    }
    Ok(begin(state, topic, asked.partition, next))
}

/// In Kafka's order; brokers that hold a replica already need not be alive.
fn validate(
    state: &ControllerState,
    partition: i32,
    target: &[BrokerId],
    current: &ReplicaAssignment,
) -> Result<(), InvalidReplicaAssignment> {
    if target.is_empty() {
        return Err(InvalidReplicaAssignment::NoReplicas { partition });
    }
    if target.iter().collect::<BTreeSet<_>>().len() != target.len() {
        return Err(InvalidReplicaAssignment::DuplicateBrokers {
            partition,
            replicas: target.to_vec(),
        });
    }
    let added = current.towards(target).adding_replicas;
    let brokers: Vec<BrokerId> = added.into_iter().filter(|&id| !state.is_alive(id)).collect();
    match brokers.is_empty() {
        true => Ok(()),
        false => Err(InvalidReplicaAssignment::UnknownBrokers { brokers }),
    }
}

/// The new assignment is written and told in a new leader epoch, so that nobody goes on by the old one. Replicas that an earlier
/// reassignment had added and that nobody wants any more go.
fn begin(state: &ControllerState, topic: &Topic, number: i32, next: ReplicaAssignment) -> Decision {
    let mut now = topic.clone();
    let before = now.partitions.get(&number).cloned().unwrap_or_default();
    let dropped: Vec<BrokerId> = before
        .assignment
        .replicas
        .iter()
        .copied()
        .filter(|id| !next.replicas.contains(id))
        .collect();
    if let Some(partition) = now.partitions.get_mut(&number) {
        partition.assignment = next;
        if let Some(current) = &before.leader_and_isr {
            let stays = |id: &BrokerId| !dropped.contains(id);
            let isr: Vec<BrokerId> = current.isr.iter().copied().filter(stays).collect();
            let is_online = |id: &BrokerId| state.is_online(*id, &topic.name, number);
            // Who leads may be one of those that nobody wants any more.
            let leader = match stays(&current.leader) {
                true => current.leader,
                false => isr.iter().copied().find(is_online).unwrap_or(NO_LEADER),
            };
            let isr = if isr.is_empty() { current.isr.clone() } else { isr };
            partition.leader_and_isr = Some(current.next(leader, isr, state.controller_epoch()));
        }
    }
    match progress(state, &now, number) {
        Some(completed) => finish(state, &now, number, completed, &before),
        None => written(state, topic, &now, number, &before, dropped),
    }
}

/// What a reassignment comes to now that its ISR has changed; `None` while replicas are not in sync yet, or where there is none.
pub(crate) fn advance(state: &ControllerState, name: &str, number: i32) -> Option<Decision> {
    let topic = state.topic(name).filter(|topic| !topic.is_being_deleted)?;
    let completed = progress(state, topic, number)?;
    let before = topic.partitions.get(&number)?.clone();
    Some(finish(state, topic, number, completed, &before))
}

/// The partition as it is when all that are wanted are in sync.
fn progress(state: &ControllerState, topic: &Topic, number: i32) -> Option<Partition> {
    let partition = topic.partitions.get(&number)?;
    let current = partition.leader_and_isr.as_ref()?;
    let target = partition.assignment.target();
    if !partition.assignment.is_being_reassigned() || !target.iter().all(|id| current.isr.contains(id)) {
        return None;
    }
    let is_online = |id: &BrokerId| state.is_online(*id, &topic.name, number);
    let leader = match target.contains(&current.leader) && state.is_held(current.leader, &topic.name, number) {
        true => current.leader,
        // All of them are in sync: the first that is online leads.
        false => target.iter().copied().find(is_online)?,
    };
    let isr = current.isr.iter().copied().filter(|id| target.contains(id)).collect();
    Some(Partition {
        assignment: ReplicaAssignment::settled(target),
        leader_and_isr: Some(current.next(leader, isr, state.controller_epoch())),
    })
}

fn finish(state: &ControllerState, topic: &Topic, number: i32, completed: Partition, before: &Partition) -> Decision {
    let mut now = topic.clone();
    let stays = completed.assignment.replicas.clone();
    now.partitions.insert(number, completed);
    let all = before.assignment.replicas.iter().copied();
    let dropped: Vec<BrokerId> = all.filter(|id| !stays.contains(id)).collect();
    written(state, topic, &now, number, before, dropped)
}

/// What is written and told of a partition's new assignment and state.
fn written(
    state: &ControllerState,
    topic: &Topic,
    now: &Topic,
    number: i32,
    before: &Partition,
    dropped: Vec<BrokerId>,
) -> Decision {
    let assignments = now
        .partitions
        .iter()
        .map(|(number, partition)| (*number, partition.assignment.clone()));
    let mut records = vec![Record::Topic {
        topic: topic.name.clone(),
        topic_id: topic.topic_id,
        assignments: assignments.collect(),
        version: state.topic(&topic.name).map_or(0, |known| known.version + 1),
    }];
    let next = now
        .partitions
        .get(&number)
        .and_then(|partition| partition.leader_and_isr.clone());
    let leader_epoch = next.as_ref().map_or(LeaderEpoch(0), |next| next.leader_epoch);
    // Both steps of one decision are one write.
    let next = next.map(|next| LeaderAndIsr {
        leader_epoch: before
            .leader_and_isr
            .as_ref()
            .map_or(next.leader_epoch, |it| it.leader_epoch.next()),
        partition_epoch: before
            .leader_and_isr
            .as_ref()
            .map_or(next.partition_epoch, |it| it.partition_epoch.next()),
        ..next
    });
    let changed: BTreeMap<i32, LeaderAndIsr> = next.map(|next| (number, next)).into_iter().collect();
    let told_topic = with(now, &changed);
    records.extend(elected_records(&topic.name, changed));
    let mut told = state.tell_partitions(vec![state.topic_state(&told_topic, [number], false)]);
    let replicas = now
        .partitions
        .get(&number)
        .map_or(&[][..], |now| &now.assignment.replicas);
    for id in replicas.iter().filter(|id| !before.assignment.replicas.contains(id)) {
        replica_is_new(told.to(state.controller_id(), *id));
    }
    for id in dropped.into_iter().filter(|id| state.is_alive(*id)) {
        let stop = Effect::StopReplica {
            controller_epoch: state.controller_epoch(),
            delete: true,
            partitions: vec![StopReplicaPartition {
                topic: topic.name.clone(),
                topic_id: topic.topic_id,
                partition: number,
                leader_epoch,
            }],
        };
        let mut stopped = Told::default();
        stopped.push(state.controller_id(), id, stop);
        told.append(stopped);
    }
    Decision {
        records,
        told,
        response: Response::Changed,
    }
}

/// A broker that is told of one partition has not had a log of it (Kafka's state `NewReplica`).
fn replica_is_new(told: &mut [Effect]) {
    for effect in told {
        if let Effect::LeaderAndIsr { topics, .. } = effect {
            let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|partition| partition.is_new = true);
        }
    }
}

/// The partitions that are being reassigned.
pub(crate) fn ongoing(state: &ControllerState) -> impl Iterator<Item = OngoingReassignment> + '_ {
    let topics = state.topics().filter(|topic| !topic.is_being_deleted);
    topics.flat_map(|topic| {
        let partitions = topic.partitions.iter();
        let changing = partitions.filter(|(_, partition)| partition.assignment.is_being_reassigned());
        changing.map(|(number, partition)| OngoingReassignment {
            topic: topic.name.clone(),
            partition: *number,
            replicas: partition.assignment.replicas.clone(),
            adding: partition.assignment.adding_replicas.clone(),
            removing: partition.assignment.removing_replicas.clone(),
        })
    })
}
