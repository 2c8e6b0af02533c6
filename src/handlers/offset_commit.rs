//! OffsetCommit (8), v0–9: keep how far a group has read. Retention per request (v2–4), leader epoch (KIP-320), static
//! members (KIP-345). Answered when the records are committed. Version 0 keeps it in the znode tree instead.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};

use crate::broker::Broker;
use crate::clock;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::wire::{Asked, TopicAnswer, owned, owned_option};
use crate::group::{OffsetAndMetadata, OffsetCommit, TopicPartition, utf16_length};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(OffsetCommit, 0..=9, handle);

/// On the wire: the broker's retention, the broker's time, no leader epoch.
const DEFAULT: i64 = -1;

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let exists = |topic: &str, partition| broker.metadata.contains(topic, partition);
    let now_ms = clock::now_ms();
    let expire_timestamp_ms =
        (request.retention_time_ms != DEFAULT).then(|| now_ms.saturating_add(request.retention_time_ms));
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter();
        (&topic.name, partitions.map(|asked| (asked.partition_index, asked)))
    });
    // Version 0 writes and answers one place after another, as in Kafka.
    let Asked {
        mut topics,
        entries,
        places,
    } = Asked::gather(topics, context.version > 0, exists);
    if entries.is_empty() {
        return response(topics);
    }
    let entries = entries.into_iter();
    let offsets = entries.map(|(of, asked)| (of, offset(asked, now_ms, expire_timestamp_ms)));
    if context.version == 0 {
        for ((topic, partition), (of, value)) in places.into_iter().zip(offsets) {
            topics[topic].partitions[partition].1 =
                commit_to_znode(broker, context, &request.group_id, &of, &value).await;
        }
        return response(topics);
    }
    let commit = OffsetCommit {
        member_id: owned(&request.member_id),
        instance_id: owned_option(&request.group_instance_id),
        generation_id: request.generation_id_or_member_epoch,
        offsets: offsets.collect(),
    };
    let results = broker.groups.commit_offsets(&request.group_id, commit).await;
    for (nth, (topic, partition)) in places.into_iter().enumerate() {
        topics[topic].partitions[partition].1 = match &results {
            Ok(results) => results[nth]
                .err()
                .map_or(ErrorCode::NONE, |rejection| rejection.to_code()),
            Err(rejection) => rejection.to_code(),
        };
    }
    response(topics)
}

async fn commit_to_znode(
    broker: &Broker,
    context: &RequestContext,
    group_id: &str,
    of: &TopicPartition,
    value: &OffsetAndMetadata,
) -> ErrorCode {
    let max_bytes = usize::try_from(broker.config.offset_metadata_max_bytes).unwrap_or(0);
    if utf16_length(&value.metadata) > max_bytes {
        return ErrorCode::OFFSET_METADATA_TOO_LARGE;
    }
    // The metadata is not kept, as in Kafka.
    match broker
        .zookeeper_offsets
        .set(group_id, &of.topic, of.partition, value.offset)
        .await
    {
        Ok(()) => ErrorCode::NONE,
        Err(error) => {
            log::warn!(
                client:% = context.client_ip();
                "the offset of group {group_id:?} for {}-{} is not kept: {error}",
                of.topic,
                of.partition
            );
            error.to_code()
        }
    }
}

fn response(topics: Vec<TopicAnswer>) -> OffsetCommitResponse {
    let partition = |(partition_index, error_code)| OffsetCommitResponsePartition {
        partition_index,
        error_code,
    };
    let topic = |answer: TopicAnswer| OffsetCommitResponseTopic {
        name: answer.name,
        partitions: answer.partitions.into_iter().map(partition).collect(),
        ..Default::default()
    };
    OffsetCommitResponse {
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}

fn offset(
    partition: &OffsetCommitRequestPartition,
    now_ms: i64,
    expire_timestamp_ms: Option<i64>,
) -> OffsetAndMetadata {
    OffsetAndMetadata {
        offset: partition.committed_offset,
        leader_epoch: (i64::from(partition.committed_leader_epoch) != DEFAULT)
            .then_some(partition.committed_leader_epoch),
        metadata: Box::from(partition.committed_metadata.as_deref().unwrap_or("")),
        commit_timestamp_ms: match partition.commit_timestamp {
            DEFAULT => now_ms,
            // Version 1 alone.
            given => given,
        },
        expire_timestamp_ms,
    }
}
