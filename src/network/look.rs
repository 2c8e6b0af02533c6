//! Looking for the next request instead of sleeping until it comes, where a client's requests follow each other at once.
//!
//! A producer that waits for each acknowledgement spends most of its time on two threads that are woken: its own and ours.
//! Ours need not sleep: a connection whose requests come one at a time, each within [`BRISK`] of the one before, looks at its
//! socket for up to [`LOOK_FOR`] after an answer. Who looks in vain soon looks no more: for each such look at least sixteen
//! requests have to come at once.
//!
//! It keeps its thread meanwhile: letting others onto it wakes another thread each time, to see whether there is work for two,
//! and that thread then is in the client's way. So at most half of the threads look at a time. Tasks are let first that may be
//! ready and that no other thread would take: connections that a request of this one has woken, and every [`YIELD_EVERY`] and
//! after each sleep whatever there is, so that another thread takes over waiting for all sockets. Other processes are let
//! first between two reads: the client may need the very processor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// Requests that follow within this time follow at once. Longer than what waking two threads takes on a machine in normal use
/// (0.06 ms here, the request included), shorter than the pause between records of a producer that merely is busy.
const BRISK: Duration = Duration::from_micros(150);
/// How long is looked for the next request. Longer than a client on the same machine takes to read an answer and to ask again.
const LOOK_FOR: Duration = Duration::from_micros(100);
/// A request that was looked for longer than this was hardly worth it.
const WORTH_IT: Duration = Duration::from_micros(50);
/// How long other tasks may be kept from a thread when none of them is known to be ready.
const YIELD_EVERY: Duration = Duration::from_millis(2);
/// Requests that have to follow at once before anything is looked for.
const ENOUGH: u8 = 32;
/// What counts of those that did.
const MOST: u8 = 64;
/// What one request that did not, or was hardly worth it, takes away of them.
const LATE: u8 = 4;
/// What one look in vain takes away of them.
const VAIN: u8 = 16;

/// Connections that look at the moment.
static LOOKING: AtomicUsize = AtomicUsize::new(0);
/// How often connections that wait for an answer were woken.
static WOKEN: AtomicUsize = AtomicUsize::new(0);

/// How requests of one connection follow each other, and how its looking for them goes.
#[derive(Debug, Default)]
pub struct Looking {
    last: Option<Instant>,
    brisk: u8,
    /// Since when it was looked for the next request, if it was.
    since: Option<Instant>,
    /// When other tasks were last let onto the thread; none after a sleep.
    yielded: Option<Instant>,
    /// [`WOKEN`] at that time.
    woken: usize,
}

impl Looking {
    /// A request has begun to arrive; `alone` if nothing before it was still to be answered.
    pub fn note_request(&mut self, now: Instant, alone: bool) {
        let within = |since: Option<Instant>, span| since.is_some_and(|since| now.duration_since(since) <= span);
        let at_once = within(self.last, BRISK) && (self.since.is_none() || within(self.since, WORTH_IT));
        self.brisk = match (alone, at_once) {
            (true, true) => (self.brisk + 1).min(MOST),
            (true, false) => self.brisk.saturating_sub(LATE),
            (false, _) => 0,
        };
        self.last = Some(now);
        self.since = None;
    }

    /// The right to look for the next request, where it is likely to come at once and a thread can be spared.
    pub fn may_look(&self) -> Option<Right> {
        if !self.expects_one() {
            return None;
        }
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        Right::take(&LOOKING, threads / 2)
    }

    fn expects_one(&self) -> bool {
        self.brisk >= ENOUGH && self.since.is_none()
    }

    /// How often other tasks have to be let onto the thread before it is kept from sleeping: what this connection has woken runs
    /// the first time; what the system tells of meanwhile is queued behind this task, and runs the second time.
    pub fn yields_due(&mut self, now: Instant) -> u8 {
        self.yields_due_after(WOKEN.load(Ordering::Relaxed), now)
    }

    fn yields_due_after(&mut self, woken: usize, now: Instant) -> u8 {
        let is_fresh = self
            .yielded
            .is_some_and(|yielded| now.duration_since(yielded) < YIELD_EVERY);
        let due = match (is_fresh, woken == self.woken) {
            (true, true) => return 0,
            (true, false) => 1,
            (false, _) => 2,
        };
        self.yielded = Some(now);
        self.woken = woken;
        due
    }

    /// The look begins; until when it lasts.
    pub fn begin(&mut self, now: Instant) -> Instant {
        self.since = Some(now);
        now + LOOK_FOR
    }

    /// The connection sleeps until something arrives. `looked` if it did so without: the socket goes back to the poller, which
    /// costs as much as looking in vain.
    pub fn note_sleep(&mut self, looked: bool) {
        self.yielded = None;
        if looked {
            self.brisk = self.brisk.saturating_sub(VAIN);
        }
    }
}

