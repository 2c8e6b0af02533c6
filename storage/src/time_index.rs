//! `<base offset>.timeindex`: from timestamps to offsets, sparse. Entry: timestamp (int64), offset − base offset (int32). An entry
//! says: up to and with this offset (the last one of its batch) no timestamp is larger. Timestamps rise, offsets do not fall.

use std::io;

use crate::index_file::{IndexFile, SegmentFile};
use crate::scan::ReadMode;

const ENTRY_LEN: usize = 12;

/// A timestamp and the last offset of the first batch that reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimestampOffset {
    /// Milliseconds since the epoch; −1 for none.
    pub timestamp: i64,
    /// The offset.
    pub offset: i64,
}

impl TimestampOffset {
    /// What stands for «no timestamp» in a segment.
    pub(crate) fn none(base_offset: i64) -> Self {
        Self {
            timestamp: -1,
            offset: base_offset,
        }
    }
}

#[derive(Debug)]
pub(crate) struct TimeIndex {
    base_offset: i64,
    entries: IndexFile<ENTRY_LEN>,
    last_entry: TimestampOffset,
}

impl TimeIndex {
    /// A new index; what the file held is gone.
    pub(crate) fn create(file: SegmentFile, base_offset: i64, max_bytes: i32) -> io::Result<Self> {
        let entries = IndexFile::create(file, max_bytes)?;
        Ok(Self {
            base_offset,
            entries,
            last_entry: TimestampOffset::none(base_offset),
        })
    }

    /// The index as the file holds it.
    pub(crate) fn load(file: SegmentFile, base_offset: i64, max_bytes: i32) -> io::Result<Self> {
        let entries = IndexFile::load(file, max_bytes)?;
        let mut index = Self {
            base_offset,
            entries,
            last_entry: TimestampOffset::none(base_offset),
        };
        index.read_last_entry()?;
        Ok(index)
    }

    pub(crate) fn file_mut(&mut self) -> &mut IndexFile<ENTRY_LEN> {
        &mut self.entries
    }

    /// One entry is kept free for the one that closes the segment.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.entries() + 1 >= self.entries.max_entries()
    }

    /// The last entry; (−1, base offset) where there is none.
    pub(crate) fn last_entry(&self) -> TimestampOffset {
        self.last_entry
    }

    fn entry(&self, n: u32) -> io::Result<TimestampOffset> {
        Ok(self.decode(&self.entries.entry(n, ReadMode::Blocking)?))
    }

    /// The last entry at or below the timestamp; (−1, base offset) where there is none.
    pub(crate) fn lookup(&self, timestamp: i64) -> io::Result<TimestampOffset> {
        match self
            .entries
            .partition_point(ReadMode::Blocking, |entry| self.decode(entry).timestamp <= timestamp)?
        {
            0 => Ok(TimestampOffset {
                timestamp: -1,
                offset: self.base_offset,
            }),
            n => self.entry(n - 1),
        }
    }

    /// Adds an entry where it raises the timestamp; offsets must not fall.
    pub(crate) fn maybe_append(&mut self, largest: TimestampOffset) -> io::Result<()> {
        if largest.timestamp <= self.last_entry.timestamp {
            return Ok(());
        }
        let last = self.last_entry;
        if self.entries.entries() > 0 && last.offset > largest.offset {
            let message = format!("the time index has {last:?}, and {largest:?} cannot follow it");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut entry = [0; ENTRY_LEN];
        entry[..8].copy_from_slice(&largest.timestamp.to_be_bytes());
        entry[8..].copy_from_slice(&((largest.offset - self.base_offset) as i32).to_be_bytes());
        self.entries.push(entry)?;
        self.last_entry = largest;
        Ok(())
    }

    /// Drops the entries at and above the offset.
    pub(crate) fn truncate_to(&mut self, offset: i64) -> io::Result<()> {
        let keep = self
            .entries
            .partition_point(ReadMode::Blocking, |entry| self.decode(entry).offset < offset)?;
        self.entries.truncate_entries(keep)?;
        self.read_last_entry()
    }

    /// How many entries from the front can be right: timestamps rise, and offsets do not fall and lie below `offset`.
    pub(crate) fn plausible_entries(&self, offset: i64) -> io::Result<u32> {
        let mut last = TimestampOffset::none(self.base_offset);
        self.entries.count_while(|entry| {
            let entry = self.decode(entry);
            let rises = last.timestamp < entry.timestamp && last.offset <= entry.offset && entry.offset < offset;
            last = entry;
            rises
        })
    }

    /// Drops all but the first `entries` entries.
    pub(crate) fn keep_entries(&mut self, entries: u32) -> io::Result<()> {
        self.entries.truncate_entries(entries)?;
        self.read_last_entry()
    }

    fn read_last_entry(&mut self) -> io::Result<()> {
        self.last_entry = match self.entries.entries() {
            0 => TimestampOffset {
                timestamp: -1,
                offset: self.base_offset,
            },
            n => self.entry(n - 1)?,
        };
        Ok(())
    }

    fn decode(&self, entry: &[u8; ENTRY_LEN]) -> TimestampOffset {
        let (timestamp, offset) = entry.split_at(8);
        TimestampOffset {
            timestamp: i64::from_be_bytes(timestamp.try_into().expect("8 bytes")),
            offset: self.base_offset + i64::from(i32::from_be_bytes(offset.try_into().expect("4 bytes"))),
        }
    }
}
