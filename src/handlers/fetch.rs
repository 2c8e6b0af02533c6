//! Fetch (1), v4–17: read records. Sessions (KIP-227), leader epochs (KIP-320), topic ids (KIP-516), leader hints (KIP-951).
//!
//! Answered at once where there is enough; otherwise the fetch parks on its partitions until there is, or until `max_wait_ms`. A
//! request of a session reads what changed; the others read all that they name.

mod wire;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use controller::BrokerEpoch;
use protocol::messages::fetch::{EpochEndOffset, FetchRequest, FetchResponse, LeaderIdAndEpoch, PartitionData};
use protocol::wire::{Chunk, Message, Reader, Utf8Bytes};
use protocol::{DecodeError, ErrorCode};
use storage::ReadMode;
use tokio::time::Instant;

use crate::broker::Broker;
use crate::clock;
use crate::dispatch::{RequestContext, Served, answer};
use crate::fetch_session::{FetchContext, FetchPartition, FetchReader, PartitionAnswer, TopicKey, Watched};
use crate::handlers::to_code::ToCode;
use crate::network::{Answer, AnswerShare, Started};
use crate::partition::{
    FetchWaiter, Mark, NO_EPOCH, Partition, PartitionRead, ReadLimits, Readable, ReaderReplica, Seen, Waiters, Wake,
};
use crate::random;
use crate::replica_selector::ReplicaSelector;

use wire::{by_topic, failed, leaders_to_name, not_read, refused, session_request, speak_to_old_clients};

/// How this key is served.
pub const SERVED: Served = Served {
    key: protocol::ApiKey::Fetch,
    min: 4,
    max: 17,
    listed_min: 4,
    start,
};

/// The first version in which consumers say their rack.
const FROM_FOLLOWERS: i16 = 11;
const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;

fn start(broker: &Arc<Broker>, context: RequestContext, mut reader: Reader) -> Result<Started, DecodeError> {
    let request = FetchRequest::decode(&mut reader, context.version)?;
    let partitions = request.topics.iter().map(|topic| topic.partitions.len());
    if context.names_too_many(partitions.sum()) {
        return Ok(Started::Ready(Answer::Close));
    }
    let refusal = match request.isolation_level {
        READ_UNCOMMITTED | READ_COMMITTED => None,
        // Kafka has no better code for a level that does not exist.
        _ => Some(refused(context.version, &request, ErrorCode::UNKNOWN_SERVER_ERROR)),
    };
    let fetch = Fetch::new(broker.clone(), context, request);
    // Kafka looks at the level when it is about to read: after the session has moved on, and only if there is something to read.
    if let Some(response) = refusal
        && fetch.wants_existing_partition()
    {
        return Ok(Started::Ready(answer(&fetch.context, &response)));
    }
    Ok(match fetch.read(ReadMode::NoWait) {
        Some(round) if fetch.is_enough(&round) => Started::Ready(fetch.finish(round)),
        Some(round) => Started::Waiting(Box::pin(fetch.wait(round))),
        None => Started::Waiting(Box::pin(fetch.read_cold_and_wait())),
    })
}

/// One Fetch request.
struct Fetch {
    broker: Arc<Broker>,
    context: RequestContext,
    session: FetchContext,
    reader: FetchReader,
    /// Who follows by this request, until it has been read once: what is read again after waiting says nothing new of the follower.
    follower: Option<Follower>,
    /// `client.rack` of a consumer that may read from followers (KIP-392).
    rack: Option<Utf8Bytes>,
    max_wait: Duration,
    min_bytes: usize,
    max_bytes: i32,
}

/// A broker that follows.
struct Follower {
    broker_epoch: Option<BrokerEpoch>,
    asked_ms: i64,
}

