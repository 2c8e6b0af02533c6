//! OffsetCommit (8), v0–9: keep how far a group has read. Retention per request (v2–4), leader epoch (KIP-320), static
//! members (KIP-345). Answered when the records are committed. Version 0 keeps it in the znode tree instead.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};

use crate::broker::Broker;
use crate::clock;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::wire::{Distinct, owned, owned_option};
use crate::group::{OffsetAndMetadata, OffsetCommit, TopicPartition, utf16_length};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(OffsetCommit, 0..=9, handle);

/// On the wire: the broker's retention, the broker's time, no leader epoch.
const DEFAULT: i64 = -1;

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let exists = |topic: &str, partition| broker.metadata.contains(topic, partition);
    // Version 0 writes and answers one place after another, as in Kafka.
    let asked = Asked::new(&request, clock::now_ms(), context.version > 0, exists);
    let mut response = OffsetCommitResponse {
        topics: asked.topics,
        ..Default::default()
    };
    if asked.offsets.is_empty() {
        return response;
    }
    if context.version == 0 {
        for ((topic, partition), (of, value)) in asked.places.into_iter().zip(asked.offsets) {
            let error_code = commit_to_znode(broker, &request.group_id, &of, &value).await;
            response.topics[topic].partitions[partition].error_code = error_code;
        }
        return response;
    }
    let commit = OffsetCommit {
        member_id: owned(&request.member_id),
        instance_id: owned_option(&request.group_instance_id),
        generation_id: request.generation_id_or_member_epoch,
        offsets: asked.offsets,
    };
    let results = broker.groups.commit_offsets(&request.group_id, commit).await;
    for (nth, (topic, partition)) in asked.places.into_iter().enumerate() {
        response.topics[topic].partitions[partition].error_code = match &results {
            Ok(results) => results[nth]
                .err()
                .map_or(ErrorCode::NONE, |rejection| rejection.to_code()),
            Err(rejection) => rejection.to_code(),
        };
    }
    response
}

/// What a request asks for, and the answer as far as it is known without the group.
struct Asked {
    /// Every partition is refused unless the group says something else about it.
    topics: Vec<OffsetCommitResponseTopic>,
    /// Of partitions that exist.
    offsets: Vec<(TopicPartition, OffsetAndMetadata)>,
    /// Where in `topics` each of `offsets` is answered.
    places: Vec<(usize, usize)>,
}

impl Asked {
    /// With `once`, a partition that exists is committed and answered once, with what is said of it last. Topics are
    /// answered by name, in the order of the request.
    fn new(request: &OffsetCommitRequest, now_ms: i64, once: bool, exists: impl Fn(&str, i32) -> bool) -> Self {
        let expire_timestamp_ms =
            (request.retention_time_ms != DEFAULT).then(|| now_ms.saturating_add(request.retention_time_ms));
        let mut topics: Vec<OffsetCommitResponseTopic> = Vec::with_capacity(request.topics.len());
        let mut topic_at: HashMap<Arc<str>, usize> = HashMap::new();
        let (mut distinct, mut each, mut places) = (Distinct::default(), Vec::new(), Vec::new());
        for topic in &request.topics {
            let name = owned(&topic.name);
            let at_topic = *topic_at.entry(name.clone()).or_insert(topics.len());
            if at_topic == topics.len() {
                topics.push(OffsetCommitResponseTopic {
                    name: topic.name.clone(),
                    ..Default::default()
                });
            }
            let answers = &mut topics[at_topic].partitions;
            for partition in &topic.partitions {
                if exists(&name, partition.partition_index) {
                    let of = TopicPartition {
                        topic: name.clone(),
                        partition: partition.partition_index,
                    };
                    let value = offset(partition, now_ms, expire_timestamp_ms);
                    if !once {
                        each.push((of, value));
                    } else if !distinct.insert(of, value) {
                        continue;
                    }
                    places.push((at_topic, answers.len()));
                }
                answers.push(refused(partition));
            }
        }
        Asked {
            topics,
            offsets: if once { distinct.into_entries() } else { each },
            places,
        }
    }
}

async fn commit_to_znode(broker: &Broker, group_id: &str, of: &TopicPartition, value: &OffsetAndMetadata) -> ErrorCode {
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
                "the offset of group {group_id:?} for {}-{} is not kept: {error}",
                of.topic,
                of.partition
            );
            error.to_code()
        }
    }
}

fn refused(partition: &OffsetCommitRequestPartition) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
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

#[cfg(test)]
mod tests {
    use protocol::messages::offset_commit::OffsetCommitRequestTopic;

    use super::*;

    fn request(topics: &[(&'static str, &[(i32, i64)])]) -> OffsetCommitRequest {
        let partition = |(partition_index, committed_offset): &(i32, i64)| OffsetCommitRequestPartition {
            partition_index: *partition_index,
            committed_offset: *committed_offset,
            ..Default::default()
        };
        let topic = |(name, partitions): &(&'static str, &[(i32, i64)])| OffsetCommitRequestTopic {
            name: (*name).into(),
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        };
        OffsetCommitRequest {
            topics: topics.iter().map(topic).collect(),
            ..Default::default()
        }
    }

    type Answers = Vec<(String, Vec<i32>)>;

    fn asked(once: bool) -> (Vec<(String, i32, i64)>, Answers) {
        let request = request(&[
            ("t", &[(0, 1), (1, 2), (9, 3), (0, 4)]),
            ("u", &[(0, 5)]),
            ("t", &[(0, 6), (9, 7)]),
        ]);
        let asked = Asked::new(&request, 0, once, |_, partition| partition < 9);
        assert_eq!(asked.places.len(), asked.offsets.len());
        for ((topic, partition), (of, _)) in asked.places.iter().zip(&asked.offsets) {
            let answer = &asked.topics[*topic];
            assert_eq!(
                (&*answer.name, answer.partitions[*partition].partition_index),
                (&*of.topic, of.partition)
            );
        }
        let offsets = asked
            .offsets
            .iter()
            .map(|(of, value)| (of.topic.to_string(), of.partition, value.offset));
        let indexes = |topic: &OffsetCommitResponseTopic| topic.partitions.iter().map(|p| p.partition_index).collect();
        let answers = asked
            .topics
            .iter()
            .map(|topic| (topic.name.to_string(), indexes(topic)));
        (offsets.collect(), answers.collect())
    }

    #[test]
    fn a_partition_that_is_named_often_is_committed_and_answered_once() {
        let (offsets, answers) = asked(true);
        assert_eq!(offsets, [("t".into(), 0, 6), ("t".into(), 1, 2), ("u".into(), 0, 5)]);
        // What does not exist is answered wherever it stands, as in Kafka.
        assert_eq!(answers, [("t".into(), vec![0, 1, 9, 9]), ("u".into(), vec![0])]);
    }

    #[test]
    fn version_0_takes_one_place_after_another() {
        let (offsets, answers) = asked(false);
        assert_eq!(
            offsets.iter().map(|(_, _, offset)| *offset).collect::<Vec<_>>(),
            [1, 2, 4, 5, 6]
        );
        assert_eq!(answers, [("t".into(), vec![0, 1, 9, 0, 0, 9]), ("u".into(), vec![0])]);
    }
}
