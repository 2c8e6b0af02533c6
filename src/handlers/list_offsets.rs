//! ListOffsets (2), v0–9: the first and the last offset, offsets by time. Isolation (v2, KIP-98), leader epochs (v4, KIP-320),
//! `OFFSET_NOT_AVAILABLE` (v5, KIP-207), the largest timestamp (v7, KIP-734), tiering's offsets (v8, KIP-405; v9, KIP-1005).
//! Version 0 asks for several offsets by the times of segments.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
    ListOffsetsTopicResponse,
};
use protocol::wire::Utf8Bytes;
use storage::{BeforeSpec, OffsetLookup, OffsetSpec, ReadError, TimestampAndOffset};

use crate::broker::Broker;
use crate::clock;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;
use crate::partition::{LeaderError, Partition, ReadFailure};

/// What this file serves.
pub const SERVED: Served = served!(ListOffsets, 0..=9, handle);

/// In place of a replica's id: a consumer.
const CONSUMER: i32 = -1;
/// In place of a replica's id: a consumer that looks behind the high watermark, at followers too.
const DEBUGGING_CONSUMER: i32 = -2;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let version = context.version;
    if !may_read_from_disk(&request, version) && are_logs_free(broker, &request) {
        return answer(broker, version, &request);
    }
    let (here, asked) = (broker.clone(), request.clone());
    let answered = broker.read_from_disk(move || answer(&here, version, &asked)).await;
    answered.unwrap_or_else(|| {
        log::error!(client:% = context.client_ip(); "a ListOffsets request broke off");
        let unanswered = |asked: &ListOffsetsPartition| refused(asked, ErrorCode::UNKNOWN_SERVER_ERROR);
        for_each_partition(&request, |_, asked| unanswered(asked))
    })
}

/// Searches and the times of segments may wait for the disk, which must not hold up other connections.
fn may_read_from_disk(request: &ListOffsetsRequest, version: i16) -> bool {
    let mut partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    version == 0 || partitions.any(|asked| asked.timestamp >= 0 || asked.timestamp == MAX_TIMESTAMP)
}

/// Whether no log that is asked about is held by a writer whose disk stalls.
fn are_logs_free(broker: &Broker, request: &ListOffsetsRequest) -> bool {
    let mut topics = request.topics.iter();
    topics.all(|topic| {
        let mut partitions = topic.partitions.iter();
        partitions.all(|asked| broker.is_log_free(&topic.name, asked.partition_index))
    })
}

fn for_each_partition(
    request: &ListOffsetsRequest,
    mut answer: impl FnMut(&Utf8Bytes, &ListOffsetsPartition) -> ListOffsetsPartitionResponse,
) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|asked| answer(&topic.name, asked))
            .collect(),
    });
    ListOffsetsResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn answer(broker: &Broker, version: i16, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    if version == 0 {
        return for_each_partition(&without_repeats(request), |topic, asked| {
            match offsets_before(broker, topic, asked, request.replica_id) {
                Ok(offsets) => ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    old_style_offsets: offsets,
                    ..Default::default()
                },
                Err(code) => refused(asked, code),
            }
        });
    }
    // With one offset for each partition an answer grows as the request does; in version 0, where segments count, a partition
    // stands once.
    let duplicates = duplicates(request);
    for_each_partition(request, |topic, asked| {
        if duplicates.contains(&(&**topic, asked.partition_index)) {
            return refused(asked, ErrorCode::INVALID_REQUEST);
        }
        match find(broker, version, request, topic, asked) {
            Ok(found) => {
                let found = found.unwrap_or(NOT_FOUND);
                ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    timestamp: found.timestamp,
                    offset: found.offset,
                    leader_epoch: found.leader_epoch.filter(|_| version >= 4).unwrap_or(-1),
                    ..Default::default()
                }
            }
            Err(code) => refused(asked, code),
        }
    })
}

const NOT_FOUND: TimestampAndOffset = TimestampAndOffset {
    timestamp: -1,
    offset: -1,
    leader_epoch: None,
};

fn refused(asked: &ListOffsetsPartition, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        error_code,
        ..Default::default()
    }
}

fn duplicates(request: &ListOffsetsRequest) -> HashSet<(&str, i32)> {
    let mut seen = HashSet::new();
    let topics = request.topics.iter();
    let named = topics.flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|asked| (&*topic.name, asked.partition_index))
    });
    named.filter(|partition| !seen.insert(*partition)).collect()
}

