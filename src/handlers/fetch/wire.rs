//! Between the wire's form of a fetch and the session's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use config::CompressionType;
use protocol::ErrorCode;
use protocol::messages::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, NodeEndpoint, PartitionData};
use protocol::wire::{Chunk, Utf8Bytes};

use crate::broker::{Broker, Node};
use crate::dispatch::RequestContext;
use crate::fetch_session::{FetchPartition, FetchReader, PartitionAnswer, SessionRequest, TopicKey};

/// What the request says about its session.
pub(super) fn session_request(version: i16, reader: FetchReader, request: FetchRequest) -> SessionRequest {
    let key = |name: &Utf8Bytes, id| {
        if version >= 13 {
            TopicKey::Id(id)
        } else {
            TopicKey::Name(name.detached())
        }
    };
    let count = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let mut partitions: Vec<FetchPartition> = Vec::with_capacity(count);
    for topic in request.topics {
        let topic_key = key(&topic.topic, topic.topic_id);
        for p in topic.partitions {
            partitions.push(FetchPartition {
                slot: partitions.len() as u32,
                topic: topic_key.clone(),
                partition: p.partition,
                fetch_offset: p.fetch_offset,
                max_bytes: p.partition_max_bytes,
                current_leader_epoch: p.current_leader_epoch,
                last_fetched_epoch: p.last_fetched_epoch,
                log_start_offset: p.log_start_offset,
            });
        }
    }
    let forgotten = request.forgotten_topics_data.into_iter().flat_map(|topic| {
        let topic_key = key(&topic.topic, topic.topic_id);
        topic
            .partitions
            .into_iter()
            .map(move |partition| (topic_key.clone(), partition))
    });
    SessionRequest {
        version,
        id: request.session_id,
        epoch: request.session_epoch,
        reader,
        partitions: each_once(partitions),
        forgotten: forgotten.collect(),
    }
}

/// A partition that is named twice counts once: at its first place, with what was asked last.
fn each_once(named: Vec<FetchPartition>) -> Vec<FetchPartition> {
    if named.len() < 2 {
        return named;
    }
    let mut partitions: Vec<FetchPartition> = Vec::with_capacity(named.len());
    let mut place_of: HashMap<(TopicKey, i32), usize> = HashMap::with_capacity(named.len());
    for mut wanted in named {
        match place_of.entry((wanted.topic.clone(), wanted.partition)) {
            Entry::Occupied(place) => {
                wanted.slot = *place.get() as u32;
                partitions[*place.get()] = wanted;
            }
            Entry::Vacant(place) => {
                wanted.slot = partitions.len() as u32;
                place.insert(partitions.len());
                partitions.push(wanted);
            }
        }
    }
    partitions
}

/// Refuses a request as a whole. Clients before v13 look for the error at each partition.
pub(super) fn refused(version: i16, request: &FetchRequest, error_code: ErrorCode) -> FetchResponse {
    let named = if version < 13 { &request.topics[..] } else { &[] };
    let responses = named.iter().map(|topic| FetchableTopicResponse {
        topic: topic.topic.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|asked| failed(asked.partition, error_code))
            .collect(),
        ..Default::default()
    });
    FetchResponse {
        error_code,
        session_id: request.session_id,
        responses: responses.collect(),
        ..Default::default()
    }
}

/// One partition that exists and could not be read.
pub(super) fn not_read(partition: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        aborted_transactions: None,
        ..failed(partition, error_code)
    }
}

/// One partition of which it is known, before it is read, that it will not be.
pub(super) fn failed(partition: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index: partition,
        error_code,
        high_watermark: -1,
        records: Some(Chunk::Memory(Bytes::new())),
        ..Default::default()
    }
}

