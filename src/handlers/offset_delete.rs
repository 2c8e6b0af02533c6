//! OffsetDelete (47), v0: committed offsets go, of topics that the group is not subscribed to (KIP-496). Answered when
//! that is committed.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::TopicPartition;
use crate::group::wire::{Distinct, owned};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(OffsetDelete, 0..=0, handle);

async fn handle(broker: &Arc<Broker>, _context: &RequestContext, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let exists = |topic: &str, partition| broker.metadata.contains(topic, partition);
    let Asked {
        mut topics,
        partitions,
        places,
    } = Asked::new(&request, exists);
    match broker.groups.delete_offsets(&request.group_id, &partitions).await {
        Ok(results) => {
            for ((topic, partition), result) in places.into_iter().zip(results) {
                topics[topic].partitions[partition].error_code =
                    result.err().map_or(ErrorCode::NONE, |rejection| rejection.to_code());
            }
            OffsetDeleteResponse {
                topics,
                ..Default::default()
            }
        }
        Err(rejection) => OffsetDeleteResponse {
            error_code: rejection.to_code(),
            ..Default::default()
        },
    }
}

/// What a request asks for, and the answer as far as it is known without the group.
struct Asked {
    /// Every partition is refused unless the group says something else about it.
    topics: Vec<OffsetDeleteResponseTopic>,
    /// Those that exist, each once.
    partitions: Vec<TopicPartition>,
    /// Where in `topics` each of `partitions` is answered.
    places: Vec<(usize, usize)>,
}

impl Asked {
    /// A partition that exists is answered once, as in Kafka; topics by name, in the order of the request.
    fn new(request: &OffsetDeleteRequest, exists: impl Fn(&str, i32) -> bool) -> Self {
        let mut topics: Vec<OffsetDeleteResponseTopic> = Vec::with_capacity(request.topics.len());
        let mut topic_at: HashMap<Arc<str>, usize> = HashMap::new();
        let (mut distinct, mut places) = (Distinct::default(), Vec::new());
        for topic in &request.topics {
            let name = owned(&topic.name);
            let at_topic = *topic_at.entry(name.clone()).or_insert(topics.len());
            if at_topic == topics.len() {
                topics.push(OffsetDeleteResponseTopic {
                    name: topic.name.clone(),
                    ..Default::default()
                });
            }
            let answers = &mut topics[at_topic].partitions;
            for partition in topic.partitions.iter().map(|partition| partition.partition_index) {
                if exists(&name, partition) {
                    let topic = name.clone();
                    if !distinct.insert(TopicPartition { topic, partition }, ()) {
                        continue;
                    }
                    places.push((at_topic, answers.len()));
                }
                answers.push(OffsetDeleteResponsePartition {
                    partition_index: partition,
                    error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                });
            }
        }
        let partitions = distinct.into_entries().into_iter().map(|(partition, ())| partition);
        Asked {
            topics,
            partitions: partitions.collect(),
            places,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};

    use super::*;

    #[test]
    fn a_partition_that_is_named_often_is_deleted_and_answered_once() {
        let topic = |name: &'static str, partitions: &[i32]| OffsetDeleteRequestTopic {
            name: name.into(),
            partitions: partitions
                .iter()
                .map(|&partition_index| OffsetDeleteRequestPartition { partition_index })
                .collect(),
        };
        let request = OffsetDeleteRequest {
            topics: vec![topic("t", &[0, 9, 0]), topic("u", &[1]), topic("t", &[0, 9])],
            ..Default::default()
        };
        let asked = Asked::new(&request, |_, partition| partition < 9);
        let deleted: Vec<_> = asked.partitions.iter().map(|of| (&*of.topic, of.partition)).collect();
        assert_eq!(deleted, [("t", 0), ("u", 1)]);
        assert_eq!(asked.places, [(0, 0), (1, 0)]);
        let answers = asked.topics.iter().map(|topic| {
            let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
            (&*topic.name, indexes.collect::<Vec<_>>())
        });
        // What does not exist is answered wherever it stands, as in Kafka.
        assert_eq!(answers.collect::<Vec<_>>(), [("t", vec![0, 9, 9]), ("u", vec![1])]);
    }
}
