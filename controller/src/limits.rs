//! How much one request may ask for. A partition is a directory with files, and all of a request's are made in one go, while what
//! others ask for waits behind it.

use crate::rejection::Rejection;
use crate::requests::{Answers, NewPartitions, NewTopic, TopicPolicy, UNSET};
use crate::state::ControllerState;

/// How many partitions one request may add. Kafka's KRaft controller refuses more in these words
/// (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`; in 3.9 by the number of its records), its ZooKeeper mode takes any number.
pub const MAX_PARTITIONS_PER_REQUEST: usize = 10_000;

/// What a creation of topics is refused with, all of it; those count, too, that would be refused for themselves, as in Kafka.
pub(crate) fn refusal_of_creation(policy: &dyn TopicPolicy, topics: &[NewTopic]) -> Option<Rejection> {
    let partitions = |topic: &NewTopic| match (topic.assignments.len(), topic.num_partitions) {
        (0, UNSET) => usize::try_from(policy.num_partitions()).unwrap_or(0),
        (0, asked) => usize::try_from(asked).unwrap_or(0),
        (assigned, _) => assigned,
    };
    refusal(topics.iter().map(partitions))
}

/// What a request for more partitions is refused with, all of it.
pub(crate) fn refusal_of_increase(state: &ControllerState, topics: &[NewPartitions]) -> Option<Rejection> {
    let added = |asked: &NewPartitions| {
        let current = state.topic(&asked.topic)?.partitions.len();
        Some(usize::try_from(asked.count).unwrap_or(0).saturating_sub(current))
    };
    refusal(topics.iter().filter_map(added))
}

fn refusal(partitions: impl Iterator<Item = usize>) -> Option<Rejection> {
    let requested = partitions.fold(0, usize::saturating_add);
    (requested > MAX_PARTITIONS_PER_REQUEST).then_some(Rejection::TooManyPartitionsInRequest {
        requested,
        limit: MAX_PARTITIONS_PER_REQUEST,
    })
}

/// The same answer to everything that a request asks for.
pub(crate) fn refused<T>(count: usize, rejection: &Rejection) -> Answers<T> {
    (0..count).map(|_| Err(rejection.clone())).collect()
}
