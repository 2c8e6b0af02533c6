//! What a session knows of its partitions: what its client fetches and was last told, and which of them must be read again. It takes no
//! lock but that of a partition's [`Waiters`], with which it registers.
//!
//! A partition is *dirty* unless it is known that reading it would add nothing to an answer: the client fetches at its end, was told
//! its high watermark and log start offset, and nothing has happened to it since. A new one is dirty, and one that the request
//! changed, that answered an error or records, or that its [`Waiters`] marked. So what is not dirty is registered
//! with the partition object that answered last; when that one goes, it marks the slot, and the next read looks the partition up
//! again.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::fetch::PartitionData;

use super::{FetchPartition, FetchReader, PartitionAnswer, TopicKey};
use crate::partition::{FetchWaiter, Slot, Waiters};

pub(super) struct CachedPartition {
    pub(super) request: FetchPartition,
    /// What the client was last told; -1: nothing yet, or an error.
    high_watermark: i64,
    log_start_offset: i64,
    /// Partitions are served in this order: who got records goes to the end, so that none starves.
    pub(super) order: u64,
    is_dirty: bool,
    /// Where the session is registered for it. Not the partition: a deleted one keeps no files open for a session.
    waiters: Option<Arc<Waiters>>,
}

impl CachedPartition {
    /// Whether the client must hear of `answer`.
    pub(super) fn must_respond(&self, answer: &PartitionAnswer) -> bool {
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

pub(super) struct SessionState {
    pub(super) epoch: i32,
    pub(super) reader: FetchReader,
    pub(super) partitions: Vec<Option<CachedPartition>>,
    /// Places in `partitions` that are free.
    free: Vec<Slot>,
    pub(super) slot_of: HashMap<(TopicKey, i32), Slot>,
    /// Each once.
    pub(super) dirty: Vec<Slot>,
    next_order: u64,
}

impl CachedPartition {
    pub(super) fn unwatch(&self, waiter: &Arc<FetchWaiter>) {
        if let Some(waiters) = &self.waiters {
            waiters.unwatch(waiter, self.request.slot);
        }
    }
}

impl SessionState {
    /// Without partitions, in `epoch`, with room for `count`.
    pub(super) fn new(epoch: i32, reader: FetchReader, count: usize) -> Self {
        Self {
            epoch,
            reader,
            slot_of: HashMap::with_capacity(count),
            partitions: Vec::with_capacity(count),
            free: Vec::new(),
            dirty: Vec::new(),
            next_order: 0,
        }
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&CachedPartition> {
        self.partitions.get(slot as usize)?.as_ref()
    }

    fn get_mut(&mut self, slot: Slot) -> Option<&mut CachedPartition> {
        self.partitions.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn count_new(&self, partitions: &[FetchPartition]) -> usize {
        let is_new = |p: &&FetchPartition| !self.slot_of.contains_key(&(p.topic.clone(), p.partition));
        partitions.iter().filter(is_new).count()
    }

    /// A slot may have been freed since it was marked, and may belong to another partition now, which is then read once too often.
    pub(super) fn mark(&mut self, slot: Slot) {
        if let Some(cached) = self.get_mut(slot)
            && !cached.is_dirty
        {
            cached.is_dirty = true;
            self.dirty.push(slot);
        }
    }

    pub(super) fn mark_all(&mut self) {
        for slot in 0..self.partitions.len() {
            self.mark(slot as Slot);
        }
    }

    /// Drops from `dirty` what no longer is, after partitions were settled or forgotten.
    pub(super) fn sweep(&mut self) {
        let partitions = &self.partitions;
        self.dirty
            .retain(|slot| partitions[*slot as usize].as_ref().is_some_and(|c| c.is_dirty));
    }

    pub(super) fn set(&mut self, mut request: FetchPartition) {
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

    pub(super) fn forget(&mut self, waiter: &Arc<FetchWaiter>, topic: TopicKey, partition: i32) {
        if let Some(slot) = self.slot_of.remove(&(topic, partition))
            && let Some(cached) = self.partitions[slot as usize].take()
        {
            cached.unwatch(waiter);
            self.free.push(slot);
        }
    }

    /// Takes note of a read: registers with the partition that was read, and with no other. `is_done`: reading it again would add
    /// nothing to an answer, unless something happened to it since.
    pub(super) fn settle(&mut self, waiter: &Arc<FetchWaiter>, answer: &PartitionAnswer, is_done: bool) {
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
    pub(super) fn tell(&mut self, waiter: &Arc<FetchWaiter>, answer: &PartitionAnswer) {
        if let Some(cached) = self.get_mut(answer.slot) {
            cached.note_told(&answer.data);
        }
        self.settle(waiter, answer, answer.is_exhausted());
    }

    /// Whether `answer` belongs into the answer.
    pub(super) fn answer(&mut self, waiter: &Arc<FetchWaiter>, answer: &PartitionAnswer) -> bool {
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