/// What one pass over the partitions gave.
struct Round {
    answers: Vec<PartitionAnswer>,
    /// Of records, in `answers`.
    bytes: usize,
    /// The memory of the records among them that are copies, until the answer counts it.
    copied: AnswerShare,
    /// What the partitions that were read could give, each as much as its own limit allows.
    readable_bytes: i64,
    /// Something was found that is not waited with: an error, a segment that has ended, a log that diverges.
    is_complete: bool,
    /// Whether there is a partition that records may come to.
    can_wait: bool,
}

/// Why a partition is not read.
struct Unresolved {
    error: ErrorCode,
    /// Found when about to read. What does not exist in the first place does not end the wait for others.
    ends_wait: bool,
}

impl Unresolved {
    fn new(error: ErrorCode, ends_wait: bool) -> Self {
        Self { error, ends_wait }
    }
}

impl Fetch {
    fn new(broker: Arc<Broker>, context: RequestContext, request: FetchRequest) -> Self {
        let reader = FetchReader {
            replica_id: if context.version >= 15 {
                request.replica_state.replica_id
            } else {
                request.replica_id
            },
            read_committed: request.isolation_level == READ_COMMITTED,
        };
        let follower = reader.is_follower().then(|| Follower {
            broker_epoch: (request.replica_state.replica_epoch >= 0)
                .then_some(BrokerEpoch(request.replica_state.replica_epoch)),
            asked_ms: clock::monotonic_ms(),
        });
        if let Some(Follower { asked_ms, .. }) = &follower {
            broker.replicas.note_fetch_of(reader.replica_id, *asked_ms);
        }
        // As in Kafka any consumer of this version may, whether it has a rack or not.
        let may_read_from_followers = !reader.is_follower() && context.version >= FROM_FOLLOWERS;
        let rack = may_read_from_followers.then(|| request.rack_id.detached());
        let max_bytes = request.max_bytes.min(broker.config.fetch_max_bytes);
        let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let min_bytes = request.min_bytes.min(max_bytes).max(0);
        let request = session_request(context.version, reader, request);
        Self {
            session: broker.fetch_sessions.context(request, clock::now_ms()),
            reader,
            follower,
            rack,
            max_wait,
            min_bytes: usize::try_from(min_bytes).unwrap_or(0),
            max_bytes,
            broker,
            context,
        }
    }

    /// What to read now, and whether there are others to wait for. Nothing, once a later request of the session has taken over.
    fn wanted(&self) -> (Cow<'_, [FetchPartition]>, bool) {
        match &self.session {
            FetchContext::Error(_) => (Cow::default(), false),
            FetchContext::Sessionless(partitions) | FetchContext::Full { partitions, .. } => {
                (Cow::Borrowed(partitions), false)
            }
            FetchContext::Incremental { session, epoch } => match session.collect(*epoch) {
                Some(collected) => (Cow::Owned(collected.partitions), collected.has_others),
                None => (Cow::default(), false),
            },
        }
    }

    fn wants_existing_partition(&self) -> bool {
        let (wanted, has_others) = self.wanted();
        has_others || wanted.iter().any(|wanted| self.exists(wanted))
    }

    /// Reads every wanted partition once; `None` when one of them would wait for the disk.
    fn read(&self, mode: ReadMode) -> Option<Round> {
        let (wanted, has_others) = self.wanted();
        let mut round = Round {
            answers: Vec::with_capacity(wanted.len()),
            bytes: 0,
            copied: self.context.connection.hold_answer(0),
            readable_bytes: 0,
            is_complete: false,
            can_wait: has_others,
        };
        let mut left = self.max_bytes;
        for wanted in wanted.iter() {
            let (data, watched) = match self.resolve(wanted) {
                Ok((partition, mark)) => self.read_one(wanted, &partition, mark, left, mode, &mut round)?,
                Err(Unresolved { error, ends_wait }) => {
                    round.is_complete |= ends_wait;
                    let data = match ends_wait {
                        true => not_read(wanted.partition, error),
                        false => failed(wanted.partition, error),
                    };
                    (data, None)
                }
            };
            let bytes = data.records.as_ref().map_or(0, |records| records.len());
            round.bytes += bytes;
            left = left.saturating_sub(i32::try_from(bytes).unwrap_or(i32::MAX)).max(0);
            round.answers.push(PartitionAnswer {
                topic: wanted.topic.clone(),
                slot: wanted.slot,
                data,
                watched,
            });
        }
        Some(round)
    }

