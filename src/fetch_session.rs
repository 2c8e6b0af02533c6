//! Incremental fetch sessions (KIP-227): what a client fetches is remembered between its requests, so that a request names only
//! what changed and an answer carries only what is new. Kafka's `FetchSession.scala`.
//!
//! A session is plain data behind its own lock; the cache decides who is let in and who must go when it is full.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::messages::fetch::PartitionData;
use protocol::wire::{TopicId, Utf8Bytes};

/// "No session" on the wire.
pub const INVALID_SESSION_ID: i32 = 0;
/// The epoch of a request that asks for a new session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that wants no session, or closes the one that it names.
pub const FINAL_EPOCH: i32 = -1;
/// A session that was not used for this long gives way to any other; one younger than this is not evicted for its size.
const EVICTION_MS: i64 = 120_000;

/// How a request names a topic: by id from version 13, by name before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicKey {
    /// Fetch v13 and later.
    Id(TopicId),
    /// Fetch up to v12.
    Name(Utf8Bytes),
}

/// One partition as a client wants it fetched.
#[derive(Debug, Clone)]
pub struct FetchPartition {
    /// The topic as the client names it.
    pub topic: TopicKey,
    /// The partition's index.
    pub partition: i32,
    /// Where to read.
    pub fetch_offset: i64,
    /// The most to return of this partition.
    pub max_bytes: i32,
    /// -1: the client does not know (KIP-320).
    pub current_leader_epoch: i32,
    /// -1: none (KIP-595).
    pub last_fetched_epoch: i32,
    /// A follower's log start offset; -1 from a consumer.
    pub log_start_offset: i64,
}

struct CachedPartition {
    request: FetchPartition,
    /// What the client was last told; -1: nothing yet, or an error.
    high_watermark: i64,
    log_start_offset: i64,
}

impl CachedPartition {
    /// Whether the client must hear of `data`; remembers what it hears.
    fn update(&mut self, data: &PartitionData) -> bool {
        let has_records = data.records.as_ref().is_some_and(|records| !records.is_empty());
        let failed = data.error_code != ErrorCode::NONE;
        let must_respond = has_records
            || failed
            || self.high_watermark != data.high_watermark
            || self.log_start_offset != data.log_start_offset
            || data.preferred_read_replica != -1
            || data.diverging_epoch.epoch >= 0;
        // After an error the partition is sent again when the error has gone, whatever its watermark.
        self.high_watermark = if failed { -1 } else { data.high_watermark };
        self.log_start_offset = data.log_start_offset;
        must_respond
    }
}

#[derive(Default)]
struct SessionState {
    epoch: i32,
    /// In the order in which partitions are served: who got records goes to the end, so that none starves.
    by_order: BTreeMap<u64, CachedPartition>,
    order_of: HashMap<(TopicKey, i32), u64>,
    next_order: u64,
}

impl SessionState {
    fn insert(&mut self, cached: CachedPartition) {
        let key = (cached.request.topic.clone(), cached.request.partition);
        self.order_of.insert(key, self.next_order);
        self.by_order.insert(self.next_order, cached);
        self.next_order += 1;
    }

    fn set(&mut self, request: FetchPartition) {
        match self.order_of.get(&(request.topic.clone(), request.partition)) {
            Some(order) => {
                if let Some(cached) = self.by_order.get_mut(order) {
                    cached.request = request;
                }
            }
            None => self.insert(CachedPartition {
                request,
                high_watermark: -1,
                log_start_offset: -1,
            }),
        }
    }

    fn forget(&mut self, topic: &TopicKey, partition: i32) {
        if let Some(order) = self.order_of.remove(&(topic.clone(), partition)) {
            self.by_order.remove(&order);
        }
    }

    /// Whether `data` belongs into the answer. A partition that was forgotten meanwhile does not.
    fn answer(&mut self, topic: &TopicKey, data: &PartitionData) -> bool {
        let key = (topic.clone(), data.partition_index);
        let Some(order) = self.order_of.get(&key).copied() else {
            return false;
        };
        let Some(cached) = self.by_order.get_mut(&order) else {
            return false;
        };
        let must_respond = cached.update(data);
        if data.records.as_ref().is_some_and(|records| !records.is_empty())
            && let Some(cached) = self.by_order.remove(&order)
        {
            self.insert(cached);
        }
        must_respond
    }
}

