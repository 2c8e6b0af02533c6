//! Gives memory back to the operating system when a burst of load is over. The crate's only `unsafe` lives here.
//!
//! glibc keeps what is freed for the next allocation, in an arena for each of some threads; what lies below anything that is
//! still in use stays resident for good. Under load that is as it should be, so nothing is tuned there: frames of a megabyte
//! that came from fresh pages each time would cost a page fault for each 4 KiB. Once the broker has little to do, and holds
//! much more than it did when it last had, the arenas are trimmed.
#![allow(unsafe_code)]

use std::time::Duration;

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

/// How often it is looked.
pub const LOOK: Duration = Duration::from_secs(5);
/// Who used less of one processor than this since the last look has little to do.
const LITTLE_CPU: Duration = Duration::from_millis(250);
/// What may stay without an effort.
const SLACK_BYTES: u64 = 16 << 20;
/// For how many looks nothing is trimmed after a trim that gave back less than that: a minute. What is in use swings then, and the
/// arenas have nothing to give.
const PAUSE_LOOKS: u32 = 12;

/// What the process uses.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    cpu: Duration,
    /// Resident memory that is backed by no file.
    anonymous_bytes: u64,
}

/// What was seen at the last look.
#[derive(Debug, Default)]
struct Seen {
    cpu: Duration,
    /// What was in use when the broker had little to do.
    rest_bytes: u64,
    /// For how many more looks nothing is trimmed.
    pause_looks: u32,
}

impl Seen {
    /// Whether there is something to give back.
    fn look(&mut self, now: Usage) -> bool {
        let is_paused = self.pause_looks > 0;
        self.pause_looks = self.pause_looks.saturating_sub(1);
        let is_idle = !is_paused && now.cpu.saturating_sub(self.cpu) < LITTLE_CPU;
        self.cpu = now.cpu;
        self.rest_bytes = self.rest_bytes.min(now.anonymous_bytes);
        is_idle && now.anonymous_bytes >= self.rest_bytes + SLACK_BYTES
    }

    /// Takes note of what a trim has come to. Where it gave something back, what is left is in use; otherwise it came within a burst,
    /// whose end is to be seen.
    fn note_trimmed(&mut self, before_bytes: u64, after_bytes: u64) {
        match before_bytes.saturating_sub(after_bytes) < SLACK_BYTES {
            true => self.pause_looks = PAUSE_LOOKS,
            false => self.rest_bytes = after_bytes,
        }
    }
}

/// Looks from time to time whether memory can go back.
#[derive(Debug, Default)]
pub struct Trimmer(Mutex<Seen>);

impl Trimmer {
    /// Looks, and gives back. To be called every [`LOOK`], where it delays nobody.
    pub fn look(&self) {
        let mut seen = self.0.lock();
        let Some(before) = usage() else { return };
        if !seen.look(before) {
            return;
        }
        trim();
        let after_bytes = usage().map_or(before.anonymous_bytes, |after| after.anonymous_bytes);
        seen.note_trimmed(before.anonymous_bytes, after_bytes);
        log::debug!(
            "{} MiB in use, {} MiB before the allocator gave back what is free",
            after_bytes >> 20,
            before.anonymous_bytes >> 20
        );
    }
}

/// `None` where the kernel does not say.
fn usage() -> Option<Usage> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split(' ').skip(1).map_while(|pages| pages.parse::<u64>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    Some(Usage {
        cpu: Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).ok()?,
        anonymous_bytes: resident.saturating_sub(shared) * rustix::param::page_size() as u64,
    })
}

#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: malloc_trim takes a number, locks each arena itself, and returns only pages to the kernel that hold nothing
    // which is allocated. Its answer says whether there were any.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries keep little.
#[cfg(not(target_env = "gnu"))]
fn trim() {}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn memory_goes_back_once_after_a_burst_and_not_within_it() {
        let mut seen = Seen::default();
        let mut cpu = Duration::ZERO;
        let mut look = |seen: &mut Seen, used_ms, mib| {
            cpu += Duration::from_millis(used_ms);
            let anonymous_bytes = mib * MIB;
            seen.look(Usage { cpu, anonymous_bytes })
        };
        assert!(!look(&mut seen, 100, 5), "there is little");
        assert!(!look(&mut seen, 4000, 120), "it works");
        assert!(look(&mut seen, 100, 90));
        seen.note_trimmed(90 * MIB, 60 * MIB);
        assert!(!look(&mut seen, 10, 60), "not again and again");
        assert!(!look(&mut seen, 10, 70), "not for a little");
        assert!(!look(&mut seen, 10, 10));
        assert!(look(&mut seen, 10, 30), "less is in use now");
    }

    #[test]
    fn where_a_trim_gives_back_little_there_is_a_pause() {
        let mut seen = Seen::default();
        let swing = |seen: &mut Seen, mib| {
            let anonymous_bytes = mib * MIB;
            let is_due = seen.look(Usage {
                cpu: Duration::ZERO,
                anonymous_bytes,
            });
            if is_due {
                seen.note_trimmed(anonymous_bytes, anonymous_bytes - MIB);
            }
            is_due
        };
        let trims = (0..100).filter(|look| swing(&mut seen, if look % 2 == 0 { 100 } else { 50 }));
        assert!(trims.count() <= 100 / PAUSE_LOOKS as usize);
    }

    #[test]
    fn what_a_trim_within_a_burst_could_not_give_back_goes_later() {
        let mut seen = Seen::default();
        let look = |seen: &mut Seen, mib| {
            let anonymous_bytes = mib * MIB;
            seen.look(Usage {
                cpu: Duration::ZERO,
                anonymous_bytes,
            })
        };
        assert!(!look(&mut seen, 2));
        assert!(look(&mut seen, 97));
        seen.note_trimmed(97 * MIB, 97 * MIB);
        assert!((0..=PAUSE_LOOKS).any(|_| look(&mut seen, 38)));
    }

    #[test]
    fn usage_is_known() {
        let usage = usage().expect("Linux says it");
        assert!(usage.anonymous_bytes > 0 && usage.cpu > Duration::ZERO, "{usage:?}");
    }
}
