//! A file of fixed-size entries behind which new ones are kept in memory until there are enough of them to be worth a write.
//!
//! Losing the entries in memory loses nothing: they describe records past the recovery point, from which they are rebuilt.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{Disk, LogFile};
use crate::index_search::IndexSearch;
use crate::log_home::LogHome;
use crate::open_files::{FileId, OpenFiles};
use crate::scan::ReadMode;

/// How many bytes of entries are gathered before they are written.
const WRITE_AT: usize = 4096;
/// How many bytes of entries stay in memory, written or not: the hot end of a busy segment is looked up without the file.
const KEEP: usize = 2 * WRITE_AT;

/// How many entries are read at once when all of them are looked at.
const CHUNK_ENTRIES: usize = 4096;

/// One of a segment's files, opened when it is first needed.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    home: Arc<LogHome>,
    id: FileId,
    base_offset: i64,
    suffix: &'static str,
}

impl SegmentFile {
    pub(crate) fn new(home: &Arc<LogHome>, base_offset: i64, suffix: &'static str) -> Self {
        Self {
            home: home.clone(),
            id: home.open_files().next_id(),
            base_offset,
            suffix,
        }
    }

    fn disk(&self) -> &dyn Disk {
        self.home.disk()
    }

    fn open_files(&self) -> &OpenFiles {
        self.home.open_files()
    }

    /// Where the file is (`<offset, 20 digits><suffix>`), while its segment is not deleted.
    pub(crate) fn path(&self) -> PathBuf {
        self.home.path(&format!("{:020}{}", self.base_offset, self.suffix))
    }

    /// The open file. A missing one is created empty.
    pub(crate) fn create(&self) -> io::Result<Arc<dyn LogFile>> {
        self.open_files().get(self.id, || self.disk().create(&self.path()))
    }

    /// The open file, also where the segment has been marked as deleted meanwhile.
    pub(crate) fn open(&self) -> io::Result<Arc<dyn LogFile>> {
        self.open_files().get(self.id, || match self.disk().open(&self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.disk().open(&self.deleted_path()),
            other => other,
        })
    }

    fn deleted_path(&self) -> PathBuf {
        let mut path = self.path().into_os_string();
        path.push(".deleted");
        path.into()
    }

