//! OffsetFetch (9), v0–9: how far groups have read. All partitions by null (v2), leader epoch (KIP-320), stable offsets
//! only (KIP-447), several groups at once (KIP-709). «Nothing committed» is offset -1 without an error.
//! Version 0 reads what version 0 of OffsetCommit has kept in the znode tree, and has an error for «nothing».

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
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
        let groups = distinct_groups(&request.groups)
            .into_iter()
            .map(|(group_id, topics)| fetch_group(broker, group_id, topics, request.require_stable))
            .collect();
        return OffsetFetchResponse {
            groups,
            ..Default::default()
        };
    }
    let mut topics = request.topics.as_ref().map(|_| Topics::default());
    for topic in request.topics.iter().flatten() {
        topics = topics.map(|topics| topics.with(&topic.name, &topic.partition_indexes));
    }
    if context.version == 0 {
        return fetch_from_znodes(broker, context, &request.group_id, topics.unwrap_or_default()).await;
    }
    let partitions = topics.as_ref().map(Topics::partitions);
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
            topics: topics
                .iter()
                .flat_map(|topics| &topics.in_order)
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

async fn fetch_from_znodes(
    broker: &Broker,
    context: &RequestContext,
    group_id: &Utf8Bytes,
    wanted: Topics,
) -> OffsetFetchResponse {
    let mut topics = Vec::with_capacity(wanted.in_order.len());
    for topic in wanted.in_order {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition_index in &topic.partitions {
            let fetched = match broker.metadata.contains(&topic.name, *partition_index) {
                true => {
                    broker
                        .zookeeper_offsets
                        .get(group_id, &topic.name, *partition_index)
                        .await
                }
                false => Ok(None),
            };
            let (committed_offset, error_code) = match fetched {
                Ok(Some(offset)) => (offset, ErrorCode::NONE),
                Ok(None) => (INVALID_OFFSET, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                Err(error) => {
                    log::warn!(client:% = context.client_ip(); "the offset of group {group_id:?} cannot be read: {error}");
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

fn fetch_group(
    broker: &Broker,
    group_id: Utf8Bytes,
    topics: Option<Topics>,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let partitions = topics.as_ref().map(Topics::partitions);
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

/// A topic as a request names it, each partition once.
#[derive(Debug, PartialEq)]
struct Topic {
    name: Utf8Bytes,
    partitions: Vec<i32>,
}

/// Topics as a request names them: each topic and each partition once, at its first place, as in the maps of Kafka. Else a short
/// request could ask for the same metadata any number of times.
#[derive(Default)]
struct Topics {
    in_order: Vec<Topic>,
    /// Where a topic stands in `in_order`, and which of its partitions stand there already.
    seen: HashMap<Utf8Bytes, (usize, HashSet<i32>)>,
}

impl Topics {
    fn with(mut self, name: &Utf8Bytes, partitions: &[i32]) -> Self {
        let (place, seen) = self.seen.entry(name.clone()).or_insert_with(|| {
            self.in_order.push(Topic {
                name: name.clone(),
                partitions: Vec::with_capacity(partitions.len()),
            });
            (self.in_order.len() - 1, HashSet::new())
        });
        let new = partitions.iter().filter(|partition| seen.insert(**partition));
        self.in_order[*place].partitions.extend(new);
        self
    }

    fn partitions(&self) -> Vec<TopicPartition> {
        let of_topic = |topic: &Topic| {
            let name = owned(&topic.name);
            let partition = |partition: &i32| TopicPartition {
                topic: name.clone(),
                partition: *partition,
            };
            topic.partitions.iter().map(partition).collect::<Vec<_>>()
        };
        self.in_order.iter().flat_map(of_topic).collect()
    }
}

/// Each group once, with all that is asked of it; `None`: every topic. An answer is so no larger than what these groups have
/// committed, and the partitions in the request.
fn distinct_groups(groups: &[OffsetFetchRequestGroup]) -> Vec<(Utf8Bytes, Option<Topics>)> {
    let mut distinct: Vec<(Utf8Bytes, Option<Topics>)> = Vec::with_capacity(groups.len());
    let mut place_of: HashMap<&Utf8Bytes, usize> = HashMap::new();
    for group in groups {
        let place = *place_of.entry(&group.group_id).or_insert_with(|| {
            distinct.push((group.group_id.clone(), Some(Topics::default())));
            distinct.len() - 1
        });
        let wanted = &mut distinct[place].1;
        match &group.topics {
            None => *wanted = None,
            Some(topics) => {
                for topic in topics {
                    *wanted = wanted
                        .take()
                        .map(|wanted| wanted.with(&topic.name, &topic.partition_indexes));
                }
            }
        }
    }
    distinct
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

fn refused(topic: &Topic, rejection: Rejection) -> OffsetFetchResponseTopic {
    let partition = |partition_index: &i32| OffsetFetchResponsePartition {
        partition_index: *partition_index,
        committed_offset: INVALID_OFFSET,
        committed_leader_epoch: NO_LEADER_EPOCH,
        metadata: Some(Utf8Bytes::default()),
        error_code: rejection.to_code(),
    };
    OffsetFetchResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(partition).collect(),
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

#[cfg(test)]
mod tests {
    use protocol::messages::offset_fetch::OffsetFetchRequestTopics;

    use super::*;

    fn group(group_id: &'static str, topics: Option<&[(&'static str, &[i32])]>) -> OffsetFetchRequestGroup {
        let topic = |(name, partitions): &(&'static str, &[i32])| OffsetFetchRequestTopics {
            name: Utf8Bytes::from_static(name),
            partition_indexes: partitions.to_vec(),
            ..Default::default()
        };
        OffsetFetchRequestGroup {
            group_id: Utf8Bytes::from_static(group_id),
            topics: topics.map(|topics| topics.iter().map(topic).collect()),
            ..Default::default()
        }
    }

    #[test]
    fn what_is_named_again_is_fetched_once() {
        let groups = [
            group("g", Some(&[("a", &[1, 0, 1]), ("b", &[0]), ("a", &[2, 0])])),
            group("all", Some(&[("a", &[0])])),
            group("g", Some(&[("b", &[0, 3])])),
            group("all", None),
            group("all", Some(&[("a", &[0])])),
        ];
        let distinct = distinct_groups(&groups);
        let [(g, Some(topics)), (all, None)] = distinct.as_slice() else {
            panic!("two groups, one of them with every topic");
        };
        assert_eq!((&**g, &**all), ("g", "all"));
        let partitions = topics.partitions();
        let partitions: Vec<_> = partitions.iter().map(|p| (&*p.topic, p.partition)).collect();
        assert_eq!(partitions, [("a", 1), ("a", 0), ("a", 2), ("b", 0), ("b", 3)]);
    }
}
