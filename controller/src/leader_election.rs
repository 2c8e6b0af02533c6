//! Elections that somebody asks for (KIP-183, KIP-460), and those that give leadership back to preferred replicas from time to time
//! (Kafka's `KafkaController.processReplicaLeaderElection` and `checkAndTriggerAutoLeaderRebalance`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::broker_lifecycle::{elected_records, with_only};
use crate::core::{Decision, Response};
use crate::election;
use crate::ids::BrokerId;
use crate::partitions::{LeaderAndIsr, Partition, Topic};
use crate::rejection::Rejection;
use crate::state::ControllerState;

/// Elects the preferred leader of a partition, or with `unclean` whoever is online where nobody leads.
pub(crate) fn elect(state: &ControllerState, name: &str, number: i32, unclean: bool) -> Result<Decision, Rejection> {
    let unknown = || Rejection::UnknownPartition {
        topic: name.to_owned(),
        partition: number,
    };
    let topic = state.topic(name).ok_or_else(unknown)?;
    if topic.is_being_deleted {
        return Err(Rejection::TopicQueuedForDeletion { topic: name.to_owned() });
    }
    let partition = topic.partitions.get(&number).ok_or_else(unknown)?;
    let current = partition.leader_and_isr.as_ref().ok_or_else(unknown)?;
    let next = match unclean {
        true => unclean_leader(state, topic, number, partition, current)?,
        false => preferred_leader(state, topic, number, partition, current)?,
    };
    let now = with_only(topic, number, next.clone());
    Ok(Decision {
        told: state.tell_partitions(vec![state.topic_state(&now, [number], false)]),
        records: elected_records(&topic.name, BTreeMap::from([(number, next)])).collect(),
        response: Response::Changed,
    })
}

fn preferred_leader(
    state: &ControllerState,
    topic: &Topic,
    number: i32,
    partition: &Partition,
    current: &LeaderAndIsr,
) -> Result<LeaderAndIsr, Rejection> {
    let preferred = partition.assignment.replicas.first().copied().unwrap_or(current.leader);
    if current.leader == preferred {
        return Err(Rejection::ElectionNotNeeded);
    }
    if !can_lead(state, topic, number, current, preferred) {
        return Err(Rejection::PreferredLeaderNotAvailable { preferred });
    }
    Ok(current.next(preferred, current.isr.clone(), state.controller_epoch()))
}

fn can_lead(state: &ControllerState, topic: &Topic, number: i32, current: &LeaderAndIsr, replica: BrokerId) -> bool {
    current.isr.contains(&replica) && state.is_online(replica, &topic.name, number)
}

fn unclean_leader(
    state: &ControllerState,
    topic: &Topic,
    number: i32,
    partition: &Partition,
    current: &LeaderAndIsr,
) -> Result<LeaderAndIsr, Rejection> {
    if state.is_held(current.leader, &topic.name, number) {
        return Err(Rejection::ElectionNotNeeded);
    }
    let is_online = |replica: BrokerId| state.is_online(replica, &topic.name, number);
    let (replicas, epoch) = (&partition.assignment.replicas, state.controller_epoch());
    election::offline_leader(replicas, current, &is_online, true, epoch).ok_or(Rejection::EligibleLeadersNotAvailable)
}

/// What a broker is the preferred leader of.
#[derive(Default)]
struct Preferred<'a> {
    total: usize,
    /// What others lead.
    elsewhere: Vec<(&'a Topic, i32)>,
}

/// The partitions whose leadership goes back: of those brokers that are preferred for more partitions which they do not lead than
/// `percentage` allows, all that can go back.
pub(crate) fn imbalanced(state: &ControllerState, percentage: i32) -> Vec<(Arc<str>, i32)> {
    let mut by_preferred: BTreeMap<BrokerId, Preferred<'_>> = BTreeMap::new();
    for topic in state.topics().filter(|topic| !topic.is_being_deleted) {
        for (&number, partition) in &topic.partitions {
            let Some(&preferred) = partition.assignment.replicas.first() else {
                continue;
            };
            let of_broker = by_preferred.entry(preferred).or_default();
            of_broker.total += 1;
            if partition
                .leader_and_isr
                .as_ref()
                .is_some_and(|it| it.leader != preferred)
            {
                of_broker.elsewhere.push((topic, number));
            }
        }
    }
    let mut back = Vec::new();
    for (preferred, Preferred { total, elsewhere }) in by_preferred {
        let allowed = usize::try_from(percentage).unwrap_or(0) * total;
        if elsewhere.len() * 100 <= allowed {
            continue;
        }
        let can_go_back = |(topic, number): &&(&Topic, i32)| {
            let partition = topic.partitions.get(number);
            partition.is_some_and(|partition| {
                let current = partition.leader_and_isr.as_ref();
                !partition.assignment.is_being_reassigned()
                    && current.is_some_and(|current| can_lead(state, topic, *number, current, preferred))
            })
        };
        let some = elsewhere.iter().filter(can_go_back);
        back.extend(some.map(|(topic, number)| (topic.name.clone(), *number)));
    }
    back
}
