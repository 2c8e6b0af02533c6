//! One session: what its client fetches and was last told, and which of its partitions must be read again.
//!
//! A partition is *dirty* unless it is known that reading it would add nothing to an answer: the client fetches at its end, was told
//! its high watermark and log start offset, and nothing has happened to it since. A new one is dirty, and one that the request
//! changed, that answered an error or records, or that its [`crate::partition::Waiters`] marked. So what is not dirty is registered
//! with the partition object that answered last; when that one goes, it marks the slot, and the next read looks the partition up
//! again.
//!
//! Locks: a session's lock is taken before those of its partitions' waiters, and never by who holds one of these.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::messages::fetch::PartitionData;

use super::{FetchPartition, FetchReader, INITIAL_EPOCH, PartitionAnswer, SessionRequest, TopicKey, next_epoch};
use crate::partition::{FetchWaiter, Slot, Waiters};

struct CachedPartition {
    request: FetchPartition,
    /// What the client was last told; -1: nothing yet, or an error.
    high_watermark: i64,
    log_start_offset: i64,
    /// Partitions are served in this order: who got records goes to the end, so that none starves.
    order: u64,
    is_dirty: bool,
    /// Where the session is registered for it. Not the partition: a deleted one keeps no files open for a session.
    waiters: Option<Arc<Waiters>>,
}

impl CachedPartition {
    /// Whether the client must hear of `answer`.
    fn must_respond(&self, answer: &PartitionAnswer) -> bool {
        let data = &answer.data;
        answer.has_records()
            || data.error_code != ErrorCode::NONE
            || self.high_watermark != data.high_watermark
            || self.log_start_offset != data.log_start_offset
            || data.preferred_read_replica != -1
            || data.diverging_epoch.epoch >= 0
    }

    /// Remembers what the client hears.
    fn note_told(&mut self, data: &PartitionData) {
        let failed = data.error_code != ErrorCode::NONE;
        // After an error the partition is sent again when the error has gone, whatever its watermark.
        self.high_watermark = if failed { -1 } else { data.high_watermark };
        self.log_start_offset = data.log_start_offset;
    }
}

struct SessionState {
    epoch: i32,
    reader: FetchReader,
    partitions: Vec<Option<CachedPartition>>,
    /// Places in `partitions` that are free.
    free: Vec<Slot>,
    slot_of: HashMap<(TopicKey, i32), Slot>,
    /// Each once.
    dirty: Vec<Slot>,
    next_order: u64,
}

/// One session. Held by the cache and by the request that uses it; partitions know its waiter only, until it is dropped.
pub struct FetchSession {
    /// As the client names it.
    pub id: i32,
    /// A follower's.
    pub privileged: bool,
    /// Of Fetch v13 or later.
    pub uses_topic_ids: bool,
    /// When it was created.
    pub created_ms: i64,
    waiter: Arc<FetchWaiter>,
    state: Mutex<SessionState>,
}

/// What a request of a session must read.
pub struct Collected {
    /// In the order in which to read.
    pub partitions: Vec<FetchPartition>,
    /// Whether the session has others, which can be waited for.
    pub has_others: bool,
}

/// How a request of a session begins.
pub(super) enum Begun {
    /// Refused; the session stays as it is.
    Error(ErrorCode),
    /// It would have more partitions than there is room for.
    TooLarge,
    /// Nothing is left of it.
    Empty(Vec<FetchPartition>),
    /// It goes on.
    Goes {
        /// In this epoch.
        epoch: i32,
        /// With so many partitions.
        size: usize,
    },
}

impl FetchSession {
    /// A session of the partitions of a full request and what it was answered.
    pub(super) fn new(
        id: i32,
        uses_topic_ids: bool,
        reader: FetchReader,
        partitions: Vec<FetchPartition>,
        answers: &[PartitionAnswer],
        now_ms: i64,
    ) -> Arc<Self> {
        let epoch = next_epoch(INITIAL_EPOCH);
        let waiter = FetchWaiter::new(epoch);
        let mut state = SessionState {
            epoch,
            reader,
            slot_of: HashMap::with_capacity(partitions.len()),
            partitions: Vec::with_capacity(partitions.len()),
            free: Vec::new(),
            dirty: Vec::new(),
            next_order: 0,
        };
        // None is there yet, so that each gets the slot that it has in the request, by which the answers name it.
        for request in partitions {
            state.set(request);
        }
        for answer in answers {
            state.tell(&waiter, answer);
        }
        state.sweep();
        Arc::new(Self {
            id,
            privileged: reader.is_follower(),
            uses_topic_ids,
            created_ms: now_ms,
            waiter,
            state: Mutex::new(state),
        })
    }