/// Version 0 has no error for a partition that is named twice: it counts once, at its first place, with what was asked last.
fn without_repeats(request: &ListOffsetsRequest) -> ListOffsetsRequest {
    let mut topics: Vec<ListOffsetsTopic> = Vec::with_capacity(request.topics.len());
    let mut place_of: HashMap<(&str, i32), (usize, usize)> = HashMap::new();
    for topic in &request.topics {
        let mut new = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            match place_of.entry((&topic.name, asked.partition_index)) {
                Entry::Vacant(place) => {
                    place.insert((topics.len(), new.len()));
                    new.push(asked.clone());
                }
                Entry::Occupied(place) => match *place.get() {
                    (topic, partition) if topic < topics.len() => topics[topic].partitions[partition] = asked.clone(),
                    (_, partition) => new[partition] = asked.clone(),
                },
            }
        }
        topics.push(ListOffsetsTopic {
            name: topic.name.clone(),
            partitions: new,
        });
    }
    ListOffsetsRequest {
        topics,
        ..request.clone()
    }
}

/// What a timestamp means; each special one came with a version.
fn spec(timestamp: i64, version: i16) -> Option<OffsetSpec> {
    let spec = OffsetSpec::from_timestamp(timestamp)?;
    let since = match spec {
        OffsetSpec::Latest | OffsetSpec::Earliest | OffsetSpec::Timestamp(_) => 1,
        OffsetSpec::MaxTimestamp => 7,
        OffsetSpec::EarliestLocal => 8,
        OffsetSpec::LatestTiered => 9,
    };
    (version >= since).then_some(spec)
}

