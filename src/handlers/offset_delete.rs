//! OffsetDelete (47), v0: committed offsets go, of topics that the group is not subscribed to (KIP-496). Answered when
//! that is committed.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::TopicPartition;
use crate::group::wire::{Asked, TopicAnswer};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(OffsetDelete, 0..=0, handle);

async fn handle(broker: &Arc<Broker>, _context: &RequestContext, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let exists = |topic: &str, partition| broker.metadata.contains(topic, partition);
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        (&topic.name, partitions.map(|asked| (asked.partition_index, ())))
    });
    let Asked {
        mut topics,
        entries,
        places,
    } = Asked::gather(topics, true, exists);
    let partitions: Vec<TopicPartition> = entries.into_iter().map(|(of, ())| of).collect();
    match broker.groups.delete_offsets(&request.group_id, &partitions).await {
        Ok(results) => {
            for ((topic, partition), result) in places.into_iter().zip(results) {
                topics[topic].partitions[partition].1 =
                    result.err().map_or(ErrorCode::NONE, |rejection| rejection.to_code());
            }
            OffsetDeleteResponse {
                topics: topics.into_iter().map(response_topic).collect(),
                ..Default::default()
            }
        }
        Err(rejection) => OffsetDeleteResponse {
            error_code: rejection.to_code(),
            ..Default::default()
        },
    }
}

fn response_topic(answer: TopicAnswer) -> OffsetDeleteResponseTopic {
    let partition = |(partition_index, error_code)| OffsetDeleteResponsePartition {
        partition_index,
        error_code,
    };
    OffsetDeleteResponseTopic {
        name: answer.name,
        partitions: answer.partitions.into_iter().map(partition).collect(),
    }
}