    /// Renames to `*.deleted`; answers the new name, or `None` where there is no such file.
    pub(crate) fn mark_deleted(&self) -> io::Result<Option<PathBuf>> {
        let to = self.deleted_path();
        match self.disk().rename(&self.path(), &to) {
            Ok(()) => Ok(Some(to)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn close(&self) {
        self.open_files().forget(self.id);
    }
}

impl Drop for SegmentFile {
    fn drop(&mut self) {
        self.close();
    }
}

/// Entries of `N` bytes each.
#[derive(Debug)]
pub(crate) struct IndexFile<const N: usize> {
    file: SegmentFile,
    max_entries: u32,
    /// Entries in the file that are known; what lies behind them there is not ours.
    in_file: u32,
    /// Entries that are durable.
    synced: u32,
    /// Counts truncations, so that a sync that began before one says nothing about what came after.
    truncations: u32,
    /// The newest entries: those from number `tail_from` on. `tail_from <= in_file <= tail_from + tail.len()`.
    tail: Vec<[u8; N]>,
    tail_from: u32,
}

impl<const N: usize> IndexFile<N> {
    /// The index as the file holds it.
    pub(crate) fn load(file: SegmentFile, max_bytes: i32) -> io::Result<Self> {
        let entries = (file.open()?.size()? / N as u64) as u32;
        Ok(Self::new(file, max_bytes, entries))
    }

    /// A new index; what the file held is gone.
    pub(crate) fn create(file: SegmentFile, max_bytes: i32) -> io::Result<Self> {
        file.create()?.truncate(0)?;
        Ok(Self::new(file, max_bytes, 0))
    }

    fn new(file: SegmentFile, max_bytes: i32, entries: u32) -> Self {
        let max_entries = max_bytes.max(0) as u32 / N as u32;
        Self {
            file,
            max_entries,
            in_file: entries,
            synced: entries,
            truncations: 0,
            tail: Vec::new(),
            tail_from: entries,
        }
    }

    pub(crate) fn max_entries(&self) -> u32 {
        self.max_entries
    }

    pub(crate) fn entries(&self) -> u32 {
        self.tail_from + self.tail.len() as u32
    }

    pub(crate) fn entry(&self, n: u32, mode: ReadMode) -> io::Result<[u8; N]> {
        debug_assert!(n < self.entries());
        if n >= self.tail_from {
            return Ok(self.tail[(n - self.tail_from) as usize]);
        }
        let mut entry = [0; N];
        if mode.pread(self.file.open()?.as_ref(), &mut entry, u64::from(n) * N as u64)? < N {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("index entry {n} is missing"),
            ));
        }
        Ok(entry)
    }

    /// The last entry for which `before` holds, where the entries in memory tell: `Some(None)` means that there are no entries.
    pub(crate) fn last_before_in_memory(&self, before: impl Fn(&[u8; N]) -> bool) -> Option<Option<[u8; N]>> {
        match self.tail.partition_point(before) {
            0 if self.tail_from == 0 => Some(None),
            0 => None,
            n => Some(Some(self.tail[n - 1])),
        }
    }

    /// A lookup among the entries that are in the file.
    pub(crate) fn search(&self) -> io::Result<IndexSearch<N>> {
        Ok(IndexSearch {
            file: self.file.open()?,
            entries: self.tail_from,
        })
    }

    /// The number of entries for which `before` holds, given that it holds for a first part of them and for no other.
    pub(crate) fn partition_point(&self, mode: ReadMode, before: impl Fn(&[u8; N]) -> bool) -> io::Result<u32> {
        if self.tail.first().is_some_and(&before) {
            return Ok(self.tail_from + self.tail.partition_point(before) as u32);
        }
        let (mut low, mut high) = (0, self.tail_from);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(&self.entry(middle, mode)?) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        Ok(low)
    }

    /// How many entries from the front `good` accepts one after the other.
    pub(crate) fn count_while(&self, mut good: impl FnMut(&[u8; N]) -> bool) -> io::Result<u32> {
        debug_assert!(self.tail.is_empty(), "for an index that was just loaded");
        let file = self.file.open()?;
        let mut chunk = vec![0; CHUNK_ENTRIES * N];
        let mut count = 0;
        while count < self.in_file {
            let read = file.pread(&mut chunk, u64::from(count) * N as u64)?;
            let entries = chunk[..read].as_chunks::<N>().0;
            let accepted = entries.iter().take_while(|entry| good(entry)).count() as u32;
            count += accepted;
            if accepted == 0 || (accepted as usize) < entries.len() {
                break;
            }
        }
        Ok(count)
    }

    pub(crate) fn push(&mut self, entry: [u8; N]) -> io::Result<()> {
        self.tail.push(entry);
        if (self.entries() - self.in_file) as usize * N >= WRITE_AT {
            self.write_tail()?;
        }
        if self.tail.len() * N >= KEEP {
            let written = (self.in_file - self.tail_from) as usize;
            let drop = written.min(self.tail.len() / 2);
            self.tail.drain(..drop);
            self.tail_from += drop as u32;
        }
        Ok(())
    }

    /// Writes the entries that are only in memory.
    pub(crate) fn write_tail(&mut self) -> io::Result<()> {
        let unwritten = &self.tail[(self.in_file - self.tail_from) as usize..];
        if !unwritten.is_empty() {
            self.file
                .create()?
                .pwritev(&[unwritten.as_flattened()], u64::from(self.in_file) * N as u64)?;
            self.in_file = self.entries();
        }
        Ok(())
    }

    /// Keeps the first `entries` entries.
    pub(crate) fn truncate_entries(&mut self, entries: u32) -> io::Result<()> {
        if entries >= self.entries() {
            return Ok(());
        }
        self.tail.truncate(entries.saturating_sub(self.tail_from) as usize);
        self.tail_from = self.tail_from.min(entries);
        if self.in_file > entries {
            self.in_file = entries;
            // That the file is shorter is not durable either; a flush is due even where nothing is added.
            self.synced = 0;
            self.truncations += 1;
            self.file.create()?.truncate(u64::from(entries) * N as u64)?;
        }
        Ok(())
    }

    /// For an index that gets no more entries: writes what is only in memory, frees it, and cuts what lies behind the last entry.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        self.write_tail()?;
        let file = self.file.create()?;
        let len = u64::from(self.entries()) * N as u64;
        if file.size()? != len {
            file.truncate(len)?;
        }
        self.tail_from = self.entries();
        self.tail = Vec::new();
        Ok(())
    }

    /// Writes what is only in memory; answers what there is to be made durable, for the caller to sync.
    pub(crate) fn unsynced(&mut self) -> io::Result<Option<IndexSync>> {
        self.write_tail()?;
        if self.synced == self.in_file {
            return Ok(None);
        }
        Ok(Some(IndexSync {
            file: self.file.open()?,
            entries: self.in_file,
            truncations: self.truncations,
        }))
    }

    /// Takes note that a sync of [`IndexFile::unsynced`] is done.
    pub(crate) fn note_synced(&mut self, sync: &IndexSync) {
        if sync.truncations == self.truncations {
            self.synced = self.synced.max(sync.entries);
        }
    }
}

/// Entries that are written and about to be made durable.
#[derive(Debug)]
pub(crate) struct IndexSync {
    pub(crate) file: Arc<dyn LogFile>,
    entries: u32,
    truncations: u32,
}