/// Takes out what clients of old versions must not see: Zstandard before v10, where the topic asks for it, and before v6 an error code
/// that they do not know, and would not try again after.
pub(super) fn speak_to_old_clients(broker: &Broker, version: i16, answers: &mut [PartitionAnswer]) {
    if version >= 10 {
        return;
    }
    for PartitionAnswer { topic, data, .. } in answers {
        let TopicKey::Name(name) = topic else { continue };
        let partition = broker.replicas.get(name, data.partition_index);
        if partition.is_some_and(|p| p.config().topic.compression_type == CompressionType::Zstd) {
            *data = failed(data.partition_index, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
        } else if version < 6 && data.error_code == ErrorCode::KAFKA_STORAGE_ERROR {
            data.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
        }
    }
}

/// Neighbours of one topic share an entry, as in Kafka.
pub(super) fn by_topic(broker: &Broker, answers: Vec<PartitionAnswer>) -> Vec<FetchableTopicResponse> {
    let mut responses: Vec<FetchableTopicResponse> = Vec::new();
    let mut last: Option<TopicKey> = None;
    for PartitionAnswer { topic, data, .. } in answers {
        match responses.last_mut() {
            Some(response) if last.as_ref() == Some(&topic) => response.partitions.push(data),
            _ => {
                let mut response = FetchableTopicResponse {
                    partitions: vec![data],
                    ..Default::default()
                };
                match &topic {
                    TopicKey::Id(id) => {
                        response.topic_id = *id;
                        response.topic = broker
                            .metadata
                            .topic_name(*id)
                            .map(|n| Utf8Bytes::from(&*n))
                            .unwrap_or_default();
                    }
                    TopicKey::Name(name) => response.topic = name.clone(),
                }
                responses.push(response);
                last = Some(topic);
            }
        }
    }
    responses
}

/// The brokers that answers name as leaders.
pub(super) fn leaders_to_name(
    broker: &Broker,
    context: &RequestContext,
    answers: &[PartitionAnswer],
) -> Vec<NodeEndpoint> {
    let ids = answers.iter().map(|answer| answer.data.current_leader.leader_id);
    let endpoint = |node: Node| NodeEndpoint {
        node_id: node.id,
        host: Utf8Bytes::from(node.host),
        port: node.port,
        rack: node.rack.map(Utf8Bytes::from),
    };
    broker.leaders(context, ids).into_iter().map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use protocol::messages::fetch::{FetchPartition as Asked, FetchTopic};

    use super::*;

    const CONSUMER: FetchReader = FetchReader {
        replica_id: -1,
        read_committed: false,
    };

    fn topic(name: &'static str, partitions: &[(i32, i64)]) -> FetchTopic {
        FetchTopic {
            topic: Utf8Bytes::from_static(name),
            partitions: partitions
                .iter()
                .map(|(partition, fetch_offset)| Asked {
                    partition: *partition,
                    fetch_offset: *fetch_offset,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }
    }

    #[test]
    fn a_partition_named_twice_is_fetched_once_as_asked_last() {
        let request = FetchRequest {
            topics: vec![
                topic("a", &[(0, 1), (1, 2), (0, 3)]),
                topic("b", &[(0, 4)]),
                topic("a", &[(1, 5), (2, 6)]),
            ],
            ..Default::default()
        };
        let partitions = session_request(12, CONSUMER, request).partitions;
        let named = |wanted: &FetchPartition| match &wanted.topic {
            TopicKey::Name(name) => (name.to_string(), wanted.partition, wanted.fetch_offset),
            TopicKey::Id(id) => panic!("version 12 names topics, not {id:?}"),
        };
        let slots: Vec<_> = partitions.iter().map(|wanted| wanted.slot).collect();
        assert_eq!(slots, [0, 1, 2, 3]);
        let partitions: Vec<_> = partitions.iter().map(named).collect();
        let expected = [("a", 0, 3), ("a", 1, 5), ("b", 0, 4), ("a", 2, 6)];
        assert_eq!(
            partitions,
            expected.map(|(name, partition, offset)| (name.to_string(), partition, offset))
        );
    }

    #[test]
    fn a_refused_request_says_so_where_its_version_looks() {
        let request = || FetchRequest {
            session_id: 7,
            topics: vec![topic("a", &[(0, 1), (1, 2)])],
            ..Default::default()
        };
        let old = refused(12, &request(), ErrorCode::UNKNOWN_SERVER_ERROR);
        assert_eq!((old.error_code, old.session_id), (ErrorCode::UNKNOWN_SERVER_ERROR, 7));
        let codes: Vec<_> = old.responses[0].partitions.iter().map(|p| p.error_code).collect();
        assert_eq!(codes, [ErrorCode::UNKNOWN_SERVER_ERROR; 2]);
        let new = refused(13, &request(), ErrorCode::UNKNOWN_SERVER_ERROR);
        assert_eq!(
            (new.error_code, new.responses.len()),
            (ErrorCode::UNKNOWN_SERVER_ERROR, 0)
        );
    }
}
