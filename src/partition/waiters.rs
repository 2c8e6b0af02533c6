//! Who wants to hear of a partition: fetches that wait for records, and fetch sessions (KIP-227), which stay registered between
//! their requests so that the next one reads only what changed. Kafka's `DelayedFetch`, without its purgatory.
//!
//! A partition has one entry per waiter. What happens to the partition does three things to an entry, in this order: it *marks* the
//! waiter's slot (once, until the slot is settled again), it counts the bytes that became readable, and it wakes the waiter if that
//! completes the fetch that is parked there. Whoever reads first takes the marks and then reads; whoever settles a read compares the
//! [`Mark`] of that read under the same lock that events take. So an event either precedes the read, which sees it, or follows the
//! mark, and then the slot stays marked and its bytes count: none falls between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU8, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// A partition's place in a waiter's own list.
pub type Slot = u32;

/// Something changed that may complete the fetch: look again.
const LOOK: u8 = 1;
/// Something happened that completes the fetch, whatever it has.
const COMPLETE: u8 = 2;

/// Why a parked fetch goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// It is answered with whatever there is.
    Complete,
    /// A partition changed: read what changed, and wait on where that is not enough.
    Look,
    /// A later request of the same session took over.
    Superseded,
}

/// One parked fetch, or a session whose fetches park one after the other.
pub struct FetchWaiter {
    /// What could be returned now, over all its partitions, of each no more than the partition's own limit.
    readable_bytes: AtomicI64,
    /// What the parked fetch waits for; `i64::MAX` while none is.
    min_bytes: AtomicI64,
    signals: AtomicU8,
    /// The request that this waiter serves now: the session's epoch.
    turn: AtomicI32,
    /// Slots that something happened to, each once.
    marked: Mutex<Vec<Slot>>,
    notify: Notify,
}

impl FetchWaiter {
    /// A waiter without partitions, nobody parked, in turn `turn`.
    pub fn new(turn: i32) -> Arc<Self> {
        Arc::new(Self {
            readable_bytes: AtomicI64::new(0),
            min_bytes: AtomicI64::new(i64::MAX),
            signals: AtomicU8::new(0),
            turn: AtomicI32::new(turn),
            marked: Mutex::new(Vec::new()),
            notify: Notify::new(),
        })
    }

    /// The next request takes over; one that is still parked goes on as [`Wake::Superseded`].
    pub fn begin(&self, turn: i32) {
        self.min_bytes.store(i64::MAX, Ordering::SeqCst);
        self.turn.store(turn, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// Appends the slots that were marked since the last call. Wake-ups up to now are answered by reading those.
    pub fn take_marked(&self, into: &mut Vec<Slot>) {
        // Events mark first and wake then; in this order none is lost between the two.
        self.signals.store(0, Ordering::SeqCst);
        into.append(&mut self.marked.lock());
    }

    /// From now on `min_bytes` readable bytes wake whoever is in [`FetchWaiter::woken`].
    pub fn park(&self, min_bytes: i64) {
        self.min_bytes.store(min_bytes, Ordering::SeqCst);
    }

    /// Resolves once the fetch of this turn has a reason to go on.
    pub async fn woken(&self, turn: i32) -> Wake {
        loop {
            // Made before looking: from here on it hears every notification.
            let notified = self.notify.notified();
            if let Some(wake) = self.due(turn) {
                return wake;
            }
            notified.await;
        }
    }

    /// Why the fetch of this turn would go on now.
    pub fn due(&self, turn: i32) -> Option<Wake> {
        if self.turn.load(Ordering::SeqCst) != turn {
            return Some(Wake::Superseded);
        }
        let signals = self.signals.load(Ordering::SeqCst);
        // `park` stores the one and reads the other, `add` the other way round, so that one of them sees both.
        let min_bytes = self.min_bytes.load(Ordering::SeqCst);
        if signals & COMPLETE != 0 || self.readable_bytes.load(Ordering::SeqCst) >= min_bytes {
            return Some(Wake::Complete);
        }
        (signals & LOOK != 0).then_some(Wake::Look)
    }

    fn add(&self, bytes: i64) {
        let readable = self.readable_bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        if readable >= self.min_bytes.load(Ordering::SeqCst) {
            self.notify.notify_waiters();
        }
    }

    fn signal(&self, signal: u8) {
        self.signals.fetch_or(signal, Ordering::SeqCst);
        self.notify.notify_waiters();
    }
}

struct Entry {
    waiter: Arc<FetchWaiter>,
    slot: Slot,
    /// Whether it reads what is not committed yet, as followers do.
    to_log_end: bool,
    /// The most that counts of this partition.
    max_bytes: i64,
    /// From the offset that the waiter fetches on.
    readable_bytes: i64,
    /// The waiter knows already that it must read this partition again.
    is_marked: bool,
}

impl Entry {
    fn counted(&self) -> i64 {
        self.readable_bytes.min(self.max_bytes)
    }

    fn mark(&mut self) {
        if !self.is_marked {
            self.is_marked = true;
            self.waiter.marked.lock().push(self.slot);
        }
    }

    fn set_readable(&mut self, bytes: i64) {
        let before = self.counted();
        self.readable_bytes = bytes;
        let counted = self.counted() - before;
        if counted != 0 {
            self.waiter.add(counted);
        }
    }
}

/// The waiters of one partition.
#[derive(Default)]
pub struct Waiters {
    entries: Mutex<Vec<Entry>>,
    /// All bytes that were ever committed; lets a fetch see what came between its read and its registration.
    committed_bytes: AtomicI64,
    /// The same of all that was appended, for those who read to the log's end.
    appended_bytes: AtomicI64,
    /// Counts what else happened.
    changes: AtomicU64,
    /// The partition is no longer here. For good: another one with its name has waiters of its own.
    is_gone: AtomicBool,
}

/// How far a partition's waiters were when a fetch read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    committed_bytes: i64,
    appended_bytes: i64,
    changes: u64,
}

/// Records that came in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Their size.
    pub bytes: i64,
    /// Whether a new segment began with them: a fetch that reads before it is complete.
    pub rolled: bool,
}