/// One session. Held by the cache and by the request that uses it.
pub struct FetchSession {
    id: i32,
    privileged: bool,
    uses_topic_ids: bool,
    created_ms: i64,
    state: Mutex<SessionState>,
}

struct CacheEntry {
    session: Arc<FetchSession>,
    last_used_ms: i64,
    size: usize,
}

/// All sessions of this broker; `max.incremental.fetch.session.cache.slots`.
pub struct FetchSessionCache {
    slots: usize,
    entries: Mutex<HashMap<i32, CacheEntry>>,
}

/// What a Fetch request is about, after its session was looked up.
pub enum FetchContext {
    /// The session is unknown or out of step; nothing is read.
    Error(ErrorCode),
    /// No session is wanted.
    Sessionless(Vec<FetchPartition>),
    /// A session is wanted and will be made of the answer, if there is room.
    Full {
        /// What to fetch.
        partitions: Vec<FetchPartition>,
        /// Fetch v13 or later.
        uses_topic_ids: bool,
    },
    /// A session goes on.
    Incremental {
        /// The session.
        session: Arc<FetchSession>,
        /// Its epoch after this request.
        epoch: i32,
    },
}

/// The session part of a Fetch request.
#[derive(Debug)]
pub struct SessionRequest {
    /// The request's version.
    pub version: i16,
    /// `session_id`
    pub id: i32,
    /// `session_epoch`
    pub epoch: i32,
    /// Partitions that are new or changed.
    pub partitions: Vec<FetchPartition>,
    /// Partitions to forget.
    pub forgotten: Vec<(TopicKey, i32)>,
}

