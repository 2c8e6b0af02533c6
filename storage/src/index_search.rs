//! Looking up in the part of an index that is on disk: page by page, beginning where the entry should be if entries were spread
//! evenly. One or two reads instead of one for every halving.

use std::io;
use std::sync::Arc;

use crate::disk::LogFile;
use crate::scan::ReadMode;

/// How many bytes of entries are read at once.
const PAGE: usize = 4096;

/// A lookup in a file of entries of `N` bytes each. It owns what it needs, so that it runs without the index's lock.
#[derive(Debug)]
pub(crate) struct IndexSearch<const N: usize> {
    pub(crate) file: Arc<dyn LogFile>,
    /// How many entries the file holds.
    pub(crate) entries: u32,
}

impl<const N: usize> IndexSearch<N> {
    const ENTRIES_PER_PAGE: u32 = (PAGE / N) as u32;

    /// The last entry for which `before` holds, given that it holds for a first part of them and for no other. `guess` is the number
    /// that it is likely to have; a wrong one costs reads, no more.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file is shorter than it was: it was truncated meanwhile.
    pub(crate) fn last_before(
        &self,
        mode: ReadMode,
        guess: u32,
        before: impl Fn(&[u8; N]) -> bool,
    ) -> io::Result<Option<[u8; N]>> {
        let pages = self.entries.div_ceil(Self::ENTRIES_PER_PAGE);
        let (mut low, mut high) = (0, pages);
        let mut guess = guess / Self::ENTRIES_PER_PAGE;
        let mut step = 1;
        let mut found = None;
        let mut page = [[0; N]; 512];
        while low < high {
            let n = guess.clamp(low, high - 1);
            let entries = self.read_page(mode, n, &mut page)?;
            let count = entries.partition_point(&before);
            if count == 0 {
                high = n;
                guess = n.saturating_sub(step);
            } else {
                found = Some(entries[count - 1]);
                if count < entries.len() {
                    return Ok(found);
                }
                low = n + 1;
                guess = n + step;
            }
            // The neighbour first; then by halves.
            if step > 1 {
                guess = low + (high - low) / 2;
            }
            step += 1;
        }
        Ok(found)
    }

    fn read_page<'a>(&self, mode: ReadMode, n: u32, page: &'a mut [[u8; N]; 512]) -> io::Result<&'a [[u8; N]]> {
        let first = n * Self::ENTRIES_PER_PAGE;
        let count = (self.entries - first).min(Self::ENTRIES_PER_PAGE) as usize;
        let bytes = page[..count].as_flattened_mut();
        if mode.pread(self.file.as_ref(), bytes, u64::from(first) * N as u64)? < count * N {
            let message = format!("an index ends before its entry {}", first + count as u32);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        Ok(&page[..count])
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::disk::Disk;
    use crate::disk_sim::SimDisk;

    fn search(keys: &[u32]) -> IndexSearch<8> {
        let disk = SimDisk::new(1);
        disk.create_dir_all(Path::new("/d")).unwrap();
        let file = disk.create(Path::new("/d/index")).unwrap();
        let entries: Vec<u8> = keys.iter().flat_map(|key| u64::from(*key).to_be_bytes()).collect();
        if !entries.is_empty() {
            file.pwritev(&[&entries], 0).unwrap();
        }
        let entries = keys.len() as u32;
        IndexSearch { file, entries }
    }

    fn key(entry: &[u8; 8]) -> u32 {
        u64::from_be_bytes(*entry) as u32
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let mut search = search(&[1, 2, 3]);
        search.entries = 600;
        let error = search.last_before(ReadMode::Blocking, 540, |_| true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the guess, the entry is that which looking at all of them finds.
        #[test]
        fn it_finds_what_a_walk_finds(gaps in proptest::collection::vec(1..50_u32, 0..4000), wanted in 0..110_000_u32, guess in 0..5000_u32) {
            let keys: Vec<u32> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let found = search(&keys).last_before(ReadMode::Blocking, guess, |entry| key(entry) <= wanted).unwrap();
            let expected = keys.iter().copied().take_while(|key| *key <= wanted).last();
            prop_assert_eq!(found.as_ref().map(key), expected);
        }
    }
}