impl Mark {
    /// This mark, but counting bytes from where `read` does: for one that was taken before the partition's leader was checked, while
    /// bytes are counted from the read itself.
    pub fn with_bytes_of(self, read: Mark) -> Mark {
        Mark {
            changes: self.changes,
            ..read
        }
    }
}

/// What a fetch found in a partition.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Of the read.
    pub mark: Mark,
    /// Readable from the fetch offset on.
    pub readable_bytes: i64,
    /// The most that counts of this partition.
    pub max_bytes: i64,
    /// Whether it read what is not committed yet, as followers do.
    pub to_log_end: bool,
}

impl Seen {
    /// What counts towards `min_bytes`.
    pub fn counted(&self) -> i64 {
        self.readable_bytes.min(self.max_bytes)
    }
}

impl Waiters {
    /// A mark to take when reading and to hand to [`Waiters::watch`].
    pub fn mark(&self) -> Mark {
        Mark {
            committed_bytes: self.committed_bytes.load(Ordering::Acquire),
            appended_bytes: self.appended_bytes.load(Ordering::Acquire),
            changes: self.changes.load(Ordering::Acquire),
        }
    }

    /// Settles a read: from now on, what happens here reaches `waiter`, and so does what happened since the read. `is_done` says that
    /// there is nothing left to tell or to read; where that still holds, it is returned, and the next event marks the slot.
    pub fn watch(&self, waiter: &Arc<FetchWaiter>, slot: Slot, seen: &Seen, is_done: bool) -> bool {
        let mut entries = self.entries.lock();
        let since = match seen.to_log_end {
            true => self.appended_bytes.load(Ordering::Acquire) - seen.mark.appended_bytes,
            false => self.committed_bytes.load(Ordering::Acquire) - seen.mark.committed_bytes,
        };
        let is_gone = self.is_gone.load(Ordering::Acquire);
        let is_changed = is_gone || self.changes.load(Ordering::Acquire) != seen.mark.changes;
        let is_done = is_done && since == 0 && !is_changed;
        let at = position(&entries, waiter, slot).unwrap_or_else(|| {
            entries.push(Entry {
                waiter: waiter.clone(),
                slot,
                to_log_end: seen.to_log_end,
                max_bytes: 0,
                readable_bytes: 0,
                is_marked: true,
            });
            entries.len() - 1
        });
        let entry = &mut entries[at];
        // Taken back before the limit changes, so that what was counted and what is stays the same sum.
        entry.set_readable(0);
        entry.max_bytes = seen.max_bytes.max(0);
        entry.is_marked = !is_done;
        entry.set_readable(seen.readable_bytes + since);
        if is_changed {
            waiter.signal(if is_gone { COMPLETE } else { LOOK });
        }
        is_done
    }

    /// Takes a slot of `waiter` out again.
    pub fn unwatch(&self, waiter: &Arc<FetchWaiter>, slot: Slot) {
        let mut entries = self.entries.lock();
        if let Some(at) = position(&entries, waiter, slot) {
            entries.swap_remove(at).set_readable(0);
        }
        if entries.is_empty() {
            *entries = Vec::new();
        }
    }

