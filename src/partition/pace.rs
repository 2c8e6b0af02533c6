//! Whether appends to a log directory are slow. No clock in here: times come in, in microseconds since any fixed moment but 0.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// An append that takes longer is slow: copying to the page cache takes some microseconds, so it has waited for the disk.
const SLOW_US: u64 = 5_000;
/// So many slow appends in a row make a directory slow. One alone may be a new segment, or a thread that was not scheduled.
const SLOW_APPENDS: u32 = 2;
/// So many fast ones in a row make it fast again: more than a pause between two rounds of writing back lets through.
const FAST_APPENDS: u32 = 64;
const NONE: u64 = 0;

/// How fast the appends of one log directory were of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    is_slow: AtomicBool,
    /// Slow ones in a row while it is fast, fast ones in a row while it is slow.
    against: AtomicU32,
    /// When an append began that has not ended.
    began_us: AtomicU64,
}

impl Pace {
    /// An append begins.
    pub(super) fn begin(&self, now_us: u64) {
        // One is enough: where the disk stalls, all of them stall.
        let _ = self
            .began_us
            .compare_exchange(NONE, now_us, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The append that began at `began_us` has ended.
    pub(super) fn end(&self, began_us: u64, now_us: u64) {
        let _ = self
            .began_us
            .compare_exchange(began_us, NONE, Ordering::Relaxed, Ordering::Relaxed);
        let was_slow = now_us.saturating_sub(began_us) > SLOW_US;
        let is_slow = self.is_slow.load(Ordering::Relaxed);
        if was_slow == is_slow {
            // No store where nothing changes: all connections pass by here.
            if self.against.load(Ordering::Relaxed) != 0 {
                self.against.store(0, Ordering::Relaxed);
            }
            return;
        }
        let needed = if is_slow { FAST_APPENDS } else { SLOW_APPENDS };
        if self.against.fetch_add(1, Ordering::Relaxed) + 1 >= needed {
            self.against.store(0, Ordering::Relaxed);
            self.is_slow.store(was_slow, Ordering::Relaxed);
        }
    }

    /// Whether an append that began now would probably wait for the disk.
    pub(super) fn is_slow(&self, now_us: impl FnOnce() -> u64) -> bool {
        if self.is_slow.load(Ordering::Relaxed) {
            return true;
        }
        let began_us = self.began_us.load(Ordering::Relaxed);
        began_us != NONE && now_us().saturating_sub(began_us) > SLOW_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(pace: &Pace, took_us: u64) {
        pace.begin(1_000);
        pace.end(1_000, 1_000 + took_us);
    }

    fn is_slow(pace: &Pace) -> bool {
        pace.is_slow(|| 1_000)
    }

    #[test]
    fn two_slow_appends_in_a_row_make_it_slow() {
        let pace = Pace::default();
        for took_us in [SLOW_US + 1, 10, SLOW_US + 1] {
            append(&pace, took_us);
            assert!(!is_slow(&pace));
        }
        append(&pace, SLOW_US + 1);
        assert!(is_slow(&pace));
    }

    #[test]
    fn many_fast_ones_in_a_row_make_it_fast_again() {
        let pace = Pace::default();
        (0..SLOW_APPENDS).for_each(|_| append(&pace, SLOW_US + 1));
        (1..FAST_APPENDS).for_each(|_| append(&pace, SLOW_US));
        append(&pace, SLOW_US + 1);
        for _ in 0..FAST_APPENDS {
            assert!(is_slow(&pace));
            append(&pace, SLOW_US);
        }
        assert!(!is_slow(&pace));
    }

    #[test]
    fn an_append_that_does_not_end_is_slow_before_it_has_ended() {
        let pace = Pace::default();
        pace.begin(1_000);
        assert!(!pace.is_slow(|| 1_000 + SLOW_US));
        assert!(pace.is_slow(|| 1_001 + SLOW_US));
        pace.end(1_000, 2_000 + SLOW_US);
        assert!(!pace.is_slow(|| 3_000 + SLOW_US));
    }
}
