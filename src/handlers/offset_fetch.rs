//! OffsetFetch (9), v0–9: how far groups have read. All partitions by null (v2), leader epoch (KIP-320), stable offsets
//! only (KIP-447), several groups at once (KIP-709). «Nothing committed» is offset -1 without an error.
//! Version 0 reads what version 0 of OffsetCommit has kept in the znode tree, and has an error for «nothing».

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use protocol::wire::Utf8Bytes;

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::wire::{owned, text};
use crate::group::{FetchedOffset, Rejection, TopicPartition};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(OffsetFetch, 0..=9, handle);

/// On the wire: nothing is committed, or it may not be said.
const INVALID_OFFSET: i64 = -1;
/// On the wire: not known.
const NO_LEADER_EPOCH: i32 = -1;

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if context.version >= 8 {
        let groups = request
            .groups
            .iter()
            .map(|group| fetch_group(broker, group, request.require_stable))
            .collect();
        return OffsetFetchResponse {
            groups,
            ..Default::default()
        };
    }
    if context.version == 0 {
        return fetch_from_znodes(broker, &request).await;
    }
    let partitions = request.topics.as_ref().map(|topics| {
        topics
            .iter()
            .flat_map(|topic| partitions(&topic.name, &topic.partition_indexes))
            .collect::<Vec<_>>()
    });
    match broker
        .groups
        .fetch_offsets(&request.group_id, partitions.as_deref(), request.require_stable)
    {
        Ok(fetched) => OffsetFetchResponse {
            topics: by_topic(fetched, single_topic),
            ..Default::default()
        },
        // Version 1 has no other place for the error.
        Err(rejection) if context.version < 2 => OffsetFetchResponse {
            topics: request
                .topics
                .iter()
                .flatten()
                .map(|topic| refused(topic, rejection))
                .collect(),
            ..Default::default()
        },
        Err(rejection) => OffsetFetchResponse {
            error_code: rejection.to_code(),
            ..Default::default()
        },
    }
}

async fn fetch_from_znodes(broker: &Broker, request: &OffsetFetchRequest) -> OffsetFetchResponse {
    let mut topics = Vec::new();
    for topic in request.topics.iter().flatten() {
        let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
        for partition_index in &topic.partition_indexes {
            let fetched = match broker.metadata.contains(&topic.name, *partition_index) {
                true => {
                    broker
                        .zookeeper_offsets
                        .get(&request.group_id, &topic.name, *partition_index)
                        .await
                }
                false => Ok(None),
            };
            let (committed_offset, error_code) = match fetched {
                Ok(Some(offset)) => (offset, ErrorCode::NONE),
                Ok(None) => (INVALID_OFFSET, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                Err(error) => {
                    log::warn!("the offset of group {:?} cannot be read: {error}", request.group_id);
                    (INVALID_OFFSET, error.to_code())
                }
            };
            partitions.push(OffsetFetchResponsePartition {
                partition_index: *partition_index,
                committed_offset,
                committed_leader_epoch: NO_LEADER_EPOCH,
                metadata: Some(Utf8Bytes::default()),
                error_code,
            });
        }
        topics.push(OffsetFetchResponseTopic {
            name: topic.name.clone(),
            partitions,
        });
    }
    OffsetFetchResponse {
        topics,
        ..Default::default()
    }
}

fn fetch_group(broker: &Broker, group: &OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetchResponseGroup {
    let partitions = group.topics.as_ref().map(|topics| {
        topics
            .iter()
            .flat_map(|topic| partitions(&topic.name, &topic.partition_indexes))
            .collect::<Vec<_>>()
    });
    let group_id = group.group_id.clone();
    match broker
        .groups
        .fetch_offsets(&group_id, partitions.as_deref(), require_stable)
    {
        Ok(fetched) => OffsetFetchResponseGroup {
            group_id,
            topics: by_topic(fetched, batched_topic),
            ..Default::default()
        },
        Err(rejection) => OffsetFetchResponseGroup {
            group_id,
            error_code: rejection.to_code(),
            ..Default::default()
        },
    }
}

fn partitions(name: &Utf8Bytes, indexes: &[i32]) -> Vec<TopicPartition> {
    let topic = owned(name);
    indexes
        .iter()
        .map(|partition| TopicPartition {
            topic: topic.clone(),
            partition: *partition,
        })
        .collect()
}

/// One entry per topic; the partitions of a topic come one after another.
fn by_topic<T>(fetched: Vec<FetchedOffset>, topic: impl Fn(Utf8Bytes, &[FetchedOffset]) -> T) -> Vec<T> {
    fetched
        .chunk_by(|one, next| one.partition.topic == next.partition.topic)
        .map(|of_topic| topic(text(&of_topic[0].partition.topic), of_topic))
        .collect()
}

fn single_topic(name: Utf8Bytes, fetched: &[FetchedOffset]) -> OffsetFetchResponseTopic {
    let partition = |fetched: &FetchedOffset| {
        let fields = Fields::of(fetched);
        OffsetFetchResponsePartition {
            partition_index: fetched.partition.partition,
            committed_offset: fields.committed_offset,
            committed_leader_epoch: fields.committed_leader_epoch,
            metadata: Some(fields.metadata),
            error_code: fields.error_code,
        }
    };
    OffsetFetchResponseTopic {
        name,
        partitions: fetched.iter().map(partition).collect(),
    }
}

fn batched_topic(name: Utf8Bytes, fetched: &[FetchedOffset]) -> OffsetFetchResponseTopics {
    let partition = |fetched: &FetchedOffset| {
        let fields = Fields::of(fetched);
        OffsetFetchResponsePartitions {
            partition_index: fetched.partition.partition,
            committed_offset: fields.committed_offset,
            committed_leader_epoch: fields.committed_leader_epoch,
            metadata: Some(fields.metadata),
            error_code: fields.error_code,
        }
    };
    OffsetFetchResponseTopics {
        name,
        partitions: fetched.iter().map(partition).collect(),
        ..Default::default()
    }
}

fn refused(topic: &OffsetFetchRequestTopic, rejection: Rejection) -> OffsetFetchResponseTopic {
    let partition = |partition_index: &i32| OffsetFetchResponsePartition {
        partition_index: *partition_index,
        committed_offset: INVALID_OFFSET,
        committed_leader_epoch: NO_LEADER_EPOCH,
        metadata: Some(Utf8Bytes::default()),
        error_code: rejection.to_code(),
    };
    OffsetFetchResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    }
}

/// What both layouts of a partition's answer share.
struct Fields {
    committed_offset: i64,
    committed_leader_epoch: i32,
    metadata: Utf8Bytes,
    error_code: ErrorCode,
}

impl Fields {
    fn of(fetched: &FetchedOffset) -> Self {
        let (committed, error_code) = match &fetched.offset {
            Ok(committed) => (committed.as_ref(), ErrorCode::NONE),
            Err(rejection) => (None, rejection.to_code()),
        };
        Fields {
            committed_offset: committed.map_or(INVALID_OFFSET, |committed| committed.offset),
            committed_leader_epoch: committed
                .and_then(|committed| committed.leader_epoch)
                .unwrap_or(NO_LEADER_EPOCH),
            metadata: committed.map_or_else(Utf8Bytes::default, |committed| Utf8Bytes::from(&*committed.metadata)),
            error_code,
        }
    }
}
