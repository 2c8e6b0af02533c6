//! Looking for the next request instead of sleeping until it comes, where a client's requests follow each other at once.
//!
//! A producer that waits for each acknowledgement spends most of its time on two threads that are woken: its own and ours.
//! Ours need not sleep: a connection whose requests come one at a time, each within [`BRISK`] of the one before, looks at its
//! socket for up to [`LOOK_FOR`] after an answer. Who looks in vain soon looks no more: for each such look at least sixteen
//! requests have to come at once.
//!
//! It keeps its thread meanwhile: letting others onto it wakes another thread each time, to see whether there is work for two,
//! and that thread then is in the client's way. So at most half of the threads look at a time. Tasks are let first that may be
//! ready and that no other thread would take: before each look while any other connection waits for an answer, which a request
//! of this one may have brought; else every [`YIELD_EVERY`] and after each sleep, so that another thread takes over waiting
//! for all sockets. Other processes are let first between two looks: the client may need the very processor.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Requests that follow within this time follow at once. Longer than what waking two threads takes on a machine in normal use
/// (0.06 ms here, the request included), shorter than the pause between records of a producer that merely is busy.
pub const BRISK: Duration = Duration::from_micros(150);
/// How long is looked for the next request. Longer than a client on the same machine takes to read an answer and to ask again.
const LOOK_FOR: Duration = Duration::from_micros(100);
/// How long other tasks may be kept from a thread when none of them is known to wait for something.
const YIELD_EVERY: Duration = Duration::from_millis(2);
/// Requests that have to follow at once before anything is looked for.
const ENOUGH: u8 = 32;
/// What counts of those that did.
const MOST: u8 = 64;
/// What one request that did not takes away of them.
const LATE: u8 = 4;
/// What one look in vain takes away of them.
const VAIN: u8 = 16;

/// Connections that look at the moment.
static LOOKING: AtomicUsize = AtomicUsize::new(0);
/// Connections that wait for an answer to be made.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// How requests of one connection follow each other.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Instant>,
    brisk: u8,
    /// It was looked since the last request.
    has_looked: bool,
    /// When other tasks were last let onto this thread; none after a sleep.
    yielded: Option<Instant>,
}

impl Pace {
    /// A request has begun to arrive; `alone` if nothing before it was still to be answered.
    pub fn note_request(&mut self, now: Instant, alone: bool) {
        let at_once = self.last.is_some_and(|last| now.duration_since(last) <= BRISK);
        self.brisk = match (alone, at_once) {
            (true, true) => (self.brisk + 1).min(MOST),
            (true, false) => self.brisk.saturating_sub(LATE),
            (false, _) => 0,
        };
        self.last = Some(now);
        self.has_looked = false;
    }

    /// Leave to look for the next request, where it is likely to come at once and a thread can be spared.
    pub fn may_look(&mut self) -> Option<Look> {
        if !self.expects_one() {
            return None;
        }
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        let look = Look::begin(&LOOKING, threads / 2)?;
        self.has_looked = true;
        Some(look)
    }

    /// As after many requests that followed at once.
    #[cfg(test)]
    pub fn brisk() -> Self {
        Self {
            brisk: MOST,
            ..Self::default()
        }
    }

    fn expects_one(&self) -> bool {
        self.brisk >= ENOUGH && !self.has_looked
    }

    /// Whether other tasks have to be let onto the thread before it is kept from sleeping again.
    pub fn is_to_yield(&mut self, now: Instant) -> bool {
        self.is_to_yield_while(WAITING.load(Ordering::Relaxed) > 0, now)
    }

    fn is_to_yield_while(&mut self, others_wait: bool, now: Instant) -> bool {
        let is_fresh = self
            .yielded
            .is_some_and(|yielded| now.duration_since(yielded) < YIELD_EVERY);
        let yields = others_wait || !is_fresh;
        if yields {
            self.yielded = Some(now);
        }
        yields
    }

    /// It was looked for in vain.
    pub fn note_vain(&mut self) {
        self.brisk = self.brisk.saturating_sub(VAIN);
        self.yielded = None;
    }
}