impl FetchSessionCache {
    /// An empty cache with room for `slots` sessions.
    pub fn new(slots: usize) -> Self {
        Self {
            slots,
            entries: Mutex::new(HashMap::new()),
        }
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// True without any session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds out what the request is about, and updates the session that it names.
    pub fn context(&self, request: SessionRequest, now_ms: i64) -> FetchContext {
        let uses_topic_ids = request.version >= 13;
        if request.epoch == INITIAL_EPOCH || request.epoch == FINAL_EPOCH {
            if request.id != INVALID_SESSION_ID {
                self.entries.lock().remove(&request.id);
            }
            return match request.epoch {
                FINAL_EPOCH => FetchContext::Sessionless(request.partitions),
                _ => FetchContext::Full {
                    partitions: request.partitions,
                    uses_topic_ids,
                },
            };
        }
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(&request.id) else {
            return FetchContext::Error(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        };
        let session = entry.session.clone();
        let mut state = session.state.lock();
        if state.epoch != request.epoch {
            return FetchContext::Error(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.uses_topic_ids != uses_topic_ids {
            return FetchContext::Error(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        // Only a request that forgets can leave the session empty, and only then are its own partitions needed again.
        let named = if request.forgotten.is_empty() {
            Vec::new()
        } else {
            request.partitions.clone()
        };
        for partition in request.partitions {
            state.set(partition);
        }
        for (topic, partition) in &request.forgotten {
            state.forget(topic, *partition);
        }
        if state.by_order.is_empty() {
            entries.remove(&request.id);
            return FetchContext::Sessionless(named);
        }
        entry.last_used_ms = now_ms;
        entry.size = state.by_order.len();
        state.epoch = next_epoch(state.epoch);
        let epoch = state.epoch;
        drop(state);
        FetchContext::Incremental { session, epoch }
    }

    /// Decides what of `answers` is sent, and under which session. `random` proposes session ids.
    pub fn finish(
        &self,
        context: FetchContext,
        privileged: bool,
        answers: &mut Vec<(TopicKey, PartitionData)>,
        now_ms: i64,
        random: &mut dyn FnMut() -> u32,
    ) -> (ErrorCode, i32) {
        match context {
            FetchContext::Error(error) => {
                answers.clear();
                (error, INVALID_SESSION_ID)
            }
            FetchContext::Sessionless(_) => (ErrorCode::NONE, INVALID_SESSION_ID),
            FetchContext::Full {
                partitions,
                uses_topic_ids,
            } => (
                ErrorCode::NONE,
                self.create(partitions, uses_topic_ids, privileged, answers, now_ms, random),
            ),
            FetchContext::Incremental { session, epoch } => {
                let mut state = session.state.lock();
                if state.epoch != epoch {
                    answers.clear();
                    return (ErrorCode::INVALID_FETCH_SESSION_EPOCH, session.id);
                }
                answers.retain(|(topic, data)| state.answer(topic, data));
                (ErrorCode::NONE, session.id)
            }
        }
    }

    fn create(
        &self,
        partitions: Vec<FetchPartition>,
        uses_topic_ids: bool,
        privileged: bool,
        answers: &[(TopicKey, PartitionData)],
        now_ms: i64,
        random: &mut dyn FnMut() -> u32,
    ) -> i32 {
        let mut entries = self.entries.lock();
        if entries.len() >= self.slots && !evict(&mut entries, privileged, partitions.len(), now_ms) {
            return INVALID_SESSION_ID;
        }
        let id = loop {
            let id = (random() & 0x7fff_ffff).cast_signed();
            if id != INVALID_SESSION_ID && !entries.contains_key(&id) {
                break id;
            }
        };
        let mut state = SessionState {
            epoch: next_epoch(INITIAL_EPOCH),
            ..SessionState::default()
        };
        for request in partitions {
            state.set(request);
        }
        for (topic, data) in answers {
            let order = state.order_of.get(&(topic.clone(), data.partition_index)).copied();
            if let Some(cached) = order.and_then(|order| state.by_order.get_mut(&order)) {
                cached.update(data);
            }
        }
        let size = state.by_order.len();
        let session = Arc::new(FetchSession {
            id,
            privileged,
            uses_topic_ids,
            created_ms: now_ms,
            state: Mutex::new(state),
        });
        entries.insert(
            id,
            CacheEntry {
                session,
                last_used_ms: now_ms,
                size,
            },
        );
        id
    }
}

impl FetchContext {
    /// What to fetch, in the order in which to fetch it.
    pub fn partitions(&self) -> Vec<FetchPartition> {
        match self {
            FetchContext::Error(_) => Vec::new(),
            FetchContext::Sessionless(partitions) | FetchContext::Full { partitions, .. } => partitions.clone(),
            FetchContext::Incremental { session, .. } => session
                .state
                .lock()
                .by_order
                .values()
                .map(|cached| cached.request.clone())
                .collect(),
        }
    }
}

/// Makes room for a session of `size` partitions, if that one is worth more than another: one that is stale gives way to any; one
/// that is not new gives way to a larger; a follower's session (`privileged`) comes before a consumer's.
fn evict(entries: &mut HashMap<i32, CacheEntry>, privileged: bool, size: usize, now_ms: i64) -> bool {
    let stalest = entries.values().min_by_key(|e| (e.last_used_ms, e.session.id));
    if let Some(stalest) = stalest
        .filter(|e| now_ms - e.last_used_ms > EVICTION_MS)
        .map(|e| e.session.id)
    {
        entries.remove(&stalest);
        return true;
    }
    let evictable = |e: &&CacheEntry| {
        let old = now_ms - e.session.created_ms > EVICTION_MS;
        old || (privileged && !e.session.privileged)
    };
    let least = entries
        .values()
        .filter(evictable)
        .map(|e| (e.session.privileged, e.size, e.session.id))
        .min();
    match least {
        Some(least) if (privileged, size, 0) >= least => {
            entries.remove(&least.2);
            true
        }
        _ => false,
    }
}

/// The epoch that follows `epoch`: 0 opens a session, and a client counts from 1 on.
fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        ..0 => FINAL_EPOCH,
        i32::MAX => 1,
        _ => epoch + 1,
    }
}