    /// The log has grown by `appended`; `committed` can be read by everybody now. Who reads to the log's end is not woken by the high
    /// watermark, but its next answer tells it.
    pub fn arrived(&self, appended: Option<Arrived>, committed: Option<Arrived>) {
        if appended.is_none() && committed.is_none() {
            return;
        }
        // Under the lock, so that whoever settles counts these bytes once: in `since` or here.
        let mut entries = self.entries.lock();
        let bytes = |arrived: Option<Arrived>| arrived.map_or(0, |arrived| arrived.bytes);
        self.appended_bytes.fetch_add(bytes(appended), Ordering::AcqRel);
        self.committed_bytes.fetch_add(bytes(committed), Ordering::AcqRel);
        if appended.is_some_and(|arrived| arrived.rolled) || committed.is_some_and(|arrived| arrived.rolled) {
            // Who has read and not settled yet looks again: the segment that it read may be an older one now.
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        for entry in entries.iter_mut() {
            let arrived = if entry.to_log_end { appended } else { committed };
            if arrived.is_some() || entry.to_log_end {
                entry.mark();
            }
            let Some(arrived) = arrived else { continue };
            let readable = entry.readable_bytes.saturating_add(arrived.bytes);
            entry.set_readable(readable);
            if arrived.rolled {
                entry.waiter.signal(COMPLETE);
            }
        }
    }

    /// A client that asks again may hear something else, but nobody is woken: the log start offset, the configuration.
    pub fn note_change(&self) {
        self.change(0);
    }

    /// Who leads, in which epoch, who has replicas, or the high watermark without an append: parked fetches look again.
    pub fn changed(&self) {
        self.change(LOOK);
    }

    /// The partition is no longer here: whoever waits for it is answered.
    pub fn gone(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.change(COMPLETE);
    }

    fn change(&self, signal: u8) {
        let mut entries = self.entries.lock();
        self.changes.fetch_add(1, Ordering::AcqRel);
        for entry in entries.iter_mut() {
            entry.mark();
            if signal != 0 {
                entry.waiter.signal(signal);
            }
        }
    }

    /// `bytes` more are appended and committed at once.
    #[cfg(test)]
    pub fn became_readable(&self, bytes: i64, rolled: bool) {
        let arrived = Some(Arrived { bytes, rolled });
        self.arrived(arrived, arrived);
    }

    /// How many slots of waiters are registered.
    #[cfg(test)]
    pub fn registered(&self) -> usize {
        self.entries.lock().len()
    }
}

fn position(entries: &[Entry], waiter: &Arc<FetchWaiter>, slot: Slot) -> Option<usize> {
    entries
        .iter()
        .position(|e| e.slot == slot && Arc::ptr_eq(&e.waiter, waiter))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: i32 = 1;

    fn seen(waiters: &Waiters, max_bytes: i64) -> Seen {
        Seen {
            mark: waiters.mark(),
            readable_bytes: 0,
            max_bytes,
            to_log_end: false,
        }
    }

    fn parked(min_bytes: i64) -> Arc<FetchWaiter> {
        let waiter = FetchWaiter::new(TURN);
        waiter.park(min_bytes);
        waiter
    }

    fn marked(waiter: &FetchWaiter) -> Vec<Slot> {
        let mut marked = Vec::new();
        waiter.take_marked(&mut marked);
        marked
    }

    #[test]
    fn wakes_when_the_bytes_of_all_partitions_reach_the_minimum() {
        let (one, two) = (Waiters::default(), Waiters::default());
        let waiter = parked(100);
        one.watch(&waiter, 0, &seen(&one, 1_000), true);
        two.watch(&waiter, 1, &seen(&two, 1_000), true);
        one.became_readable(60, false);
        assert_eq!(waiter.due(TURN), None);
        two.became_readable(40, false);
        assert_eq!(waiter.due(TURN), Some(Wake::Complete));
    }

    #[test]
    fn a_partition_counts_no_more_than_its_own_limit() {
        let waiters = Waiters::default();
        let waiter = parked(100);
        waiters.watch(&waiter, 0, &seen(&waiters, 50), true);
        waiters.became_readable(40, false);
        waiters.became_readable(500, false);
        assert_eq!(waiter.due(TURN), None);
        // The limit holds for what was there before, too.
        let more = Seen {
            readable_bytes: 540,
            ..seen(&waiters, 99)
        };
        waiters.watch(&waiter, 0, &more, false);
        waiters.became_readable(500, false);
        assert_eq!(waiter.due(TURN), None);
    }

    #[test]
    fn what_came_between_reading_and_registering_counts() {
        let waiters = Waiters::default();
        let waiter = parked(10);
        let seen = seen(&waiters, 1_000);
        waiters.became_readable(10, false);
        assert!(!waiters.watch(&waiter, 0, &seen, true), "there is more to read");
        assert_eq!(waiter.due(TURN), Some(Wake::Complete));
    }

    #[test]
    fn a_change_between_reading_and_registering_is_not_missed() {
        let waiters = Waiters::default();
        let waiter = parked(10);
        let seen = seen(&waiters, 1_000);
        waiters.changed();
        assert!(!waiters.watch(&waiter, 0, &seen, true), "it must be read again");
        assert_eq!(waiter.due(TURN), Some(Wake::Look));
    }

    #[test]
    fn who_comes_after_a_partition_has_gone_hears_that_it_has() {
        let waiters = Waiters::default();
        waiters.gone();
        let waiter = parked(10);
        assert!(!waiters.watch(&waiter, 0, &seen(&waiters, 1_000), true));
        assert_eq!(waiter.due(TURN), Some(Wake::Complete));
    }

    #[test]
    fn a_waiter_that_left_hears_nothing_and_its_bytes_no_longer_count() {
        let (waiters, other) = (Waiters::default(), Waiters::default());
        let waiter = parked(10);
        waiters.watch(&waiter, 0, &seen(&waiters, 1_000), true);
        other.watch(&waiter, 1, &seen(&other, 1_000), true);
        waiters.became_readable(9, false);
        waiters.unwatch(&waiter, 0);
        waiters.became_readable(10, false);
        other.became_readable(9, false);
        assert_eq!(waiter.due(TURN), None);
    }

    #[test]
    fn a_slot_is_marked_once_until_it_is_settled() {
        let waiters = Waiters::default();
        let waiter = parked(i64::MAX);
        assert!(waiters.watch(&waiter, 7, &seen(&waiters, 1_000), true));
        waiters.became_readable(1, false);
        waiters.note_change();
        assert_eq!(marked(&waiter), [7]);
        waiters.became_readable(1, false);
        assert!(marked(&waiter).is_empty(), "the waiter has not settled it yet");
        assert!(waiters.watch(&waiter, 7, &seen(&waiters, 1_000), true));
        waiters.became_readable(1, false);
        assert_eq!(marked(&waiter), [7]);
        assert_eq!(waiters.registered(), 1, "one entry, however often it is settled");
    }

    #[test]
    fn a_new_segment_completes_whatever_there_is_and_a_log_start_offset_wakes_nobody() {
        let waiters = Waiters::default();
        let waiter = parked(1_000);
        waiters.watch(&waiter, 0, &seen(&waiters, 1_000), true);
        waiters.note_change();
        assert_eq!(waiter.due(TURN), None);
        waiters.became_readable(1, true);
        assert_eq!(waiter.due(TURN), Some(Wake::Complete));
    }

    #[test]
    fn who_reads_to_the_end_hears_of_appends_and_the_others_of_commits() {
        let waiters = Waiters::default();
        let (follower, consumer) = (parked(10), parked(10));
        let to_log_end = Seen {
            to_log_end: true,
            ..seen(&waiters, 1_000)
        };
        assert!(waiters.watch(&follower, 1, &to_log_end, true));
        assert!(waiters.watch(&consumer, 2, &seen(&waiters, 1_000), true));
        let arrived = Some(Arrived {
            bytes: 10,
            rolled: false,
        });
        waiters.arrived(arrived, None);
        assert_eq!((follower.due(TURN), consumer.due(TURN)), (Some(Wake::Complete), None));
        assert_eq!((marked(&follower), marked(&consumer)), (vec![1], vec![]));
        assert!(
            !waiters.watch(&follower, 1, &to_log_end, true),
            "it has not read the new records"
        );
        let read = Seen {
            mark: waiters.mark(),
            ..to_log_end
        };
        assert!(waiters.watch(&follower, 1, &read, true));
        waiters.arrived(None, arrived);
        assert_eq!((follower.due(TURN), consumer.due(TURN)), (None, Some(Wake::Complete)));
        assert_eq!(marked(&follower), [1], "its next answer tells the high watermark");
    }

    #[tokio::test]
    async fn the_next_request_sends_the_parked_one_away() {
        let waiter = parked(1);
        let other = waiter.clone();
        let woken = tokio::spawn(async move { other.woken(TURN).await });
        tokio::task::yield_now().await;
        waiter.begin(TURN + 1);
        assert_eq!(waiter.due(TURN), Some(Wake::Superseded));
        assert_eq!(woken.await.expect("does not panic"), Wake::Superseded);
    }
}
