//! All sessions of a broker: who is let in, and who must go when it is full.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::ErrorCode;

use super::session::Begun;
use super::{
    FINAL_EPOCH, FetchContext, FetchPartition, FetchReader, FetchSession, INITIAL_EPOCH, INVALID_SESSION_ID,
    PartitionAnswer, SessionRequest,
};

/// A session that was not used for this long gives way to any other; one younger than this is not evicted for its size.
const EVICTION_MS: i64 = 120_000;

/// All sessions together may have this many partitions for each slot. Kafka bounds the sessions but not what is in them, so that
/// one client with long lists could take all memory. A partition costs about half a KiB here (with names of ordinary length), so that
/// the default of 1,000 slots comes to 50 MiB at most, and to 100,000 partitions: ten consumers or followers of all partitions of a
/// broker that has 10,000.
pub const PARTITIONS_PER_SLOT: usize = 100;

struct CacheEntry {
    session: Arc<FetchSession>,
    last_used_ms: i64,
    size: usize,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<i32, CacheEntry>,
    /// Of all sessions.
    partitions: usize,
}

impl Entries {
    /// Takes a session out. To be dropped without the lock: that may take it out of many partitions.
    #[must_use]
    fn remove(&mut self, id: i32) -> Option<CacheEntry> {
        let removed = self.by_id.remove(&id)?;
        self.partitions -= removed.size;
        Some(removed)
    }
}

/// All sessions of this broker; `max.incremental.fetch.session.cache.slots`.
pub struct FetchSessionCache {
    slots: usize,
    max_partitions: usize,
    entries: Mutex<Entries>,
}

impl FetchSessionCache {
    /// An empty cache with room for `slots` sessions.
    pub fn new(slots: usize) -> Self {
        Self {
            slots,
            max_partitions: slots.saturating_mul(PARTITIONS_PER_SLOT),
            entries: Mutex::default(),
        }
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.entries.lock().by_id.len()
    }

    /// True without any session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many partitions all sessions have.
    pub fn partitions(&self) -> usize {
        self.entries.lock().partitions
    }

