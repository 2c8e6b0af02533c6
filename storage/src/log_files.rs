//! What lies in a partition's directory when it is opened, after the leftovers of an interrupted deletion, compaction or split have
//! been cleared away.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::disk::Disk;
use crate::log_home::LogHome;
use crate::scan::{BatchScan, ReadMode};

/// The files of a partition.
#[derive(Debug, Default)]
pub(crate) struct LogFiles {
    /// Whether the directory was missing and has been created.
    pub(crate) created: bool,
    /// By base offset.
    pub(crate) segments: BTreeMap<i64, SegmentFacts>,
    /// Offsets of the producers' snapshots.
    pub(crate) snapshots: BTreeSet<i64>,
}

/// What is known of a segment without opening it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentFacts {
    pub(crate) size: u64,
    pub(crate) modified_ms: i64,
    /// Whether both indexes are there.
    pub(crate) has_indexes: bool,
}

/// The offset that a file's name begins with, and what follows.
fn split_name(name: &str) -> Option<(i64, &str)> {
    let (digits, suffix) = name.split_at_checked(20)?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, suffix))
}

impl LogFiles {
    pub(crate) fn list(home: &LogHome) -> io::Result<Self> {
        let mut names = match list_files(home) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                home.disk().create_dir_all(&home.dir())?;
                return Ok(Self {
                    created: true,
                    ..Self::default()
                });
            }
            names => names?,
        };
        if names
            .iter()
            .any(|name| name.ends_with(".deleted") || name.ends_with(".cleaned") || name.ends_with(".swap"))
        {
            clear_leftovers(home, &names)?;
            names = list_files(home)?;
        }
        Self::from_names(home, &names)
    }

    fn from_names(home: &LogHome, names: &BTreeSet<String>) -> io::Result<Self> {
        let mut files = Self::default();
        for name in names {
            let Some((offset, suffix)) = split_name(name) else {
                continue;
            };
            let has = |suffix: &str| names.contains(&format!("{offset:020}{suffix}"));
            match suffix {
                ".log" => {
                    let metadata = home.disk().metadata(&home.path(name))?;
                    let has_indexes = has(".index") && has(".timeindex");
                    let facts = SegmentFacts {
                        size: metadata.len,
                        modified_ms: metadata.modified_ms,
                        has_indexes,
                    };
                    files.segments.insert(offset, facts);
                }
                ".snapshot" => {
                    files.snapshots.insert(offset);
                }
                // An index without its segment.
                ".index" | ".timeindex" | ".txnindex" if !has(".log") => home.disk().remove_file(&home.path(name))?,
                _ => {}
            }
        }
        Ok(files)
    }
}

fn list_files(home: &LogHome) -> io::Result<BTreeSet<String>> {
    let entries = home.disk().list(&home.dir())?;
    Ok(entries
        .into_iter()
        .filter(|entry| !entry.is_dir)
        .map(|entry| entry.name)
        .collect())
}

/// Removes what was on its way out, and finishes or undoes the replacement of segments.
///
/// New segments are written as `.cleaned`, renamed to `.swap` from the highest offset down, the old ones are deleted, and the new ones
/// lose their suffix. So `.swap` files at or above a `.cleaned` one belong to a replacement that had not begun to count.
fn clear_leftovers(home: &LogHome, names: &BTreeSet<String>) -> io::Result<()> {
    let disk = home.disk();
    let with_suffix = |suffix: &'static str| {
        names
            .iter()
            .filter_map(move |name| Some((split_name(name)?.0, name.strip_suffix(suffix)?, name)))
    };
    for name in names.iter().filter(|name| name.ends_with(".deleted")) {
        disk.remove_file(&home.path(name))?;
    }
    let min_cleaned = with_suffix(".cleaned")
        .map(|(offset, ..)| offset)
        .min()
        .unwrap_or(i64::MAX);
    let (undone, valid): (Vec<_>, Vec<_>) = with_suffix(".swap").partition(|&(offset, ..)| offset >= min_cleaned);
    for (.., name) in undone.into_iter().chain(with_suffix(".cleaned")) {
        disk.remove_file(&home.path(name))?;
    }
    let (mut first_replaced, mut end_replaced) = (i64::MAX, i64::MIN);
    for &(offset, target, name) in valid.iter().filter(|(_, target, _)| target.ends_with(".log")) {
        debug_assert!(!target.is_empty());
        first_replaced = first_replaced.min(offset);
        end_replaced = end_replaced.max(next_offset(disk, home, name, offset)?);
    }
    for name in names
        .iter()
        .filter(|name| !name.ends_with(".swap") && !name.ends_with(".cleaned"))
    {
        if split_name(name).is_some_and(|(offset, suffix)| {
            (first_replaced..end_replaced).contains(&offset) && !suffix.ends_with(".deleted")
        }) {
            disk.remove_file(&home.path(name))?;
        }
    }
    valid
        .into_iter()
        .try_for_each(|(_, target, name)| disk.rename(&home.path(name), &home.path(target)))
}

fn next_offset(disk: &dyn Disk, home: &LogHome, name: &str, base_offset: i64) -> io::Result<i64> {
    let path = home.path(name);
    let file = disk.open(&path)?;
    let mut scan = BatchScan::new(&path, file.as_ref(), ReadMode::Blocking, 0, file.size()?);
    let mut next_offset = base_offset;
    while let Some(found) = scan.next()? {
        next_offset = found.header.last_offset() + 1;
    }
    Ok(next_offset)
}
