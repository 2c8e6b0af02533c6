//! Open files of sealed segments and indexes, the least recently used closed first, so that the number of open files does not
//! grow with the number of segments.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::disk::LogFile;

/// The identity of a file in [`OpenFiles`]; it outlives renames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId(u64);

/// A bounded set of open files, shared by all logs of a broker.
#[derive(Debug)]
pub struct OpenFiles {
    capacity: usize,
    next_id: AtomicU64,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    used: u64,
    by_id: HashMap<FileId, (u64, Arc<dyn LogFile>)>,
}

impl OpenFiles {
    /// Keeps at most `capacity` files open. Those that a reader still holds stay open beyond that until it lets go.
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity: capacity.max(1),
            next_id: AtomicU64::new(0),
            files: Mutex::default(),
        })
    }

    pub(crate) fn next_id(&self) -> FileId {
        FileId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// The open file, opened by `open` where it is not.
    pub(crate) fn get(
        &self,
        id: FileId,
        open: impl FnOnce() -> io::Result<Arc<dyn LogFile>>,
    ) -> io::Result<Arc<dyn LogFile>> {
        if let Some(file) = self.touch(id) {
            return Ok(file);
        }
        let file = open()?;
        let mut files = self.files.lock();
        if files.by_id.len() >= self.capacity {
            files.evict(self.capacity / 8 + 1);
        }
        files.used += 1;
        let used = files.used;
        files.by_id.insert(id, (used, file.clone()));
        Ok(file)
    }

    fn touch(&self, id: FileId) -> Option<Arc<dyn LogFile>> {
        let mut files = self.files.lock();
        files.used += 1;
        let now = files.used;
        let (used, file) = files.by_id.get_mut(&id)?;
        *used = now;
        Some(file.clone())
    }

    /// Closes the file, unless somebody still reads from it.
    pub(crate) fn forget(&self, id: FileId) {
        self.files.lock().by_id.remove(&id);
    }
}

impl Files {
    fn evict(&mut self, count: usize) {
        let mut ages: Vec<(u64, FileId)> = self.by_id.iter().map(|(&id, &(used, _))| (used, id)).collect();
        let count = count.min(ages.len());
        if count == 0 {
            return;
        }
        ages.select_nth_unstable_by_key(count - 1, |&(used, _)| used);
        for &(_, id) in &ages[..count] {
            self.by_id.remove(&id);
        }
    }
}