    /// Finds out what the request is about, and updates the session that it names.
    pub fn context(&self, request: SessionRequest, now_ms: i64) -> FetchContext {
        if request.epoch == INITIAL_EPOCH || request.epoch == FINAL_EPOCH {
            if request.id != INVALID_SESSION_ID {
                let closed = self.entries.lock().remove(request.id);
                drop(closed);
            }
            return match request.epoch {
                FINAL_EPOCH => FetchContext::Sessionless(request.partitions),
                _ => FetchContext::Full {
                    uses_topic_ids: request.version >= 13,
                    reader: request.reader,
                    partitions: request.partitions,
                },
            };
        }
        let id = request.id;
        let (session, room) = {
            let entries = self.entries.lock();
            let Some(entry) = entries.by_id.get(&id) else {
                return FetchContext::Error(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
            };
            (
                entry.session.clone(),
                self.max_partitions.saturating_sub(entries.partitions),
            )
        };
        match session.begin(request, room) {
            Begun::Error(error) => FetchContext::Error(error),
            Begun::TooLarge => {
                // The client asks for a new one, and is told that there is no room.
                self.close(&session);
                FetchContext::Error(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)
            }
            Begun::Empty(named) => {
                self.close(&session);
                FetchContext::Sessionless(named)
            }
            Begun::Goes { epoch, size } => {
                self.touch(&session, size, now_ms);
                FetchContext::Incremental { session, epoch }
            }
        }
    }

    /// Decides what of `answers` is sent, and under which session. `random` proposes session ids.
    pub fn finish(
        &self,
        context: FetchContext,
        answers: &mut Vec<PartitionAnswer>,
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
                reader,
            } => {
                let id = self.create(partitions, uses_topic_ids, reader, answers, now_ms, random);
                (ErrorCode::NONE, id)
            }
            FetchContext::Incremental { session, epoch } => (session.finish(epoch, answers), session.id),
        }
    }

    fn close(&self, session: &Arc<FetchSession>) {
        let mut entries = self.entries.lock();
        let is_there = entries
            .by_id
            .get(&session.id)
            .is_some_and(|e| Arc::ptr_eq(&e.session, session));
        let closed = if is_there { entries.remove(session.id) } else { None };
        drop(entries);
        drop(closed);
    }

    fn touch(&self, session: &Arc<FetchSession>, size: usize, now_ms: i64) {
        let mut entries = self.entries.lock();
        let Entries { by_id, partitions } = &mut *entries;
        // It may have been evicted since it was looked up.
        if let Some(entry) = by_id.get_mut(&session.id)
            && Arc::ptr_eq(&entry.session, session)
        {
            *partitions = *partitions - entry.size + size;
            entry.size = size;
            entry.last_used_ms = now_ms;
        }
    }

    fn create(
        &self,
        partitions: Vec<FetchPartition>,
        uses_topic_ids: bool,
        reader: FetchReader,
        answers: &[PartitionAnswer],
        now_ms: i64,
        random: &mut dyn FnMut() -> u32,
    ) -> i32 {
        let size = partitions.len();
        let mut entries = self.entries.lock();
        let Some(evicted) = self.make_room(&mut entries, reader.is_follower(), size, now_ms) else {
            return INVALID_SESSION_ID;
        };
        let id = loop {
            let id = (random() & 0x7fff_ffff).cast_signed();
            if id != INVALID_SESSION_ID && !entries.by_id.contains_key(&id) {
                break id;
            }
        };
        let session = FetchSession::new(id, uses_topic_ids, reader, partitions, answers, now_ms);
        entries.partitions += size;
        entries.by_id.insert(
            id,
            CacheEntry {
                session,
                last_used_ms: now_ms,
                size,
            },
        );
        drop(entries);
        drop(evicted);
        id
    }

    /// Makes room for a session of `size` partitions, if there is none, by taking others out that are worth less. `None`, and nothing
    /// is taken out, where that does not suffice.
    fn make_room(&self, entries: &mut Entries, privileged: bool, size: usize, now_ms: i64) -> Option<Vec<CacheEntry>> {
        if size > self.max_partitions || self.slots == 0 {
            return None;
        }
        let mut sessions_left = entries.by_id.len();
        let mut partitions_left = entries.partitions;
        let is_full =
            |sessions: usize, partitions: usize| sessions >= self.slots || partitions + size > self.max_partitions;
        if !is_full(sessions_left, partitions_left) {
            return Some(Vec::new());
        }
        let mut victims = Vec::new();
        for (id, size) in less_valuable(entries, privileged, size, now_ms) {
            victims.push(id);
            sessions_left -= 1;
            partitions_left -= size;
            if !is_full(sessions_left, partitions_left) {
                return Some(victims.into_iter().filter_map(|id| entries.remove(id)).collect());
            }
        }
        None
    }
}

/// Ids and sizes of the sessions that a new one of `size` partitions may replace, the least valuable first: one that is stale gives
/// way to any; one that is not new gives way to a larger; a follower's session (`privileged`) comes before a consumer's.
fn less_valuable(entries: &Entries, privileged: bool, size: usize, now_ms: i64) -> Vec<(i32, usize)> {
    let is_stale = |e: &CacheEntry| now_ms - e.last_used_ms > EVICTION_MS;
    let mut stale: Vec<_> = entries.by_id.values().filter(|e| is_stale(e)).collect();
    stale.sort_unstable_by_key(|e| (e.last_used_ms, e.session.id));
    let value = |e: &&CacheEntry| (e.session.privileged, e.size, e.session.id);
    let may_replace = |e: &&CacheEntry| {
        let old = now_ms - e.session.created_ms > EVICTION_MS;
        let evictable = old || (privileged && !e.session.privileged);
        !is_stale(e) && evictable && (privileged, size, 0) >= value(e)
    };
    let mut lesser: Vec<_> = entries.by_id.values().filter(may_replace).collect();
    lesser.sort_unstable_by_key(value);
    stale
        .into_iter()
        .chain(lesser)
        .map(|e| (e.session.id, e.size))
        .collect()
}
