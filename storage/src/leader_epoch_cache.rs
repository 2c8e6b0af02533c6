//! Which leader epoch began at which offset (KIP-101). Followers and consumers find with it where logs diverge. Pure; the log
//! writes it to `leader-epoch-checkpoint`.

use std::collections::BTreeMap;

/// The first offset that was, or was to be, written in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The leader epoch, from 0.
    pub epoch: i32,
    /// Its first offset.
    pub start_offset: i64,
}

/// Where an epoch ends, as OffsetForLeaderEpoch answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The epoch that was asked for, or the largest known one below it.
    pub epoch: i32,
    /// The first offset behind it.
    pub end_offset: i64,
}

/// Epochs and their first offsets; both rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochCache {
    epochs: BTreeMap<i32, i64>,
}

impl LeaderEpochCache {
    /// A cache with these entries; later ones win over earlier ones that contradict them.
    pub fn new(entries: impl IntoIterator<Item = EpochEntry>) -> Self {
        let mut cache = Self::default();
        for entry in entries {
            cache.assign(entry);
        }
        cache
    }

    /// All entries, rising.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = EpochEntry> {
        self.epochs
            .iter()
            .map(|(&epoch, &start_offset)| EpochEntry { epoch, start_offset })
    }

    /// Notes that `entry.epoch` begins at `entry.start_offset`. Entries that contradict it go: those of the same or a later epoch
    /// and those that begin at or behind the same offset. Answers whether anything changed.
    pub fn assign(&mut self, entry: EpochEntry) -> bool {
        assert!(
            entry.epoch >= 0 && entry.start_offset >= 0,
            "invalid leader epoch entry {entry:?}"
        );
        if let Some(latest) = self.latest_entry()
            && latest.epoch == entry.epoch
            && entry.start_offset >= latest.start_offset
        {
            return false;
        }
        while let Some(latest) = self.latest_entry()
            && (latest.epoch >= entry.epoch || latest.start_offset >= entry.start_offset)
        {
            self.epochs.pop_last();
        }
        self.epochs.insert(entry.epoch, entry.start_offset);
        true
    }

    /// The latest epoch.
    pub fn latest_entry(&self) -> Option<EpochEntry> {
        self.epochs
            .last_key_value()
            .map(|(&epoch, &start_offset)| EpochEntry { epoch, start_offset })
    }

    /// The earliest epoch.
    pub fn earliest_entry(&self) -> Option<EpochEntry> {
        self.epochs
            .first_key_value()
            .map(|(&epoch, &start_offset)| EpochEntry { epoch, start_offset })
    }

    /// The epoch in which the offset was written.
    pub fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        self.entries()
            .take_while(|entry| entry.start_offset <= offset)
            .last()
            .map(|entry| entry.epoch)
    }

    /// Where the epoch ends; `None` for an epoch above the latest, and for −1.
    pub fn end_offset_for(&self, epoch: i32, log_end_offset: i64) -> Option<EpochEndOffset> {
        if epoch < 0 {
            return None;
        }
        if self.latest_entry().is_some_and(|latest| latest.epoch == epoch) {
            return Some(EpochEndOffset {
                epoch,
                end_offset: log_end_offset,
            });
        }
        let (_, &end_offset) = self.epochs.range(epoch + 1..).next()?;
        let floor = self
            .epochs
            .range(..=epoch)
            .next_back()
            .map_or(epoch, |(&floor, _)| floor);
        Some(EpochEndOffset {
            epoch: floor,
            end_offset,
        })
    }

    /// Drops the entries that begin at or behind the offset.
    pub fn truncate_from_end(&mut self, end_offset: i64) -> bool {
        let before = self.epochs.len();
        while self
            .latest_entry()
            .is_some_and(|latest| end_offset >= 0 && latest.start_offset >= end_offset)
        {
            self.epochs.pop_last();
        }
        self.epochs.len() != before
    }

    /// Drops the epochs that end at or before the offset; the one that holds it begins there now.
    pub fn truncate_from_start(&mut self, start_offset: i64) -> bool {
        let mut last = None;
        while let Some(earliest) = self.earliest_entry()
            && earliest.start_offset <= start_offset
        {
            self.epochs.pop_first();
            last = Some(earliest);
        }
        match last {
            None => false,
            Some(last) => {
                self.epochs.insert(last.epoch, start_offset);
                last.start_offset != start_offset
            }
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.epochs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(i32, i64)]) -> LeaderEpochCache {
        LeaderEpochCache::new(
            entries
                .iter()
                .map(|&(epoch, start_offset)| EpochEntry { epoch, start_offset }),
        )
    }

    fn entries(cache: &LeaderEpochCache) -> Vec<(i32, i64)> {
        cache.entries().map(|entry| (entry.epoch, entry.start_offset)).collect()
    }

    #[test]
    fn an_entry_removes_those_that_contradict_it() {
        assert_eq!(
            entries(&cache(&[(1, 10), (2, 20), (3, 30), (4, 20)])),
            [(1, 10), (4, 20)]
        );
        assert_eq!(entries(&cache(&[(5, 10), (3, 15)])), [(3, 15)]);
        assert_eq!(entries(&cache(&[(5, 10), (5, 20)])), [(5, 10)]);
        assert_eq!(entries(&cache(&[(5, 10), (5, 4)])), [(5, 4)]);
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let cache = cache(&[(2, 10), (4, 20), (6, 30)]);
        let end = |epoch| cache.end_offset_for(epoch, 40).map(|end| (end.epoch, end.end_offset));
        assert_eq!(end(-1), None);
        assert_eq!(end(1), Some((1, 10)));
        assert_eq!(end(2), Some((2, 20)));
        assert_eq!(end(3), Some((2, 20)));
        assert_eq!(end(5), Some((4, 30)));
        assert_eq!(end(6), Some((6, 40)));
        assert_eq!(end(7), None);
    }

    #[test]
    fn truncation_keeps_the_epoch_that_holds_the_offset() {
        let mut c = cache(&[(2, 10), (4, 20), (6, 30)]);
        assert!(c.truncate_from_start(25));
        assert_eq!(entries(&c), [(4, 25), (6, 30)]);
        assert!(!c.truncate_from_start(24));
        assert!(c.truncate_from_end(30));
        assert!(!c.truncate_from_end(30));
        assert_eq!(entries(&c), [(4, 25)]);
        assert_eq!(c.epoch_for_offset(24), None);
        assert_eq!(c.epoch_for_offset(100), Some(4));
    }
}
