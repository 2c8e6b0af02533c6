//! `<base offset>.index`: from offsets to positions in the segment's file, sparse. Entry: offset − base offset (int32), position
//! (int32), both rising. An entry names the last offset of a batch and where that batch begins.

use std::io;

use crate::index_file::{IndexFile, SegmentFile};
use crate::index_search::IndexSearch;
use crate::scan::ReadMode;

const ENTRY_LEN: usize = 8;

/// An entry of the index, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetPosition {
    pub offset: i64,
    pub position: u32,
}

#[derive(Debug)]
pub(crate) struct OffsetIndex {
    base_offset: i64,
    entries: IndexFile<ENTRY_LEN>,
    last_offset: Option<i64>,
}

impl OffsetIndex {
    /// A new index; what the file held is gone.
    pub(crate) fn create(file: SegmentFile, base_offset: i64, max_bytes: i32) -> io::Result<Self> {
        Ok(Self {
            base_offset,
            entries: IndexFile::create(file, max_bytes)?,
            last_offset: None,
        })
    }

    /// The index as the file holds it.
    pub(crate) fn load(file: SegmentFile, base_offset: i64, max_bytes: i32) -> io::Result<Self> {
        let mut index = Self {
            base_offset,
            entries: IndexFile::load(file, max_bytes)?,
            last_offset: None,
        };
        index.last_offset = index.last_entry()?.map(|entry| entry.offset);
        Ok(index)
    }

    pub(crate) fn file_mut(&mut self) -> &mut IndexFile<ENTRY_LEN> {
        &mut self.entries
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.entries() >= self.entries.max_entries()
    }

    /// Whether the offset's distance from the base offset fits into an entry.
    pub(crate) fn can_append_offset(&self, offset: i64) -> bool {
        (0..=i64::from(i32::MAX)).contains(&(offset - self.base_offset))
    }

    pub(crate) fn last_entry(&self) -> io::Result<Option<OffsetPosition>> {
        match self.entries.entries() {
            0 => Ok(None),
            n => self.entry(n - 1, ReadMode::Blocking).map(Some),
        }
    }

    fn entry(&self, n: u32, mode: ReadMode) -> io::Result<OffsetPosition> {
        Ok(self.decode(&self.entries.entry(n, mode)?))
    }

    /// The position of the last entry at or below the offset; 0 where there is none.
    pub(crate) fn lookup(&self, offset: i64, mode: ReadMode) -> io::Result<u32> {
        match self.begin_lookup(offset)? {
            Lookup::Found(position) => Ok(position),
            Lookup::InFile(search) => search.run(mode),
        }
    }

    /// Begins a lookup: what has to be read for it is read without the index, and may fail if that is truncated meanwhile.
    pub(crate) fn begin_lookup(&self, offset: i64) -> io::Result<Lookup> {
        if let Some(found) = self
            .entries
            .last_before_in_memory(|entry| self.decode(entry).offset <= offset)
        {
            return Ok(Lookup::Found(found.map_or(0, |entry| self.decode(&entry).position)));
        }
        let span = self.last_offset.unwrap_or(self.base_offset) - self.base_offset;
        let share = (offset - self.base_offset) as f64 / span.max(1) as f64;
        Ok(Lookup::InFile(OffsetSearch {
            search: self.entries.search()?,
            base_offset: self.base_offset,
            offset,
            guess: (f64::from(self.entries.entries()) * share) as u32,
        }))
    }

    /// Whether every entry is below `offset`.
    pub(crate) fn is_behind(&self, offset: i64) -> bool {
        self.last_offset.is_none_or(|last| last < offset)
    }

    /// Adds an entry; offsets must rise.
    pub(crate) fn append(&mut self, offset: i64, position: u32) -> io::Result<()> {
        if !self.is_behind(offset) {
            let message = format!(
                "the offset index ends with {:?}, and {offset} cannot follow it",
                self.last_offset
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut entry = [0; ENTRY_LEN];
        entry[..4].copy_from_slice(&((offset - self.base_offset) as i32).to_be_bytes());
        entry[4..].copy_from_slice(&position.to_be_bytes());
        self.entries.push(entry)?;
        self.last_offset = Some(offset);
        Ok(())
    }

    /// How many entries from the front can be right: rising from the base offset, and all below `offset`. What a writer left that
    /// was killed may end in zeros.
    pub(crate) fn plausible_entries(&self, offset: i64) -> io::Result<u32> {
        let mut last: Option<OffsetPosition> = None;
        self.entries.count_while(|entry| {
            let entry = self.decode(entry);
            let rises = last.is_none_or(|last| last.offset < entry.offset && last.position < entry.position);
            last = Some(entry);
            rises && (self.base_offset..offset).contains(&entry.offset)
        })
    }

    /// Drops the entries at and above the offset.
    pub(crate) fn truncate_to(&mut self, offset: i64) -> io::Result<()> {
        let keep = self
            .entries
            .partition_point(ReadMode::Blocking, |entry| self.decode(entry).offset < offset)?;
        self.keep_entries(keep)?;
        Ok(())
    }

    /// Drops all but the first `entries` entries; answers the last of them.
    pub(crate) fn keep_entries(&mut self, entries: u32) -> io::Result<Option<OffsetPosition>> {
        self.entries.truncate_entries(entries)?;
        let last = self.last_entry()?;
        self.last_offset = last.map(|entry| entry.offset);
        Ok(last)
    }

    fn decode(&self, entry: &[u8; ENTRY_LEN]) -> OffsetPosition {
        decode(entry, self.base_offset)
    }
}

fn decode(entry: &[u8; ENTRY_LEN], base_offset: i64) -> OffsetPosition {
    let (offset, position) = entry.split_at(4);
    OffsetPosition {
        offset: base_offset + i64::from(i32::from_be_bytes(offset.try_into().expect("4 bytes"))),
        position: u32::from_be_bytes(position.try_into().expect("4 bytes")),
    }
}

/// How far a lookup came without reading.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// The position.
    Found(u32),
    /// It is in the file.
    InFile(OffsetSearch),
}

/// A lookup that reads from the index's file.
#[derive(Debug)]
pub(crate) struct OffsetSearch {
    search: IndexSearch<ENTRY_LEN>,
    base_offset: i64,
    offset: i64,
    guess: u32,
}

impl OffsetSearch {
    /// The position of the last entry at or below the offset; 0 where there is none.
    pub(crate) fn run(&self, mode: ReadMode) -> io::Result<u32> {
        let before = |entry: &[u8; ENTRY_LEN]| decode(entry, self.base_offset).offset <= self.offset;
        let found = self.search.last_before(mode, self.guess, before)?;
        Ok(found.map_or(0, |entry| decode(&entry, self.base_offset).position))
    }
}
