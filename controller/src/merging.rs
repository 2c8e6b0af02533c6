//! Effects that wait for one broker: neighbours become one where that changes nothing for whoever applies them. A broker has work for
//! each effect that grows with all it holds, and another one gets each of them in a request of its own.

use crate::effects::{Effect, LiveBroker, PartitionState, TopicState};

/// Adds the effects of one decision to those of the decisions before it. What has to come first still does: leaders before the metadata
/// that show them, and that a broker lives before anything that names it as leader. So leaders pass metadata on their way forward only
/// where these name the same brokers.
pub(crate) fn append(batch: &mut Vec<Effect>, effects: Vec<Effect>) {
    let mut later = effects.into_iter().peekable();
    while let Some(effect) = later.next() {
        if let Some(next) = later.peek()
            && is_pair_mergeable(batch, &effect, next)
        {
            let at = batch.len() - 2;
            merge(&mut batch[at], effect);
            if let (Some(last), Some(next)) = (batch.last_mut(), later.next()) {
                merge(last, next);
            }
            continue;
        }
        match batch.last_mut() {
            Some(last) if is_mergeable(last, &effect) => merge(last, effect),
            _ => batch.push(effect),
        }
    }
}

/// Leaders and what shows them, or topics that are hidden and then deleted: both with those of their kind.
fn is_pair_mergeable(batch: &[Effect], first: &Effect, second: &Effect) -> bool {
    match (batch, first, second) {
        (
            [
                ..,
                leaders @ Effect::LeaderAndIsr { .. },
                shown @ Effect::UpdateMetadata { .. },
            ],
            Effect::LeaderAndIsr { .. },
            Effect::UpdateMetadata { .. },
        ) => is_mergeable(leaders, first) && is_mergeable(shown, second),
        (
            [
                ..,
                hidden @ Effect::UpdateMetadata { .. },
                Effect::StopReplica { delete: true, .. },
            ],
            Effect::UpdateMetadata { .. },
            Effect::StopReplica { delete: true, .. },
        ) => is_mergeable(hidden, first),
        _ => false,
    }
}

/// Whether an effect and the one right after it can be one.
fn is_mergeable(earlier: &Effect, later: &Effect) -> bool {
    match (earlier, later) {
        (Effect::LeaderAndIsr { topics, .. }, Effect::LeaderAndIsr { topics: more, .. }) => are_the_same(topics, more),
        (
            Effect::UpdateMetadata { brokers, topics, .. },
            Effect::UpdateMetadata {
                brokers: now,
                topics: more,
                ..
            },
        ) => are_registered_alike(brokers, now) && are_the_same(topics, more),
        _ => false,
    }
}

/// Whether two lists name the same registrations.
pub(crate) fn are_registered_alike(some: &[LiveBroker], others: &[LiveBroker]) -> bool {
    let registration = |broker: &LiveBroker| (broker.registration.id, broker.broker_epoch);
    some.iter().map(registration).eq(others.iter().map(registration))
}

/// Whether no topic was deleted and created again in between.
fn are_the_same(topics: &[TopicState], more: &[TopicState]) -> bool {
    more.iter()
        .all(|topic| position(topics, topic).is_none_or(|at| topics[at].topic_id == topic.topic_id))
}

fn position(topics: &[TopicState], of: &TopicState) -> Option<usize> {
    // Most often it is the one before.
    topics.iter().rposition(|topic| topic.topic == of.topic)
}

fn merge(earlier: &mut Effect, later: Effect) {
    match (earlier, later) {
        (Effect::LeaderAndIsr { topics, .. }, Effect::LeaderAndIsr { topics: more, .. })
        | (Effect::UpdateMetadata { topics, .. }, Effect::UpdateMetadata { topics: more, .. }) => {
            more.into_iter().for_each(|topic| merge_topic(topics, topic));
        }
        (Effect::StopReplica { partitions, .. }, Effect::StopReplica { partitions: more, .. }) => {
            partitions.extend(more);
        }
        (earlier, later) => unreachable!("{later:?} is not merged with {earlier:?}"),
    }
}

fn merge_topic(topics: &mut Vec<TopicState>, later: TopicState) {
    let Some(at) = position(topics, &later) else {
        return topics.push(later);
    };
    let topic = &mut topics[at];
    topic.configs = later.configs;
    for partition in later.partitions {
        merge_partition(&mut topic.partitions, partition);
    }
}

/// The later state holds; but a log that may be made new may be so still.
fn merge_partition(partitions: &mut Vec<PartitionState>, later: PartitionState) {
    match partitions.binary_search_by_key(&later.partition, |known| known.partition) {
        Ok(at) => {
            let is_new = partitions[at].is_new || later.is_new;
            partitions[at] = PartitionState { is_new, ..later };
        }
        Err(at) => partitions.insert(at, later),
    }
}

#[cfg(test)]
#[path = "merging_tests.rs"]
mod tests;