    /// Takes in what the next request changes. `room` is for how many more partitions there is.
    pub(super) fn begin(&self, request: SessionRequest, room: usize) -> Begun {
        let mut state = self.state.lock();
        if state.epoch != request.epoch {
            return Begun::Error(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if self.uses_topic_ids != (request.version >= 13) {
            return Begun::Error(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        if request.partitions.len() > room && state.count_new(&request.partitions) > room {
            return Begun::TooLarge;
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
        for (topic, partition) in request.forgotten {
            state.forget(&self.waiter, topic, partition);
        }
        if state.slot_of.is_empty() {
            return Begun::Empty(named);
        }
        state.sweep();
        if state.reader != request.reader {
            state.reader = request.reader;
            state.mark_all();
        }
        state.epoch = next_epoch(state.epoch);
        self.waiter.begin(state.epoch);
        Begun::Goes {
            epoch: state.epoch,
            size: state.slot_of.len(),
        }
    }

    /// What to read for the request that began `epoch`: at first, and after each wake-up. `None` when a later one took over.
    pub fn collect(&self, epoch: i32) -> Option<Collected> {
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return None;
        }
        let mut marked = Vec::new();
        self.waiter.take_marked(&mut marked);
        for slot in marked {
            state.mark(slot);
        }
        let mut collected: Vec<(u64, FetchPartition)> = state
            .dirty
            .iter()
            .filter_map(|slot| state.get(*slot))
            .map(|cached| (cached.order, cached.request.clone()))
            .collect();
        collected.sort_unstable_by_key(|(order, _)| *order);
        Some(Collected {
            has_others: state.slot_of.len() > collected.len(),
            partitions: collected.into_iter().map(|(_, request)| request).collect(),
        })
    }

    /// The request of `epoch` waits for `min_bytes`, counted over all partitions of the session, after it has read `answers`. The
    /// waiter to await; `None` when a later request took over.
    pub fn park(&self, epoch: i32, answers: &[PartitionAnswer], min_bytes: i64) -> Option<Arc<FetchWaiter>> {
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return None;
        }
        for answer in answers {
            // What the client must hear is read again when the answer is made.
            let is_done = state.get(answer.slot).is_some_and(|c| !c.must_respond(answer));
            state.settle(&self.waiter, answer, is_done && answer.is_exhausted());
        }
        state.sweep();
        self.waiter.park(min_bytes);
        Some(self.waiter.clone())
    }

    /// Keeps of `answers` what the client must hear. Nothing, and an error, when a later request took over.
    pub(super) fn finish(&self, epoch: i32, answers: &mut Vec<PartitionAnswer>) -> ErrorCode {
        let mut state = self.state.lock();
        if state.epoch != epoch {
            answers.clear();
            return ErrorCode::INVALID_FETCH_SESSION_EPOCH;
        }
        answers.retain(|answer| state.answer(&self.waiter, answer));
        state.sweep();
        ErrorCode::NONE
    }

    /// How many partitions it has.
    pub fn len(&self) -> usize {
        self.state.lock().slot_of.len()
    }

    /// Never: without partitions it is closed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for FetchSession {
    fn drop(&mut self) {
        for cached in self.state.get_mut().partitions.iter().flatten() {
            cached.unwatch(&self.waiter);
        }
    }
}

impl CachedPartition {
    fn unwatch(&self, waiter: &Arc<FetchWaiter>) {
        if let Some(waiters) = &self.waiters {
            waiters.unwatch(waiter, self.request.slot);
        }
    }
}

impl SessionState {
    fn get(&self, slot: Slot) -> Option<&CachedPartition> {
        self.partitions.get(slot as usize)?.as_ref()
    }

    fn get_mut(&mut self, slot: Slot) -> Option<&mut CachedPartition> {
        self.partitions.get_mut(slot as usize)?.as_mut()
    }

    fn count_new(&self, partitions: &[FetchPartition]) -> usize {
        let is_new = |p: &&FetchPartition| !self.slot_of.contains_key(&(p.topic.clone(), p.partition));
        partitions.iter().filter(is_new).count()
    }

    /// A slot may have been freed since it was marked, and may belong to another partition now, which is then read once too often.
    fn mark(&mut self, slot: Slot) {
        if let Some(cached) = self.get_mut(slot)
            && !cached.is_dirty
        {
            cached.is_dirty = true;
            self.dirty.push(slot);
        }
    }

    fn mark_all(&mut self) {
        for slot in 0..self.partitions.len() {
            self.mark(slot as Slot);
        }
    }

    /// Drops from `dirty` what no longer is, after partitions were settled or forgotten.
    fn sweep(&mut self) {
        let partitions = &self.partitions;
        self.dirty
            .retain(|slot| partitions[*slot as usize].as_ref().is_some_and(|c| c.is_dirty));
    }

    fn set(&mut self, mut request: FetchPartition) {
        let key = (request.topic.clone(), request.partition);
        if let Some(&slot) = self.slot_of.get(&key) {
            request.slot = slot;
            if let Some(cached) = self.get_mut(slot) {
                cached.request = request;
            }
            self.mark(slot);
            return;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.partitions.push(None);
            (self.partitions.len() - 1) as Slot
        });
        request.slot = slot;
        self.slot_of.insert(key, slot);
        self.partitions[slot as usize] = Some(CachedPartition {
            request,
            high_watermark: -1,
            log_start_offset: -1,
            order: self.next_order,
            is_dirty: true,
            waiters: None,
        });
        self.next_order += 1;
        self.dirty.push(slot);
    }

    fn forget(&mut self, waiter: &Arc<FetchWaiter>, topic: TopicKey, partition: i32) {
        if let Some(slot) = self.slot_of.remove(&(topic, partition))
            && let Some(cached) = self.partitions[slot as usize].take()
        {
            cached.unwatch(waiter);
            self.free.push(slot);
        }
    }

    /// Takes note of a read: registers with the partition that was read, and with no other. `is_done`: reading it again would add
    /// nothing to an answer, unless something happened to it since.
    fn settle(&mut self, waiter: &Arc<FetchWaiter>, answer: &PartitionAnswer, is_done: bool) {
        let Some(cached) = self.get_mut(answer.slot) else {
            return;
        };
        let waiters = answer.watched.as_ref().map(|watched| &watched.waiters);
        let is_other = match (&cached.waiters, waiters) {
            (Some(registered), Some(read)) => !Arc::ptr_eq(registered, read),
            (registered, _) => registered.is_some(),
        };
        if is_other {
            cached.unwatch(waiter);
        }
        cached.waiters = waiters.cloned();
        let is_done = match &answer.watched {
            Some(watched) => watched.waiters.watch(waiter, answer.slot, &watched.seen, is_done),
            // An error: asked again with the next request.
            None => false,
        };
        match is_done {
            true => cached.is_dirty = false,
            false => self.mark(answer.slot),
        }
    }

    /// Remembers what the client is told.
    fn tell(&mut self, waiter: &Arc<FetchWaiter>, answer: &PartitionAnswer) {
        if let Some(cached) = self.get_mut(answer.slot) {
            cached.note_told(&answer.data);
        }
        self.settle(waiter, answer, answer.is_exhausted());
    }

    /// Whether `answer` belongs into the answer.
    fn answer(&mut self, waiter: &Arc<FetchWaiter>, answer: &PartitionAnswer) -> bool {
        let order = self.next_order;
        let Some(cached) = self.get_mut(answer.slot) else {
            return false;
        };
        let must_respond = cached.must_respond(answer);
        if answer.has_records() {
            cached.order = order;
            self.next_order += 1;
        }
        self.tell(waiter, answer);
        must_respond
    }
}
