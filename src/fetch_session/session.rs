//! One session: its state behind a lock, the epoch that each request must name, and the waiter that its partitions mark.
//!
//! Locks: a session's lock is taken before those of its partitions' waiters, and never by who holds one of these.

use std::sync::Arc;

use parking_lot::Mutex;
use protocol::ErrorCode;

use super::state::SessionState;
use super::{FetchPartition, FetchReader, INITIAL_EPOCH, PartitionAnswer, SessionRequest, next_epoch};
use crate::partition::FetchWaiter;

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
        let mut state = SessionState::new(epoch, reader, partitions.len());
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