/// The right of one connection to keep a thread from sleeping for a moment; given back when dropped.
#[derive(Debug)]
pub struct Right(&'static AtomicUsize);

impl Right {
    fn take(among: &'static AtomicUsize, at_most: usize) -> Option<Self> {
        let others = among.fetch_add(1, Ordering::Relaxed);
        // Where too many look already it is dropped, and so not counted any more.
        let right = Self(among);
        (others < at_most).then_some(right)
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A waker that does the same, for what a connection waits for to be answered: others have to know that it may be ready.
pub fn noted(waker: &Waker) -> Waker {
    Waker::from(Arc::new(Noted(waker.clone())))
}

struct Noted(Waker);

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        WOKEN.fetch_add(1, Ordering::Relaxed);
        self.0.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_micros(60);

    /// After `count` requests that follow each other at once.
    fn brisk(count: usize) -> (Looking, Instant) {
        let mut looking = Looking::default();
        let mut now = Instant::now();
        for _ in 0..=count {
            now += AT_ONCE;
            looking.note_request(now, true);
        }
        (looking, now)
    }

    /// How many of 1,000 requests are looked for, each for so long, where they come in such a time after the one before.
    fn looks(looking: &mut Looking, mut now: Instant, after: Duration) -> usize {
        let mut looks = 0;
        for _ in 0..1000 {
            if looking.expects_one() {
                looks += 1;
                if looking.begin(now) < now + after {
                    looking.note_sleep(true);
                }
            }
            now += after;
            looking.note_request(now, true);
        }
        looks
    }

    #[test]
    fn nothing_is_looked_for_before_many_requests_followed_at_once() {
        let (mut looking, now) = brisk(usize::from(ENOUGH) - 1);
        assert!(!looking.expects_one());
        looking.note_request(now + AT_ONCE, true);
        assert!(looking.expects_one());
    }

    #[test]
    fn requests_that_come_now_and_then_are_not_looked_for() {
        let (mut looking, mut now) = brisk(0);
        for nth in 0..10_000 {
            // Two at once, then a pause.
            now += if nth % 3 == 0 { BRISK + AT_ONCE } else { AT_ONCE };
            looking.note_request(now, true);
            assert!(!looking.expects_one(), "after {nth}");
        }
    }

    #[test]
    fn who_has_several_under_way_is_not_looked_at() {
        let (mut looking, now) = brisk(1000);
        looking.note_request(now + AT_ONCE, false);
        assert!(!looking.expects_one());
    }

    #[test]
    fn what_comes_at_once_is_always_looked_for() {
        let (mut looking, now) = brisk(1000);
        assert_eq!(looks(&mut looking, now, WORTH_IT), 1000);
    }

    #[test]
    fn looking_in_vain_ends_soon() {
        let (mut looking, now) = brisk(100_000);
        let most = usize::from((MOST - ENOUGH) / (VAIN + LATE)) + 1;
        assert_eq!(looks(&mut looking, now, BRISK * 2), most);
        // Those that just miss it count as brisk while they are not looked for.
        let (mut looking, now) = brisk(100_000);
        assert!(looks(&mut looking, now, LOOK_FOR + Duration::from_micros(10)) < 1000 / usize::from(VAIN));
    }

    #[test]
    fn what_is_hardly_worth_it_is_looked_for_now_and_then() {
        let (mut looking, now) = brisk(100_000);
        let looks = looks(&mut looking, now, LOOK_FOR - Duration::from_micros(1));
        assert!(looks <= 1000 / usize::from(LATE), "{looks}");
    }

    #[test]
    fn it_is_looked_once_for_a_request() {
        let (mut looking, now) = brisk(1000);
        looking.begin(now);
        assert!(!looking.expects_one());
        looking.note_request(now + AT_ONCE, true);
        assert!(looking.expects_one());
    }

    #[test]
    fn other_tasks_come_first_when_one_was_woken_and_now_and_then_and_after_a_sleep() {
        let (mut looking, mut now) = brisk(1000);
        assert_eq!(looking.yields_due_after(7, now), 2, "at first");
        assert_eq!(looking.yields_due_after(7, now + AT_ONCE), 0);
        assert_eq!(looking.yields_due_after(8, now + AT_ONCE), 1, "one may be ready");
        assert_eq!(looking.yields_due_after(8, now + AT_ONCE), 0);
        now += AT_ONCE + YIELD_EVERY;
        assert_eq!(looking.yields_due_after(8, now), 2, "now and then");
        assert_eq!(looking.yields_due_after(8, now), 0);
        looking.note_sleep(false);
        assert_eq!(looking.yields_due_after(8, now), 2, "after a sleep");
    }

    #[test]
    fn half_of_the_threads_may_look_at_a_time() {
        static HERE: AtomicUsize = AtomicUsize::new(0);
        assert!(Right::take(&HERE, 0).is_none(), "one thread alone never does");
        let first = Right::take(&HERE, 1).expect("none looks yet");
        assert!(Right::take(&HERE, 1).is_none());
        drop(first);
        assert!(Right::take(&HERE, 1).is_some());
    }

    #[test]
    fn who_is_woken_while_it_waits_is_counted() {
        let before = WOKEN.load(Ordering::Relaxed);
        noted(Waker::noop()).wake();
        assert_ne!(WOKEN.load(Ordering::Relaxed), before);
    }
}