fn find(
    broker: &Broker,
    version: i16,
    request: &ListOffsetsRequest,
    topic: &str,
    asked: &ListOffsetsPartition,
) -> Result<Option<TimestampAndOffset>, ErrorCode> {
    let Some(spec) = spec(asked.timestamp, version) else {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    };
    let isolation = match (request.replica_id, request.isolation_level) {
        (CONSUMER, 0) => Some(Isolation::ReadUncommitted),
        (CONSUMER, 1) => Some(Isolation::ReadCommitted),
        // Kafka has no better code for a level that does not exist.
        (CONSUMER, _) => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        _ => None,
    };
    let partition = broker.hosted(topic, asked.partition_index)?;
    let only_from_leader = request.replica_id != DEBUGGING_CONSUMER;
    check_leader(&partition, asked.current_leader_epoch, only_from_leader)?;
    let last_fetchable = match isolation {
        Some(Isolation::ReadCommitted) => partition.last_stable_offset(),
        Some(Isolation::ReadUncommitted) => partition.high_watermark(),
        None => partition.log().log_end_offset(),
    };
    // A new leader may not know yet how far its predecessor had committed (KIP-207).
    let unavailable = || match isolation.is_some() && high_watermark_lags(&partition) {
        true if version >= 5 => Err(ErrorCode::OFFSET_NOT_AVAILABLE),
        true => Err(ErrorCode::LEADER_NOT_AVAILABLE),
        false => Ok(None),
    };
    match spec {
        OffsetSpec::Latest => Ok(Some(unavailable()?.unwrap_or(TimestampAndOffset {
            timestamp: -1,
            offset: last_fetchable,
            leader_epoch: Some(partition.state().leader_epoch.0),
        }))),
        OffsetSpec::Earliest | OffsetSpec::EarliestLocal => look_up(broker, &partition, spec),
        OffsetSpec::MaxTimestamp | OffsetSpec::LatestTiered | OffsetSpec::Timestamp(_) => {
            let found = look_up(broker, &partition, spec)?.filter(|found| found.offset < last_fetchable);
            found.map_or_else(unavailable, |found| Ok(Some(found)))
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

fn check_leader(partition: &Partition, epoch: i32, only_from_leader: bool) -> Result<(), ErrorCode> {
    match partition.leader_state_in_epoch(epoch) {
        Ok(_) => Ok(()),
        // The epoch was right: that is looked at first.
        Err(LeaderError::NotLeader { .. }) if !only_from_leader => Ok(()),
        Err(error) => Err(error.to_code()),
    }
}

/// Whether the high watermark has not reached the first offset of the leader's own epoch yet.
fn high_watermark_lags(partition: &Partition) -> bool {
    let epoch = partition.state().leader_epoch.0;
    let latest = partition.log().leader_epochs().latest_entry();
    latest.is_some_and(|latest| latest.epoch == epoch && latest.start_offset > partition.high_watermark())
}

fn look_up(broker: &Broker, partition: &Partition, spec: OffsetSpec) -> Result<Option<TimestampAndOffset>, ErrorCode> {
    let located = partition.log().locate_offset(spec);
    let found = located.and_then(|located| match located {
        OffsetLookup::Known(known) => Ok(Some(known)),
        OffsetLookup::Search(search) => search.run(),
    });
    found.map_err(|error| failed(broker, partition, error))
}

fn failed(broker: &Broker, partition: &Partition, error: ReadError) -> ErrorCode {
    let failure = ReadFailure::Log(error);
    broker.note_read_failure(partition, &failure);
    failure.to_code()
}

fn offsets_before(
    broker: &Broker,
    topic: &str,
    asked: &ListOffsetsPartition,
    replica_id: i32,
) -> Result<Vec<i64>, ErrorCode> {
    let spec = match asked.timestamp {
        LATEST => BeforeSpec::Latest,
        EARLIEST => BeforeSpec::Earliest,
        time_ms @ 0.. => BeforeSpec::Time(time_ms),
        _ => return Err(ErrorCode::UNSUPPORTED_VERSION),
    };
    let partition = broker.hosted(topic, asked.partition_index)?;
    check_leader(&partition, -1, replica_id != DEBUGGING_CONSUMER)?;
    let before = partition.log().offsets_before();
    let max_offsets = usize::try_from(asked.max_num_offsets).unwrap_or(0);
    let offsets = before.run(spec, max_offsets, clock::now_ms());
    let offsets = offsets.map_err(|error| failed(broker, &partition, error))?;
    match replica_id {
        CONSUMER => Ok(visible(offsets, partition.high_watermark())),
        _ => Ok(offsets),
    }
}

/// A consumer sees nothing beyond the high watermark; that stands in place of all that is.
fn visible(offsets: Vec<i64>, high_watermark: i64) -> Vec<i64> {
    if offsets.iter().all(|offset| *offset <= high_watermark) {
        return offsets;
    }
    let below = offsets.into_iter().skip_while(|offset| *offset > high_watermark);
    std::iter::once(high_watermark).chain(below).collect()
}

#[cfg(test)]
mod tests {
    use protocol::messages::list_offsets::ListOffsetsTopic;

    use super::*;

    fn request(topics: &[(&'static str, &[(i32, i64)])]) -> ListOffsetsRequest {
        let partition = |&(partition_index, timestamp): &(i32, i64)| ListOffsetsPartition {
            partition_index,
            timestamp,
            ..Default::default()
        };
        let topic = |&(name, partitions): &(&'static str, &[(i32, i64)])| ListOffsetsTopic {
            name: Utf8Bytes::from_static(name),
            partitions: partitions.iter().map(partition).collect(),
        };
        ListOffsetsRequest {
            replica_id: CONSUMER,
            topics: topics.iter().map(topic).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn a_partition_may_stand_in_the_request_once() {
        let request = request(&[
            ("a", &[(0, -1), (1, -1), (0, -2)]),
            ("b", &[(0, -1)]),
            ("b", &[(0, -1)]),
        ]);
        assert_eq!(duplicates(&request), HashSet::from([("a", 0), ("b", 0)]));
    }

    #[test]
    fn version_0_answers_a_partition_once() {
        let named = request(&[
            ("a", &[(0, 1), (1, 2), (0, 3)]),
            ("b", &[(0, 4)]),
            ("a", &[(1, 5), (2, 6)]),
        ]);
        let once = request(&[("a", &[(0, 3), (1, 5)]), ("b", &[(0, 4)]), ("a", &[(2, 6)])]);
        assert_eq!(without_repeats(&named), once);
    }

    #[test]
    fn special_timestamps_have_a_first_version() {
        for (timestamp, since) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (0, 1)] {
            assert_eq!(spec(timestamp, since - 1), None, "{timestamp}");
            assert!(spec(timestamp, since).is_some(), "{timestamp}");
        }
        assert_eq!(spec(-6, 9), None);
    }

    #[test]
    fn only_searches_wait_for_the_disk() {
        let waits = |timestamp, version| may_read_from_disk(&request(&[("a", &[(0, timestamp)])]), version);
        assert!(waits(5, 1) && waits(MAX_TIMESTAMP, 7) && waits(LATEST, 0));
        assert!(!waits(LATEST, 1) && !waits(EARLIEST, 1) && !waits(-5, 9));
    }

    #[test]
    fn consumers_see_nothing_beyond_the_high_watermark() {
        assert_eq!(visible(vec![30, 20, 10], 30), [30, 20, 10]);
        assert_eq!(visible(vec![30, 20, 10], 25), [25, 20, 10]);
        assert_eq!(visible(vec![30], 5), [5]);
    }
}