/// The right of one connection to keep a thread from sleeping for a moment; given back when dropped.
#[derive(Debug)]
pub struct Look {
    until: Instant,
    among: &'static AtomicUsize,
}

impl Look {
    fn begin(among: &'static AtomicUsize, at_most: usize) -> Option<Self> {
        let others = among.fetch_add(1, Ordering::Relaxed);
        let look = Self {
            until: Instant::now() + LOOK_FOR,
            among,
        };
        // Where too many look already it is dropped, and so not counted any more.
        (others < at_most).then_some(look)
    }

    /// Whether the moment has passed.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.among.fetch_sub(1, Ordering::Relaxed);
    }
}

/// That a connection waits for an answer, for as long as this lives.
#[derive(Debug)]
pub struct Waits(());

impl Waits {
    /// From now on.
    pub fn begin() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_micros(60);

    /// After `count` requests that follow each other at once.
    fn brisk(count: usize) -> (Pace, Instant) {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        for _ in 0..=count {
            now += AT_ONCE;
            pace.note_request(now, true);
        }
        (pace, now)
    }

    /// How often the next request could be looked for in vain, each time followed by one that comes late.
    fn looks_in_vain(pace: &mut Pace, mut now: Instant) -> usize {
        let mut looks = 0;
        while pace.expects_one() {
            looks += 1;
            pace.has_looked = true;
            pace.note_vain();
            now += BRISK * 2;
            pace.note_request(now, true);
        }
        looks
    }

    #[test]
    fn nothing_is_looked_for_before_many_requests_followed_at_once() {
        let (mut pace, now) = brisk(usize::from(ENOUGH) - 1);
        assert!(!pace.expects_one());
        pace.note_request(now + AT_ONCE, true);
        assert!(pace.expects_one());
    }

    #[test]
    fn requests_that_come_now_and_then_are_not_looked_for() {
        let (mut pace, mut now) = brisk(0);
        for nth in 0..10_000 {
            // Two at once, then a pause.
            now += if nth % 3 == 0 { BRISK + AT_ONCE } else { AT_ONCE };
            pace.note_request(now, true);
            assert!(!pace.expects_one(), "after {nth}");
        }
    }

    #[test]
    fn who_has_several_under_way_is_not_looked_at() {
        let (mut pace, now) = brisk(1000);
        pace.note_request(now + AT_ONCE, false);
        assert!(!pace.expects_one());
    }

    #[test]
    fn looking_in_vain_ends_soon() {
        let (mut pace, now) = brisk(100_000);
        let most = usize::from((MOST - ENOUGH) / (VAIN + LATE)) + 1;
        assert_eq!(looks_in_vain(&mut pace, now), most);
    }

    #[test]
    fn it_is_looked_once_for_a_request() {
        let (mut pace, now) = brisk(1000);
        pace.has_looked = true;
        assert!(!pace.expects_one());
        pace.note_request(now + AT_ONCE, true);
        assert!(pace.expects_one());
    }

    #[test]
    fn other_tasks_come_first_while_others_wait_and_now_and_then_and_after_a_sleep() {
        let (mut pace, mut now) = brisk(1000);
        assert!(pace.is_to_yield_while(false, now), "at first");
        assert!(!pace.is_to_yield_while(false, now + AT_ONCE));
        assert!(pace.is_to_yield_while(true, now + AT_ONCE), "who waits may be ready");
        now += AT_ONCE + YIELD_EVERY;
        assert!(pace.is_to_yield_while(false, now), "now and then");
        assert!(!pace.is_to_yield_while(false, now));
        pace.note_vain();
        assert!(pace.is_to_yield_while(false, now), "after a sleep");
    }

    #[test]
    fn half_of_the_threads_may_look_at_a_time() {
        static HERE: AtomicUsize = AtomicUsize::new(0);
        assert!(Look::begin(&HERE, 0).is_none(), "one thread alone never does");
        let first = Look::begin(&HERE, 1).expect("none looks yet");
        assert!(Look::begin(&HERE, 1).is_none());
        drop(first);
        assert!(Look::begin(&HERE, 1).is_some());
    }
}