    fn read_one(
        &self,
        wanted: &FetchPartition,
        partition: &Arc<Partition>,
        mark: Mark,
        left: i32,
        mode: ReadMode,
        round: &mut Round,
    ) -> Option<(PartitionData, Option<Watched>)> {
        let preferred = self.preferred_replica(partition, wanted.fetch_offset);
        let max_bytes = match preferred {
            Some(_) => 0,
            None => wanted.max_bytes.min(left),
        };
        let limits = ReadLimits {
            fetch_offset: wanted.fetch_offset,
            max_bytes: usize::try_from(max_bytes).unwrap_or(0),
            min_one_message: round.bytes == 0,
            readable: self.readable(),
            from_followers: self.rack.is_some(),
            replica: self.follower.as_ref().map(|follower| ReaderReplica {
                id: self.reader.replica_id,
                log_start_offset: wanted.log_start_offset,
                broker_epoch: follower.broker_epoch,
                asked_ms: follower.asked_ms,
            }),
            current_leader_epoch: wanted.current_leader_epoch,
            last_fetched_epoch: wanted.last_fetched_epoch,
            // Without memory for copies even a few bytes come as a range of the file, which holds none.
            sendfile_min_bytes: match self.context.connection.may_copy_records() {
                true => ReadLimits::SENDFILE_MIN_BYTES,
                false => 0,
            },
        };
        match partition.read(&limits, mode) {
            // As in Kafka, which trips over the number where there is something to read.
            Ok(Some(read)) if max_bytes < 0 && wanted.fetch_offset < read.end_offset => {
                round.is_complete = true;
                Some((not_read(wanted.partition, ErrorCode::UNKNOWN_SERVER_ERROR), None))
            }
            Ok(Some(read)) => {
                let seen = Seen {
                    mark: mark.with_bytes_of(read.mark),
                    readable_bytes: i64::try_from(read.readable_bytes).unwrap_or(i64::MAX),
                    max_bytes: i64::from(wanted.max_bytes),
                    to_log_end: limits.readable == Readable::LogEnd,
                };
                round.copied.add(read.records.as_memory().map_or(0, Bytes::len));
                round.can_wait = true;
                round.readable_bytes += seen.counted();
                // An offset beyond what this client may see was once readable on another leader; that is not waited for either.
                round.is_complete |=
                    read.on_older_segment || wanted.fetch_offset > read.end_offset || read.diverging_epoch.is_some();
                let watched = Watched {
                    waiters: partition.waiters.clone(),
                    seen,
                    is_at_end: wanted.fetch_offset >= read.end_offset,
                };
                if let Some(preferred) = preferred {
                    // It is told to read there at once, and gets nothing here.
                    round.is_complete = true;
                    return Some((self.read_elsewhere(wanted, read, preferred), Some(watched)));
                }
                Some((self.found(wanted, read), Some(watched)))
            }
            Ok(None) => None,
            Err(error) => {
                round.is_complete = true;
                log::debug!(
                    client:% = self.context.client_ip();
                    "fetch of client {:?} failed: {error}",
                    self.context.client_id()
                );
                self.broker.note_read_failure(partition, &error);
                Some((
                    self.with_leader(not_read(wanted.partition, error.to_code()), partition),
                    None,
                ))
            }
        }
    }

