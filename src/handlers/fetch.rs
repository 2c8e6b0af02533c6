//! Fetch (1), v4–17: read records. Sessions (KIP-227), leader epochs (KIP-320), topic ids (KIP-516), leader hints (KIP-951).
//!
//! Answered at once where there is enough; otherwise the fetch parks on its partitions until there is, or until `max_wait_ms`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use protocol::wire::{Chunk, Message, Reader, Utf8Bytes};
use protocol::{DecodeError, ErrorCode};
use storage::ReadMode;

use crate::broker::Broker;
use crate::clock;
use crate::dispatch::{RequestContext, Served, answer};
use crate::fetch_session::{FetchContext, FetchPartition, SessionRequest, TopicKey};
use crate::handlers::to_code::ToCode;
use crate::network::{Answer, AnswerShare, Started};
use crate::partition::{FetchWaiter, Mark, Partition, ReadLimits, Readable};
use crate::random;

/// How this key is served.
pub const SERVED: Served = Served {
    key: protocol::ApiKey::Fetch,
    min: 4,
    max: 17,
    listed_min: 4,
    start,
};

const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;

fn start(broker: &Arc<Broker>, context: RequestContext, mut reader: Reader) -> Result<Started, DecodeError> {
    let request = FetchRequest::decode(&mut reader, context.version)?;
    if !matches!(request.isolation_level, READ_UNCOMMITTED | READ_COMMITTED) {
        // Kafka has no better code for a level that does not exist.
        let response = refused(context.version, request, ErrorCode::UNKNOWN_SERVER_ERROR);
        return Ok(Started::Ready(answer(&context, &response)));
    }
    let fetch = Fetch::new(broker.clone(), context, request);
    Ok(match fetch.read(ReadMode::NoWait) {
        Some(round) if fetch.is_enough(&round) => Started::Ready(fetch.finish(round)),
        Some(round) => Started::Waiting(Box::pin(fetch.park(round))),
        None => Started::Waiting(Box::pin(fetch.read_cold())),
    })
}

/// One Fetch request.
struct Fetch {
    broker: Arc<Broker>,
    context: RequestContext,
    session: FetchContext,
    partitions: Vec<FetchPartition>,
    from_follower: bool,
    replica_id: i32,
    readable: Readable,
    read_committed: bool,
    max_wait: Duration,
    min_bytes: usize,
    max_bytes: usize,
}

/// What one pass over the partitions gave.
struct Round {
    answers: Vec<(TopicKey, PartitionData)>,
    /// Partitions that can be waited for, with `max_bytes` and the mark of their read.
    waitable: Vec<(Arc<Partition>, i64, Mark)>,
    bytes: usize,
    /// The memory of the records among them that are copies, until the answer counts it.
    copied: AnswerShare,
    failed: bool,
}

impl Fetch {
    fn new(broker: Arc<Broker>, context: RequestContext, request: FetchRequest) -> Self {
        let replica_id = if context.version >= 15 {
            request.replica_state.replica_id
        } else {
            request.replica_id
        };
        let max_bytes = request.max_bytes.min(broker.config.fetch_max_bytes).max(0);
        let read_committed = request.isolation_level == READ_COMMITTED;
        let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let min_bytes = request.min_bytes.min(max_bytes).max(0);
        let session = broker
            .fetch_sessions
            .context(session_request(context.version, request), clock::now_ms());
        Self {
            partitions: session.partitions(),
            session,
            from_follower: replica_id >= 0,
            replica_id,
            readable: match (replica_id, read_committed) {
                (0.., _) => Readable::LogEnd,
                (_, true) => Readable::LastStableOffset,
                (_, false) => Readable::HighWatermark,
            },
            read_committed,
            max_wait,
            min_bytes: usize::try_from(min_bytes).unwrap_or(0),
            max_bytes: usize::try_from(max_bytes).unwrap_or(0),
            broker,
            context,
        }
    }

