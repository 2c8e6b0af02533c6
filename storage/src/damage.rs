//! Which batches of a segment were found damaged. What was read once is in memory, from where it leaves without anybody looking at its
//! checksum again; so what was found is remembered.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// Whether there is any: the usual answer, without the lock.
    is_any: AtomicBool,
    /// Raised under the lock of the positions.
    truncations: AtomicU64,
    positions: Mutex<BTreeSet<u64>>,
}

impl Damage {
    /// How often the segment was truncated: to be asked before it is read, and told with what was found.
    pub(crate) fn truncations(&self) -> u64 {
        self.truncations.load(Ordering::Acquire)
    }

    /// The batch at `position` is damaged. Where the segment was truncated since it was read, halves of two writes may have met.
    pub(crate) fn note(&self, position: u64, truncations: u64) {
        let mut positions = self.positions.lock();
        if self.truncations() == truncations {
            positions.insert(position);
            self.is_any.store(true, Ordering::Release);
        }
    }

    /// The first damaged batch that begins within the range.
    pub(crate) fn first_in(&self, range: Range<u64>) -> Option<u64> {
        if !self.is_any.load(Ordering::Acquire) {
            return None;
        }
        self.positions.lock().range(range).next().copied()
    }

    /// The segment ends at `position` now, and other batches may follow there.
    pub(crate) fn note_truncated(&self, position: u64) {
        let mut positions = self.positions.lock();
        self.truncations.fetch_add(1, Ordering::AcqRel);
        positions.retain(|&damaged| damaged < position);
        self.is_any.store(!positions.is_empty(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_remembered_until_it_is_cut_off() {
        let damage = Damage::default();
        assert_eq!(damage.first_in(0..u64::MAX), None);
        let read = damage.truncations();
        damage.note(700, read);
        damage.note(300, read);
        assert_eq!(damage.first_in(0..1000), Some(300));
        assert_eq!(damage.first_in(301..1000), Some(700));
        assert_eq!(damage.first_in(301..700), None);
        damage.note_truncated(700);
        assert_eq!(damage.first_in(301..1000), None);
        // It was read before the file was cut.
        damage.note(800, read);
        assert_eq!(damage.first_in(0..1000), Some(300));
        assert_eq!(damage.first_in(301..1000), None);
    }
}