    fn found(&self, wanted: &FetchPartition, read: PartitionRead) -> PartitionData {
        PartitionData {
            partition_index: wanted.partition,
            high_watermark: read.high_watermark,
            last_stable_offset: read.last_stable_offset,
            log_start_offset: read.log_start_offset,
            diverging_epoch: read
                .diverging_epoch
                .map_or_else(EpochEndOffset::default, |end| EpochEndOffset {
                    epoch: end.epoch,
                    end_offset: end.end_offset,
                }),
            aborted_transactions: self.reader.read_committed.then(Vec::new),
            records: Some(read.records),
            ..Default::default()
        }
    }

    /// The follower that this consumer should read from instead.
    fn preferred_replica(&self, partition: &Partition, fetch_offset: i64) -> Option<i32> {
        let rack = self.rack.as_deref().filter(|rack| !rack.is_empty())?;
        let selector = self.broker.replica_selector;
        if selector == ReplicaSelector::Leader {
            return None;
        }
        let followers = partition.readable_followers(fetch_offset)?;
        let own_rack = self.broker.config.broker_rack.as_deref();
        let rack_of = |id: i32| self.broker.node(&self.context, id)?.rack;
        selector.select(rack, own_rack, followers.into_iter(), rack_of)
    }

    fn read_elsewhere(&self, wanted: &FetchPartition, read: PartitionRead, preferred: i32) -> PartitionData {
        PartitionData {
            preferred_read_replica: preferred,
            records: Some(Chunk::Memory(Bytes::new())),
            ..self.found(wanted, read)
        }
    }

    fn readable(&self) -> Readable {
        match (self.reader.is_follower(), self.reader.read_committed) {
            (true, _) => Readable::LogEnd,
            (false, true) => Readable::LastStableOffset,
            (false, false) => Readable::HighWatermark,
        }
    }

    fn exists(&self, wanted: &FetchPartition) -> bool {
        let metadata = &self.broker.metadata;
        match &wanted.topic {
            TopicKey::Name(name) => metadata.contains(name, wanted.partition),
            TopicKey::Id(id) => metadata
                .topic_name(*id)
                .is_some_and(|name| metadata.contains(&name, wanted.partition)),
        }
    }

    /// The partition here, and a mark from before anything was asked of it: what changes from then on is not missed.
    fn resolve(&self, wanted: &FetchPartition) -> Result<(Arc<Partition>, Mark), Unresolved> {
        let broker = &self.broker;
        let by_id;
        let name: &str = match &wanted.topic {
            TopicKey::Name(name) => name,
            TopicKey::Id(id) => {
                by_id = broker
                    .metadata
                    .topic_name(*id)
                    .ok_or(Unresolved::new(ErrorCode::UNKNOWN_TOPIC_ID, false))?;
                &by_id
            }
        };
        let partition = match broker.replicas.get(name, wanted.partition) {
            Some(partition) => partition,
            None if !broker.metadata.contains(name, wanted.partition) => {
                return Err(Unresolved::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, false));
            }
            None => return Err(Unresolved::new(broker.replicas.missing_code(), true)),
        };
        // The cache of metadata may be a step behind the partitions, while a topic is deleted and created anew.
        if matches!(wanted.topic, TopicKey::Id(id) if id != partition.topic_id) {
            return Err(Unresolved::new(ErrorCode::INCONSISTENT_TOPIC_ID, true));
        }
        let mark = partition.waiters.mark();
        let is_known =
            || self.reader.replica_id != broker.id && partition.state().replicas.contains(&self.reader.replica_id);
        if self.reader.is_follower() && !is_known() {
            // A replica that this leader does not know may know more than we do: by epoch, or just ask again.
            let code = match wanted.current_leader_epoch {
                NO_EPOCH => ErrorCode::NOT_LEADER_OR_FOLLOWER,
                _ => ErrorCode::UNKNOWN_LEADER_EPOCH,
            };
            return Err(Unresolved::new(code, true));
        }
        Ok((partition, mark))
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

    /// Whether the round is answered without waiting: what Kafka asks before it makes a `DelayedFetch`, and then what that asks. The
    /// latter counts what could be read, not what `max_bytes` let through.
    fn is_enough(&self, round: &Round) -> bool {
        round.bytes >= self.min_bytes
            || round.is_complete
            || !round.can_wait
            || self.max_wait.is_zero()
            || round.readable_bytes >= self.min_bytes()
    }