    /// Reads every partition once; `None` when one of them would wait for the disk.
    fn read(&self, mode: ReadMode) -> Option<Round> {
        let mut round = Round {
            answers: Vec::with_capacity(self.partitions.len()),
            waitable: Vec::new(),
            bytes: 0,
            copied: self.context.connection.hold_answer(0),
            failed: false,
        };
        let mut left = self.max_bytes;
        for wanted in &self.partitions {
            let partition = match self.resolve(wanted) {
                Ok(partition) => partition,
                Err((error, is_read)) => {
                    round.failed |= is_read;
                    round
                        .answers
                        .push((wanted.topic.clone(), failed(wanted.partition, error)));
                    continue;
                }
            };
            let max_bytes = usize::try_from(wanted.max_bytes).unwrap_or(0);
            let limits = ReadLimits {
                fetch_offset: wanted.fetch_offset,
                max_bytes: max_bytes.min(left),
                min_one_message: round.bytes == 0,
                readable: self.readable,
                current_leader_epoch: wanted.current_leader_epoch,
                // Without memory for copies even a few bytes come as a range of the file, which holds none.
                sendfile_min_bytes: match self.context.connection.may_copy_records() {
                    true => ReadLimits::SENDFILE_MIN_BYTES,
                    false => 0,
                },
            };
            let data = match partition.read(&limits, mode) {
                Ok(Some(read)) => {
                    let bytes = read.records.len();
                    round.bytes += bytes;
                    round.copied.add(read.records.as_memory().map_or(0, Bytes::len));
                    left = left.saturating_sub(bytes);
                    round.waitable.push((partition, i64::from(wanted.max_bytes), read.mark));
                    PartitionData {
                        partition_index: wanted.partition,
                        high_watermark: read.high_watermark,
                        last_stable_offset: read.last_stable_offset,
                        log_start_offset: read.log_start_offset,
                        aborted_transactions: self.read_committed.then(Vec::new),
                        records: Some(read.records),
                        ..Default::default()
                    }
                }
                Ok(None) => return None,
                Err(error) => {
                    round.failed = true;
                    log::debug!("fetch of client {:?} failed: {error}", self.context.client_id());
                    self.broker.note_read_failure(&partition, &error);
                    self.with_leader(failed(wanted.partition, error.to_code()), &partition)
                }
            };
            round.answers.push((wanted.topic.clone(), data));
        }
        Some(round)
    }

    /// The partition here, or the error and whether it came of reading: an error before that does not end the wait for others.
    fn resolve(&self, wanted: &FetchPartition) -> Result<Arc<Partition>, (ErrorCode, bool)> {
        let broker = &self.broker;
        let by_id;
        let name: &str = match &wanted.topic {
            TopicKey::Name(name) => name,
            TopicKey::Id(id) => {
                by_id = broker
                    .metadata
                    .topic_name(*id)
                    .ok_or((ErrorCode::UNKNOWN_TOPIC_ID, false))?;
                &by_id
            }
        };
        let partition = match broker.replicas.get(name, wanted.partition) {
            Some(partition) => partition,
            None if !broker.metadata.contains(name, wanted.partition) => {
                return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, false));
            }
            None => return Err((broker.replicas.missing_code(), true)),
        };
        if self.from_follower && !partition.state().replicas.contains(&self.replica_id) {
            // A replica that this leader does not know may know more than we do: by epoch, or just ask again.
            let code = match wanted.current_leader_epoch {
                crate::partition::NO_EPOCH => ErrorCode::NOT_LEADER_OR_FOLLOWER,
                _ => ErrorCode::UNKNOWN_LEADER_EPOCH,
            };
            return Err((code, true));
        }
        Ok(partition)
    }

    /// Adds who leads, from v16 on, to an answer that says that we do not.
    fn with_leader(&self, mut data: PartitionData, partition: &Partition) -> PartitionData {
        let hint = matches!(
            data.error_code,
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH
        );
        if hint && self.context.version >= 16 {
            let state = partition.state();
            data.current_leader = LeaderIdAndEpoch {
                leader_id: state.leader,
                leader_epoch: state.leader_epoch.0,
            };
        }
        data
    }

    fn is_enough(&self, round: &Round) -> bool {
        round.bytes >= self.min_bytes || round.failed || round.waitable.is_empty() || self.max_wait.is_zero()
    }

    /// Reads from the disk, where that delays nobody else.
    async fn read_cold(self) -> Answer {
        let read = tokio::task::spawn_blocking(move || {
            let round = self.read(ReadMode::Blocking);
            (self, round)
        });
        match read.await {
            Ok((fetch, Some(round))) if fetch.is_enough(&round) => fetch.finish(round),
            Ok((fetch, Some(round))) => fetch.park(round).await,
            Ok((_, None)) | Err(_) => {
                log::error!("a blocking read did not complete; closing the connection");
                Answer::Close
            }
        }
    }

    async fn park(self, round: Round) -> Answer {
        let missing = self.min_bytes.saturating_sub(round.bytes);
        let parked = Parked::new(i64::try_from(missing).unwrap_or(i64::MAX), &round);
        drop(round);
        tokio::select! {
            () = parked.waiter.woken() => {}
            () = tokio::time::sleep(self.max_wait) => {}
        }
        drop(parked);
        match self.read(ReadMode::NoWait) {
            Some(round) => self.finish(round),
            None => {
                let read = tokio::task::spawn_blocking(move || self.read(ReadMode::Blocking).map(|r| self.finish(r)));
                read.await.ok().flatten().unwrap_or(Answer::Close)
            }
        }
    }

    fn finish(self, mut round: Round) -> Answer {
        let (error_code, session_id) = self.broker.fetch_sessions.finish(
            self.session,
            self.from_follower,
            &mut round.answers,
            clock::now_ms(),
            &mut random::u32,
        );
        let node_endpoints = leaders_to_name(&self.broker, &self.context, &round.answers);
        let response = FetchResponse {
            error_code,
            session_id,
            responses: by_topic(&self.broker, round.answers),
            node_endpoints,
            ..Default::default()
        };
        answer(&self.context, &response)
    }
}

