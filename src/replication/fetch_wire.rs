//! What a follower asks and is answered, as messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use controller::BrokerEpoch;
use controller::ids::BrokerId;
use protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, PartitionData, ReplicaState,
};
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::wire::{TopicId, Utf8Bytes};
use protocol::{ApiKey, ErrorCode};
use storage::EpochEndOffset;

use super::follower::{Answered, Asked};
use super::session::SessionFields;
use crate::inter_broker::{Connection, ConnectionError, versions};
use crate::partition::{NO_EPOCH, Partition};

/// The first version that names topics by id.
const TOPIC_IDS: i16 = 13;
/// In place of a timestamp: where the log ends, and where it begins.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// What is asked for one partition.
pub struct Ask {
    /// The partition.
    pub partition: Arc<Partition>,
    /// What it asks.
    pub asked: Asked,
}

/// The version of a request: the one that the cluster speaks, or one without ids where a topic has none.
pub fn version(config: &BrokerConfig, has_ids: bool) -> i16 {
    let spoken = versions::fetch(config);
    if has_ids { spoken } else { spoken.min(TOPIC_IDS - 1) }
}

/// One request that names these.
pub fn request(
    config: &BrokerConfig,
    (broker_id, broker_epoch): (BrokerId, BrokerEpoch),
    version: i16,
    asks: &[Ask],
    session: SessionFields,
) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for Ask { partition, asked } in asks {
        let name = &*partition.topic_partition.topic;
        let place = *places.entry(name).or_insert_with(|| {
            topics.push(FetchTopic {
                // A version has the one field or the other.
                topic: if version < TOPIC_IDS {
                    Utf8Bytes::from(name)
                } else {
                    Utf8Bytes::default()
                },
                topic_id: if version < TOPIC_IDS {
                    TopicId::ZERO
                } else {
                    partition.topic_id
                },
                ..Default::default()
            });
            topics.len() - 1
        });
        topics[place].partitions.push(FetchPartition {
            partition: partition.topic_partition.partition,
            current_leader_epoch: asked.current_leader_epoch.0,
            fetch_offset: asked.fetch_offset,
            last_fetched_epoch: asked.last_fetched_epoch.unwrap_or(NO_EPOCH),
            log_start_offset: asked.log_start_offset,
            partition_max_bytes: config.replica_fetch_max_bytes,
            ..Default::default()
        });
    }
    let mut forgotten: Vec<ForgottenTopic> = Vec::new();
    for (partition, id) in session.forgotten {
        let (topic, topic_id) = match version < TOPIC_IDS {
            true => (Utf8Bytes::from(&*partition.topic), TopicId::ZERO),
            false => (Utf8Bytes::default(), id),
        };
        match forgotten
            .iter_mut()
            .find(|it| it.topic == topic && it.topic_id == topic_id)
        {
            Some(of_topic) => of_topic.partitions.push(partition.partition),
            None => forgotten.push(ForgottenTopic {
                topic,
                topic_id,
                partitions: vec![partition.partition],
            }),
        }
    }
    let mut request = FetchRequest {
        max_wait_ms: config.replica_fetch_wait_max_ms,
        min_bytes: config.replica_fetch_min_bytes,
        max_bytes: config.replica_fetch_response_max_bytes,
        session_id: session.session_id,
        session_epoch: session.session_epoch,
        topics,
        forgotten_topics_data: forgotten,
        ..Default::default()
    };
    if version < 15 {
        request.replica_id = broker_id;
    } else {
        request.replica_state = ReplicaState {
            replica_id: broker_id,
            replica_epoch: broker_epoch.0,
        };
    }
    request
}

/// What the leader says of one partition, beside the records.
pub fn answered(data: &PartitionData) -> Answered {
    let diverging = &data.diverging_epoch;
    Answered {
        error_code: data.error_code,
        high_watermark: data.high_watermark,
        log_start_offset: data.log_start_offset,
        diverging_epoch: (diverging.epoch >= 0 || diverging.end_offset >= 0).then_some(EpochEndOffset {
            epoch: diverging.epoch,
            end_offset: diverging.end_offset,
        }),
    }
}

/// Where the leader's log begins and ends; `None` where it does not lead in that epoch.
///
/// # Errors
/// [`ConnectionError`]
pub async fn ends(
    connection: &mut Connection,
    config: &BrokerConfig,
    broker_id: BrokerId,
    ask: &Ask,
) -> Result<Option<(i64, i64)>, ConnectionError> {
    let mut offsets = [0; 2];
    for (offset, timestamp) in offsets.iter_mut().zip([EARLIEST, LATEST]) {
        let version = versions::list_offsets(config);
        let timeout = Duration::from_millis(u64::try_from(config.replica_socket_timeout_ms).unwrap_or(30_000));
        let request = list_offsets(broker_id, ask, timestamp);
        let response: ListOffsetsResponse = connection.ask(ApiKey::ListOffsets, version, &request, timeout).await?;
        let answers = response.topics.iter().flat_map(|topic| &topic.partitions);
        match answers.into_iter().next() {
            Some(answer) if answer.error_code == ErrorCode::NONE => *offset = answer.offset,
            Some(_) | None => return Ok(None),
        }
    }
    Ok(Some((offsets[0], offsets[1])))
}

fn list_offsets(broker_id: BrokerId, ask: &Ask, timestamp: i64) -> ListOffsetsRequest {
    ListOffsetsRequest {
        replica_id: broker_id,
        topics: vec![ListOffsetsTopic {
            name: Utf8Bytes::from(&*ask.partition.topic_partition.topic),
            partitions: vec![ListOffsetsPartition {
                partition_index: ask.partition.topic_partition.partition,
                current_leader_epoch: ask.asked.current_leader_epoch.0,
                timestamp,
                ..Default::default()
            }],
        }],
        ..Default::default()
    }
}
