//! A broker is about to stop: others lead in its place (Kafka's `KafkaController.doControlledShutdown`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::broker_lifecycle::{elected_records, with};
use crate::core::{Decision, Response};
use crate::effects::{Effect, StopReplicaPartition, Told, TopicState};
use crate::election;
use crate::ids::BrokerId;
use crate::partitions::{LeaderAndIsr, Partition, Topic};
use crate::state::{ControllerState, Record};

/// Moves what the broker leads to another replica in sync, takes it out of the ISRs, and stops its replicas that follow. What nobody
/// else can lead remains with it.
pub(crate) fn hand_over(state: &ControllerState, broker: BrokerId) -> Decision {
    let mut records: Vec<Record> = Vec::new();
    let mut states: Vec<TopicState> = Vec::new();
    let mut stopped: Vec<StopReplicaPartition> = Vec::new();
    let mut remaining: Vec<(Arc<str>, i32)> = Vec::new();
    for topic in state.topics().filter(|topic| !topic.is_being_deleted) {
        let mut changed: BTreeMap<i32, LeaderAndIsr> = BTreeMap::new();
        for (&number, partition) in &topic.partitions {
            let Some(current) = &partition.leader_and_isr else {
                continue;
            };
            if !partition.assignment.replicas.contains(&broker) || partition.assignment.replicas.len() == 1 {
                continue;
            }
            let next = without(state, topic, number, partition, current, broker);
            let leader_epoch = next.as_ref().unwrap_or(current).leader_epoch;
            changed.extend(next.map(|next| (number, next)));
            if current.leader == broker && !changed.contains_key(&number) {
                remaining.push((topic.name.clone(), number));
            } else {
                stopped.push(StopReplicaPartition {
                    topic: topic.name.clone(),
                    topic_id: topic.topic_id,
                    partition: number,
                    leader_epoch,
                });
            }
        }
        if !changed.is_empty() {
            states.push(state.topic_state(&with(topic, &changed), changed.keys().copied(), false));
            records.extend(elected_records(&topic.name, changed));
        }
    }
    Decision {
        records,
        told: told(state, broker, states, stopped),
        response: Response::Remaining(remaining),
    }
}

/// The partition's next state, if it can do without the broker.
fn without(
    state: &ControllerState,
    topic: &Topic,
    number: i32,
    partition: &Partition,
    current: &LeaderAndIsr,
    broker: BrokerId,
) -> Option<LeaderAndIsr> {
    let is_online = |replica: BrokerId| replica != broker && state.is_online(replica, &topic.name, number);
    if current.leader == broker {
        return election::offline_leader(
            &partition.assignment.replicas,
            current,
            &is_online,
            false,
            state.controller_epoch(),
        );
    }
    let isr: Vec<BrokerId> = current.isr.iter().copied().filter(|id| *id != broker).collect();
    let leaves = isr.len() < current.isr.len() && !isr.is_empty();
    leaves.then(|| current.next(current.leader, isr, state.controller_epoch()))
}

/// The one that stops hears what it has to stop, with the epochs that hold now, the others what they lead and follow in.
fn told(
    state: &ControllerState,
    broker: BrokerId,
    states: Vec<TopicState>,
    stopped: Vec<StopReplicaPartition>,
) -> Told {
    let mut told = Told::default();
    if states.is_empty() && stopped.is_empty() {
        return told;
    }
    for live in state.brokers() {
        let id = live.registration.id;
        let effect = match id == broker {
            true => None,
            false => state.held_by(id, &states),
        };
        effect
            .into_iter()
            .for_each(|effect| told.push(state.controller_id(), id, effect));
    }
    if !stopped.is_empty() {
        let stop = Effect::StopReplica {
            controller_epoch: state.controller_epoch(),
            delete: false,
            partitions: stopped,
        };
        told.push(state.controller_id(), broker, stop);
    }
    told.append(state.tell_all(states));
    told
}
