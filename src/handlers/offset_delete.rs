//! OffsetDelete (47), v0: committed offsets go, of topics that the group is not subscribed to (KIP-496). Answered when
//! that is committed.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::TopicPartition;
use crate::group::wire::owned;
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(OffsetDelete, 0..=0, handle);

async fn handle(broker: &Arc<Broker>, _context: &RequestContext, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let mut partitions = Vec::new();
    let mut existing = Vec::new();
    // Every partition is refused unless the group says something else about it.
    let mut topics: Vec<OffsetDeleteResponseTopic> = Vec::with_capacity(request.topics.len());
    for (at_topic, topic) in request.topics.iter().enumerate() {
        let name = owned(&topic.name);
        for (at, partition) in topic
            .partitions
            .iter()
            .map(|partition| partition.partition_index)
            .enumerate()
        {
            if broker.metadata.contains(&name, partition) {
                partitions.push(TopicPartition {
                    topic: name.clone(),
                    partition,
                });
                existing.push((at_topic, at));
            }
        }
        topics.push(refused(topic));
    }
    match broker.groups.delete_offsets(&request.group_id, &partitions).await {
        Ok(results) => {
            for ((topic, partition), result) in existing.into_iter().zip(results) {
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

fn refused(topic: &OffsetDeleteRequestTopic) -> OffsetDeleteResponseTopic {
    let partition = |partition: &OffsetDeleteRequestPartition| OffsetDeleteResponsePartition {
        partition_index: partition.partition_index,
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    OffsetDeleteResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(partition).collect(),
    }
}
