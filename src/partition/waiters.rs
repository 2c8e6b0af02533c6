//! Fetches that wait for records. A waiter has one entry per partition and is woken once, when the bytes that became readable in
//! all of them reach its `min_bytes`; a wake-up short of that does not happen. Kafka's `DelayedFetch`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// One parked fetch.
pub struct FetchWaiter {
    missing_bytes: AtomicI64,
    woken: AtomicBool,
    notify: Notify,
}

impl FetchWaiter {
    /// A waiter that `missing_bytes` more readable bytes satisfy.
    pub fn new(missing_bytes: i64) -> Arc<Self> {
        Arc::new(Self {
            missing_bytes: AtomicI64::new(missing_bytes),
            woken: AtomicBool::new(false),
            notify: Notify::new(),
        })
    }

    fn add(&self, bytes: i64) {
        if self.missing_bytes.fetch_sub(bytes, Ordering::AcqRel) <= bytes {
            self.wake();
        }
    }

    /// Wakes the fetch whatever it has: an error, a new segment, a lost leadership.
    pub fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }

    /// Resolves once the waiter was woken.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }
}

struct Entry {
    waiter: Arc<FetchWaiter>,
    /// The partition's `max_bytes` less what was counted already.
    countable_bytes: i64,
}

/// The waiters of one partition.
#[derive(Default)]
pub struct Waiters {
    entries: Mutex<Vec<Entry>>,
    /// All bytes that ever became readable; lets a fetch see what came between its read and its registration.
    readable_bytes: AtomicI64,
    /// How often everybody was woken.
    wakes: AtomicU64,
}

/// How far a partition's waiters were when a fetch read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    readable_bytes: i64,
    wakes: u64,
}

impl Waiters {
    /// A mark to take when reading and to hand to [`Waiters::register`].
    pub fn mark(&self) -> Mark {
        Mark {
            readable_bytes: self.readable_bytes.load(Ordering::Acquire),
            wakes: self.wakes.load(Ordering::Acquire),
        }
    }

    /// From now on, bytes that become readable count for `waiter`, and so do those since `mark`.
    pub fn register(&self, waiter: &Arc<FetchWaiter>, max_bytes: i64, mark: Mark) {
        let mut entries = self.entries.lock();
        let since = (self.readable_bytes.load(Ordering::Acquire) - mark.readable_bytes).min(max_bytes);
        let missed_wake = self.wakes.load(Ordering::Acquire) != mark.wakes;
        entries.push(Entry {
            waiter: waiter.clone(),
            countable_bytes: max_bytes - since,
        });
        drop(entries);
        if missed_wake {
            waiter.wake();
        } else if since > 0 {
            waiter.add(since);
        }
    }

    /// Takes `waiter` out again.
    pub fn deregister(&self, waiter: &Arc<FetchWaiter>) {
        let mut entries = self.entries.lock();
        entries.retain(|e| !Arc::ptr_eq(&e.waiter, waiter));
        if entries.is_empty() {
            *entries = Vec::new();
        }
    }

    /// `bytes` more can be read.
    pub fn became_readable(&self, bytes: i64) {
        // Under the lock, so that whoever registers counts these bytes once: in `since` or here.
        let mut entries = self.entries.lock();
        self.readable_bytes.fetch_add(bytes, Ordering::AcqRel);
        for entry in entries.iter_mut() {
            let counted = bytes.min(entry.countable_bytes);
            entry.countable_bytes -= counted;
            entry.waiter.add(counted);
        }
    }

    /// Wakes everybody, those too who have read and not registered yet.
    pub fn wake_all(&self) {
        let entries = self.entries.lock();
        self.wakes.fetch_add(1, Ordering::AcqRel);
        for entry in entries.iter() {
            entry.waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_woken(waiter: &FetchWaiter) -> bool {
        waiter.woken.load(Ordering::Acquire)
    }

    #[test]
    fn wakes_when_the_bytes_of_all_partitions_reach_the_minimum() {
        let (one, two) = (Waiters::default(), Waiters::default());
        let waiter = FetchWaiter::new(100);
        one.register(&waiter, 1_000, one.mark());
        two.register(&waiter, 1_000, two.mark());
        one.became_readable(60);
        assert!(!is_woken(&waiter));
        two.became_readable(40);
        assert!(is_woken(&waiter));
    }

    #[test]
    fn a_partition_counts_no_more_than_its_own_limit() {
        let waiters = Waiters::default();
        let waiter = FetchWaiter::new(100);
        waiters.register(&waiter, 50, waiters.mark());
        waiters.became_readable(500);
        assert!(!is_woken(&waiter));
    }

    #[test]
    fn what_came_between_reading_and_registering_counts() {
        let waiters = Waiters::default();
        let waiter = FetchWaiter::new(10);
        let mark = waiters.mark();
        waiters.became_readable(10);
        waiters.register(&waiter, 1_000, mark);
        assert!(is_woken(&waiter));
    }

    #[test]
    fn a_wake_between_reading_and_registering_is_not_missed() {
        let waiters = Waiters::default();
        let waiter = FetchWaiter::new(10);
        let mark = waiters.mark();
        waiters.wake_all();
        waiters.register(&waiter, 1_000, mark);
        assert!(is_woken(&waiter));
    }

    #[test]
    fn a_waiter_that_left_hears_nothing() {
        let waiters = Waiters::default();
        let waiter = FetchWaiter::new(10);
        waiters.register(&waiter, 1_000, waiters.mark());
        waiters.deregister(&waiter);
        waiters.became_readable(10);
        assert!(!is_woken(&waiter));
    }
}