/// A waiter that is registered with its partitions for as long as it lives.
struct Parked {
    waiter: Arc<FetchWaiter>,
    partitions: Vec<Arc<Partition>>,
}

impl Parked {
    fn new(missing_bytes: i64, round: &Round) -> Self {
        let waiter = FetchWaiter::new(missing_bytes);
        for (partition, max_bytes, mark) in &round.waitable {
            partition.waiters.register(&waiter, *max_bytes, *mark);
        }
        Self {
            waiter,
            partitions: round.waitable.iter().map(|(partition, ..)| partition.clone()).collect(),
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.waiters.deregister(&self.waiter);
        }
    }
}

fn session_request(version: i16, request: FetchRequest) -> SessionRequest {
    let key = |name: &Utf8Bytes, id| {
        if version >= 13 {
            TopicKey::Id(id)
        } else {
            TopicKey::Name(name.detached())
        }
    };
    // A partition that is named twice counts once: at its first place, with what was asked last.
    let mut partitions: Vec<FetchPartition> = Vec::new();
    let mut place_of: HashMap<(TopicKey, i32), usize> = HashMap::new();
    for topic in request.topics {
        let topic_key = key(&topic.topic, topic.topic_id);
        for p in topic.partitions {
            let wanted = FetchPartition {
                topic: topic_key.clone(),
                partition: p.partition,
                fetch_offset: p.fetch_offset,
                max_bytes: p.partition_max_bytes,
                current_leader_epoch: p.current_leader_epoch,
                last_fetched_epoch: p.last_fetched_epoch,
                log_start_offset: p.log_start_offset,
            };
            match place_of.entry((topic_key.clone(), p.partition)) {
                Entry::Occupied(place) => partitions[*place.get()] = wanted,
                Entry::Vacant(place) => {
                    place.insert(partitions.len());
                    partitions.push(wanted);
                }
            }
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
        partitions,
        forgotten: forgotten.collect(),
    }
}

/// Refuses a request as a whole. Clients before v13 look for the error at each partition.
fn refused(version: i16, request: FetchRequest, error_code: ErrorCode) -> FetchResponse {
    let session = session_request(version, request);
    let mut responses: Vec<FetchableTopicResponse> = Vec::new();
    for wanted in session.partitions {
        let TopicKey::Name(topic) = wanted.topic else {
            continue;
        };
        let data = failed(wanted.partition, error_code);
        match responses.last_mut() {
            Some(response) if response.topic == topic => response.partitions.push(data),
            _ => responses.push(FetchableTopicResponse {
                topic,
                partitions: vec![data],
                ..Default::default()
            }),
        }
    }
    FetchResponse {
        error_code,
        session_id: session.id,
        responses,
        ..Default::default()
    }
}

fn failed(partition: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index: partition,
        error_code,
        high_watermark: -1,
        records: Some(Chunk::Memory(Bytes::new())),
        ..Default::default()
    }
}

/// Neighbours of one topic share an entry, as in Kafka.
fn by_topic(broker: &Broker, answers: Vec<(TopicKey, PartitionData)>) -> Vec<FetchableTopicResponse> {
    let mut responses: Vec<FetchableTopicResponse> = Vec::new();
    let mut last: Option<TopicKey> = None;
    for (topic, data) in answers {
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

fn leaders_to_name(
    broker: &Broker,
    context: &RequestContext,
    answers: &[(TopicKey, PartitionData)],
) -> Vec<NodeEndpoint> {
    let mut ids: Vec<i32> = answers
        .iter()
        .map(|(_, data)| data.current_leader.leader_id)
        .filter(|id| *id >= 0)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let endpoint = |id| {
        broker.node(context, id).map(|node| NodeEndpoint {
            node_id: id,
            host: Utf8Bytes::from(node.host),
            port: node.port,
            rack: node.rack.map(Utf8Bytes::from),
        })
    };
    ids.into_iter().filter_map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use protocol::messages::fetch::{FetchPartition as Asked, FetchTopic};

    use super::*;

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
        let partitions = session_request(12, request).partitions;
        let named = |wanted: &FetchPartition| match &wanted.topic {
            TopicKey::Name(name) => (name.to_string(), wanted.partition, wanted.fetch_offset),
            TopicKey::Id(id) => panic!("version 12 names topics, not {id:?}"),
        };
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
        let old = refused(12, request(), ErrorCode::UNKNOWN_SERVER_ERROR);
        assert_eq!((old.error_code, old.session_id), (ErrorCode::UNKNOWN_SERVER_ERROR, 7));
        let codes: Vec<_> = old.responses[0].partitions.iter().map(|p| p.error_code).collect();
        assert_eq!(codes, [ErrorCode::UNKNOWN_SERVER_ERROR; 2]);
        let new = refused(13, request(), ErrorCode::UNKNOWN_SERVER_ERROR);
        assert_eq!(
            (new.error_code, new.responses.len()),
            (ErrorCode::UNKNOWN_SERVER_ERROR, 0)
        );
    }
}