    fn min_bytes(&self) -> i64 {
        i64::try_from(self.min_bytes).unwrap_or(i64::MAX)
    }

    /// The first read would have waited for the disk.
    async fn read_cold_and_wait(self) -> Answer {
        match self.read_cold().await {
            Some((fetch, round)) if fetch.is_enough(&round) => fetch.finish(round),
            Some((fetch, round)) => fetch.wait(round).await,
            None => Answer::Close,
        }
    }

    /// Reads from the disk, where that delays nobody else.
    async fn read_cold(self) -> Option<(Self, Round)> {
        let broker = self.broker.clone();
        let read = broker.read_from_disk(move || {
            let round = self.read(ReadMode::Blocking)?;
            Some((self, round))
        });
        let read = read.await.flatten();
        if read.is_none() {
            log::error!("a blocking read did not complete; closing the connection");
        }
        read
    }

    /// Waits until the fetch is complete. It is answered with what one more read gives then, be it less than `min_bytes`.
    async fn wait(mut self, mut round: Round) -> Answer {
        let deadline = Instant::now() + self.max_wait;
        // What was made of a large request is kept for as long as the client says.
        self.context.request_memory.note_parked();
        self.follower = None;
        loop {
            let wake = match self.park(&round) {
                Some(parked) => {
                    // What was read is read again: it need not stay in memory for so long.
                    drop(round);
                    tokio::select! {
                        wake = parked.waiter.woken(parked.turn) => wake,
                        () = tokio::time::sleep_until(deadline) => Wake::Complete,
                        () = self.context.request_memory.asked_back() => Wake::Complete,

                    }
                }
                None => return self.finish(round),
            };
            round = match self.read(ReadMode::NoWait) {
                Some(round) => round,
                None => match self.read_cold().await {
                    Some((fetch, round)) => {
                        self = fetch;
                        round
                    }
                    None => return Answer::Close,
                },
            };
            if wake != Wake::Look || self.is_enough(&round) {
                return self.finish(round);
            }
        }
    }

    /// Has the partitions wake this fetch. `None` when a later request of the session took over: there is nothing to wait for.
    fn park(&self, round: &Round) -> Option<Parked> {
        match &self.session {
            FetchContext::Incremental { session, epoch } => Some(Parked {
                waiter: session.park(*epoch, &round.answers, self.min_bytes())?,
                turn: *epoch,
                watched: Vec::new(),
            }),
            _ => Some(Parked::new(&round.answers, self.min_bytes())),
        }
    }

    fn finish(self, mut round: Round) -> Answer {
        let (error_code, session_id) =
            self.broker
                .fetch_sessions
                .finish(self.session, &mut round.answers, clock::now_ms(), &mut random::u32);
        speak_to_old_clients(&self.broker, self.context.version, &mut round.answers);
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

/// A parked fetch. Without a session it is registered with its partitions for as long as it lives.
struct Parked {
    waiter: Arc<FetchWaiter>,
    turn: i32,
    watched: Vec<Arc<Waiters>>,
}

impl Parked {
    fn new(answers: &[PartitionAnswer], min_bytes: i64) -> Self {
        let turn = 0;
        let waiter = FetchWaiter::new(turn);
        waiter.park(min_bytes);
        let watched = answers.iter().filter_map(|answer| answer.watched.as_ref());
        for Watched { waiters, seen, .. } in watched.clone() {
            // Never done: it reads all that it names, and needs no marks.
            waiters.watch(&waiter, 0, seen, false);
        }
        Self {
            watched: watched.map(|watched| watched.waiters.clone()).collect(),
            waiter,
            turn,
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        for waiters in &self.watched {
            waiters.unwatch(&self.waiter, 0);
        }
    }
}
