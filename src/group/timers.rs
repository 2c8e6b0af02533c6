//! When to look at which group. Runs on the control runtime, which never touches a log, so that a stalled disk does not
//! make members look dead or alive.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::cell::{Cell, Inner, OffsetsPartition};
use super::coordinator::Shared;
use super::decision::Decision;

struct Timer {
    at_ms: i64,
    partition: Weak<OffsetsPartition>,
    cell: Weak<Cell>,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at_ms == other.at_ms
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at_ms.cmp(&other.at_ms)
    }
}

/// The deadlines of all groups.
#[derive(Default)]
pub(super) struct Timers {
    heap: Mutex<BinaryHeap<Reverse<Timer>>>,
    earlier: Notify,
}

impl Timers {
    /// Makes sure that the group is looked at by its next deadline. Most deadlines only move away – every heartbeat
    /// does that – and cost nothing here: the timer that is set looks, and finds the new one.
    pub fn watch(&self, partition: &Arc<OffsetsPartition>, cell: &Arc<Cell>, inner: &mut Inner) {
        let at_ms = inner.group.next_deadline_ms();
        if at_ms >= inner.wake_at_ms {
            return;
        }
        inner.wake_at_ms = at_ms;
        let timer = Timer {
            at_ms,
            partition: Arc::downgrade(partition),
            cell: Arc::downgrade(cell),
        };
        let mut heap = self.heap.lock();
        let is_first = heap.peek().is_none_or(|Reverse(first)| at_ms < first.at_ms);
        heap.push(Reverse(timer));
        drop(heap);
        if is_first {
            self.earlier.notify_one();
        }
    }

    fn due(&self, now_ms: i64) -> Option<Timer> {
        let mut heap = self.heap.lock();
        if heap.peek().is_some_and(|Reverse(first)| first.at_ms <= now_ms) {
            return heap.pop().map(|Reverse(timer)| timer);
        }
        None
    }

    fn next_at_ms(&self) -> Option<i64> {
        self.heap.lock().peek().map(|Reverse(first)| first.at_ms)
    }
}

/// Looks at groups when their time has come, for as long as the coordinator lives.
pub(super) async fn run(shared: Weak<Shared>) {
    loop {
        let Some(strong) = shared.upgrade() else { return };
        while let Some(timer) = strong.timers.due(strong.now().monotonic_ms) {
            if let (Some(partition), Some(cell)) = (timer.partition.upgrade(), timer.cell.upgrade()) {
                let mut inner = cell.lock();
                inner.wake_at_ms = i64::MAX;
                let now = strong.now();
                strong.perform(&partition, &cell, &mut inner, Decision::<()>::default(), now);
            }
        }
        let wait = strong
            .timers
            .next_at_ms()
            .map(|at_ms| at_ms - strong.now().monotonic_ms);
        let wait = Duration::from_millis(wait.map_or(IDLE_MS, |ms| u64::try_from(ms).unwrap_or(0).min(IDLE_MS)));
        tokio::select! {
            () = strong.timers.earlier.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = strong.stopped() => return,
        }
    }
}

/// The longest sleep without a look around.
const IDLE_MS: u64 = 60_000;

/// Expires offsets every `offsets.retention.check.interval.ms`.
pub(super) async fn run_expiration(shared: Weak<Shared>) {
    loop {
        let Some(strong) = shared.upgrade() else { return };
        strong.expire_offsets();
        let interval = Duration::from_millis(u64::try_from(strong.config.retention_check_interval_ms).unwrap_or(1));
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = strong.stopped() => return,
        }
    }
}
