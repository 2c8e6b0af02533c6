//! Brokers come and go: who leads in their place, and what everybody hears of it (Kafka's `KafkaController.onBrokerStartup` and
//! `onBrokerFailure`).

use std::collections::{BTreeMap, BTreeSet};

use crate::broker_lifecycle::{elect, elected_records, with};
use crate::core::{Decision, Response};
use crate::effects::{Told, TopicState};
use crate::ids::{BrokerId, NO_LEADER};
use crate::partitions::{LeaderAndIsr, Topic};
use crate::requests::TopicPolicy;
use crate::state::{ControllerState, Record};
use crate::topics;

/// Brokers have registered. Everybody hears first that they live, as who does not know a leader does not follow it; the new ones what
/// they lead and follow in, and all there is; the others what has changed: partitions that had no leader may have one now.
pub(crate) fn came(state: &ControllerState, policy: &dyn TopicPolicy, brokers: &[BrokerId]) -> Decision {
    let came: BTreeSet<BrokerId> = brokers.iter().copied().collect();
    let mut records: Vec<Record> = Vec::new();
    let (mut all, mut changed): (Vec<TopicState>, Vec<TopicState>) = Default::default();
    for topic in state.topics().filter(|topic| !topic.is_being_deleted) {
        let elected = elect(state, policy, topic, topic.partitions.keys().copied());
        let now = with(topic, &elected);
        all.push(state.topic_state(&now, topic.partitions.keys().copied(), false));
        // Of partitions that have a replica there it has changed which ones are offline.
        let is_touched = |number: &i32| elected.contains_key(number) || holds_any(topic, *number, &came);
        let touched: Vec<i32> = topic.partitions.keys().copied().filter(is_touched).collect();
        if !touched.is_empty() {
            changed.push(state.topic_state(&now, touched, false));
        }
        records.extend(elected_records(&topic.name, elected));
    }
    let own = state.controller_id();
    let mut told = state.tell_all(Vec::new());
    for broker in state.brokers() {
        let id = broker.registration.id;
        let (held, shown) = if came.contains(&id) {
            (&all, &all)
        } else {
            (&changed, &changed)
        };
        let held = state.held_by(id, held);
        held.into_iter().for_each(|held| told.push(own, id, held));
        if !shown.is_empty() {
            told.push(own, id, state.update_metadata(shown.clone()));
        }
    }
    for topic in state.topics().filter(|topic| topic.is_being_deleted) {
        for &id in &came {
            let stop = topics::stop_to_delete(state, topic, id);
            stop.into_iter().for_each(|stop| told.push(own, id, stop));
        }
    }
    Decision {
        records,
        told,
        response: Response::None,
    }
}

fn holds_any(topic: &Topic, number: i32, brokers: &BTreeSet<BrokerId>) -> bool {
    let partition = topic.partitions.get(&number);
    partition.is_some_and(|it| it.assignment.replicas.iter().any(|replica| brokers.contains(replica)))
}

/// Registrations are gone: others lead where somebody can, and who is gone leaves the ISRs.
pub(crate) fn gone(state: &ControllerState, policy: &dyn TopicPolicy, brokers: &[BrokerId]) -> Decision {
    let gone: BTreeSet<BrokerId> = brokers.iter().copied().collect();
    let mut records = Vec::new();
    let (mut held, mut shown): (Vec<TopicState>, Vec<TopicState>) = Default::default();
    for topic in state.topics().filter(|topic| !topic.is_being_deleted) {
        let touched: Vec<i32> = topic
            .partitions
            .keys()
            .copied()
            .filter(|number| holds_any(topic, *number, &gone))
            .collect();
        if touched.is_empty() {
            continue;
        }
        let next = without_lost(state, policy, topic, &touched);
        let now = with(topic, &next);
        if !next.is_empty() {
            held.push(state.topic_state(&now, next.keys().copied(), false));
        }
        shown.push(state.topic_state(&now, touched, false));
        records.extend(elected_records(&topic.name, next));
    }
    let mut told = Told::default();
    for broker in state.brokers() {
        let id = broker.registration.id;
        let held = state.held_by(id, &held);
        held.into_iter()
            .for_each(|held| told.push(state.controller_id(), id, held));
    }
    told.append(state.tell_all(shown));
    Decision {
        records,
        told,
        response: Response::None,
    }
}

/// The states of these partitions that change as replicas are lost, with their brokers or their log directories (Kafka's state
/// `OfflineReplica`): others lead where somebody can, and who is lost leaves the ISR. Where nobody can lead the last ISR stays, as its
/// members may lead again; in a new epoch, as what they have then may be less than they had.
pub(crate) fn without_lost(
    state: &ControllerState,
    policy: &dyn TopicPolicy,
    topic: &Topic,
    numbers: &[i32],
) -> BTreeMap<i32, LeaderAndIsr> {
    let mut next = elect(state, policy, topic, numbers.iter().copied());
    for &number in numbers {
        let partition = topic.partitions.get(&number);
        let Some(current) = partition.and_then(|partition| partition.leader_and_isr.as_ref()) else {
            continue;
        };
        if next.contains_key(&number) {
            continue;
        }
        let is_held = |id: &BrokerId| state.is_held(*id, &topic.name, number);
        let stays: Vec<BrokerId> = current.isr.iter().copied().filter(is_held).collect();
        let changed = match is_held(&current.leader) {
            true if stays.len() < current.isr.len() => Some((current.leader, stays)),
            true => None,
            false if current.leader == NO_LEADER => None,
            false => Some((NO_LEADER, current.isr.clone())),
        };
        if let Some((leader, isr)) = changed {
            next.insert(number, current.next(leader, isr, state.controller_epoch()));
        }
    }
    next
}
