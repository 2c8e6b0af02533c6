//! A disk in memory that forgets, tears and refuses as a real one may. One seed gives one behaviour.
//!
//! It keeps two copies of everything: the live one, which the program sees, and the durable one, which a power failure leaves. A
//! failing machine keeps of what was not synced any subset of 4 KiB pages, and of the changes to names in a directory any first part.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{DirEntry, Disk, DiskLock, FileMetadata, LogFile};

/// What survives or is lost as a whole.
const PAGE: usize = 4096;

/// A simulated disk; clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

/// What a program asks of the disk, as far as that may take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimCall {
    /// [`Disk::open`] and [`Disk::create`]
    Open,
    /// [`LogFile::pread`] and [`LogFile::pread_nowait`]
    Read,
    /// [`LogFile::pwritev`]
    Write,
    /// [`LogFile::fsync`]
    Sync,
    /// [`Disk::remove_file`]
    Remove,
}

#[derive(Clone)]
struct Hook(Arc<dyn Fn(SimCall) + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

#[derive(Debug, Default)]
struct State {
    random: u64,
    now_ms: i64,
    files: Vec<FileState>,
    live: Names,
    durable: Names,
    /// Changes to names that are not durable, oldest first.
    pending: Vec<NameChange>,
    locks: BTreeSet<PathBuf>,
    changes: u64,
    stop_at: Option<u64>,
    stopped: bool,
    fail_at: Option<u64>,
    fail_syncs: bool,
    cold: bool,
    hook: Option<Hook>,
}

type Names = BTreeMap<PathBuf, Node>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Debug, Default)]
struct FileState {
    live: Vec<u8>,
    durable: Vec<u8>,
    modified_ms: i64,
    /// Pages whose live content is not durable.
    dirty: BTreeSet<usize>,
}

impl SimDisk {
    /// An empty disk with the directory `/`.
    pub fn new(seed: u64) -> Self {
        let root = Names::from([(PathBuf::from("/"), Node::Dir)]);
        let state = State {
            random: seed | 1,
            live: root.clone(),
            durable: root,
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// How many calls have changed something so far, or tried to.
    pub fn changes(&self) -> u64 {
        self.0.lock().changes
    }

    /// The program dies in its `n`th change, counted from the disk's beginning: of a write any first part is made, and every later
    /// call fails.
    pub fn stop_at(&self, n: u64) {
        self.0.lock().stop_at = Some(n);
    }

    /// The `n`th change fails, once; of a write any first part is made.
    pub fn fail_at(&self, n: u64) {
        self.0.lock().fail_at = Some(n);
    }

    /// From now on syncing fails, or works again.
    pub fn fail_syncs(&self, fail: bool) {
        self.0.lock().fail_syncs = fail;
    }

    /// Whether reads that may not wait find nothing in memory.
    pub fn set_cold(&self, cold: bool) {
        self.0.lock().cold = cold;
    }

    /// From now on `hook` is called before each of these calls is made, and may take its time: a disk that stalls.
    pub fn set_hook(&self, hook: impl Fn(SimCall) + Send + Sync + 'static) {
        self.0.lock().hook = Some(Hook(Arc::new(hook)));
    }

    fn announce(&self, call: SimCall) {
        let hook = self.0.lock().hook.clone();
        if let Some(Hook(hook)) = hook {
            hook(call);
        }
    }

    /// The time that files get when they are written.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.0.lock().now_ms = now_ms;
    }

    /// The program is gone and another one comes: all that was written is there.
    pub fn kill(&self) {
        let mut state = self.0.lock();
        state.stopped = false;
        state.stop_at = None;
        state.fail_at = None;
        state.locks.clear();
    }

    /// The power fails: what was not synced is kept or lost at random.
    pub fn crash(&self) {
        self.kill();
        self.0.lock().lose();
    }

    /// Turns one bit of a file over, on the disk and in memory.
    pub fn flip_bit(&self, path: &Path, bit: u64) {
        let mut state = self.0.lock();
        let file = state.file(path).expect("the file exists");
        let byte = (bit / 8) as usize;
        state.files[file].live[byte] ^= 1 << (bit % 8);
        if let Some(durable) = state.files[file].durable.get_mut(byte) {
            *durable ^= 1 << (bit % 8);
        }
    }
}

impl State {
    /// xorshift: good enough to choose what is lost.
    fn random(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        if bound == 0 { 0 } else { self.random % bound }
    }

    fn check_alive(&self) -> io::Result<()> {
        if self.stopped {
            Err(io::Error::other("the simulated program has stopped"))
        } else {
            Ok(())
        }
    }

    /// Counts a change. `Err` with how much of it – of `len` – is made nevertheless, where it is one that fails.
    fn change(&mut self, len: usize) -> Result<(), (usize, io::Error)> {
        if let Err(error) = self.check_alive() {
            return Err((0, error));
        }
        self.changes += 1;
        let stops = self.stop_at == Some(self.changes);
        let fails = self.fail_at == Some(self.changes);
        if !stops && !fails {
            return Ok(());
        }
        self.stopped |= stops;
        Err((
            self.random(len as u64 + 1) as usize,
            io::Error::other("simulated failure"),
        ))
    }

    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        self.change(0).map_err(|(_, error)| error)?;
        apply(&mut self.live, &change);
        self.pending.push(change);
        Ok(())
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.live.get(path) {
            Some(&Node::File(file)) => Ok(file),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn sync_names(&mut self, dir: &Path) {
        let concerns = |change: &NameChange| {
            let in_dir = |path: &Path| path.parent() == Some(dir);
            match change {
                NameChange::Set(path, _) | NameChange::Remove(path) => in_dir(path),
                NameChange::Rename(from, to) => in_dir(from) || in_dir(to),
            }
        };
        let (synced, pending) = std::mem::take(&mut self.pending).into_iter().partition(concerns);
        self.pending = pending;
        let synced: Vec<NameChange> = synced;
        synced.iter().for_each(|change| apply(&mut self.durable, change));
    }

    fn lose(&mut self) {
        let kept = self.random(self.pending.len() as u64 + 1) as usize;
        let pending = std::mem::take(&mut self.pending);
        pending[..kept]
            .iter()
            .for_each(|change| apply(&mut self.durable, change));
        // A name whose directory is gone is gone with it.
        let dirs: BTreeSet<PathBuf> = self
            .durable
            .iter()
            .filter(|(_, node)| **node == Node::Dir)
            .map(|(path, _)| path.clone())
            .collect();
        self.durable
            .retain(|path, _| path.parent().is_none_or(|parent| dirs.contains(parent)));
        self.live = self.durable.clone();
        for file in 0..self.files.len() {
            self.lose_pages(file);
        }
    }

    fn lose_pages(&mut self, file: usize) {
        let dirty = std::mem::take(&mut self.files[file].dirty);
        let (live_len, durable_len) = (self.files[file].live.len(), self.files[file].durable.len());
        let len = match self.random(3) {
            0 => durable_len,
            1 => live_len,
            _ => durable_len.min(live_len) + self.random(durable_len.abs_diff(live_len) as u64 + 1) as usize,
        };
        let lost: Vec<usize> = dirty.into_iter().filter(|_| self.random(2) == 0).collect();
        let state = &mut self.files[file];
        for page in lost {
            for at in page * PAGE..((page + 1) * PAGE).min(live_len) {
                state.live[at] = state.durable.get(at).copied().unwrap_or(0);
            }
        }
        state.live.resize(len, 0);
        state.durable = state.live.clone();
    }
}

fn apply(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Set(path, node) => {
            names.insert(path.clone(), *node);
        }
        NameChange::Remove(path) => names.retain(|name, _| !name.starts_with(path)),
        NameChange::Rename(from, to) => {
            let moved: Vec<PathBuf> = names.keys().filter(|name| name.starts_with(from)).cloned().collect();
            for name in moved {
                if let (Some(node), Ok(rest)) = (names.remove(&name), name.strip_prefix(from)) {
                    names.insert(
                        if rest.as_os_str().is_empty() {
                            to.clone()
                        } else {
                            to.join(rest)
                        },
                        node,
                    );
                }
            }
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl SimFile {
    fn read(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let state = self.disk.0.lock();
        state.check_alive()?;
        let content = state.files[self.file].live.get(at as usize..).unwrap_or_default();
        let len = content.len().min(buf.len());
        buf[..len].copy_from_slice(&content[..len]);
        Ok(len)
    }
}

impl FileState {
    fn write(&mut self, content: &[u8], at: usize) {
        if content.is_empty() {
            return;
        }
        let end = at + content.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.live[at..end].copy_from_slice(content);
        self.dirty.extend(at / PAGE..=(end - 1) / PAGE);
    }
}

impl LogFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().files[self.file].live.len() as u64)
    }

    fn pread(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.disk.announce(SimCall::Read);
        self.read(buf, at)
    }

    fn pread_nowait(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.disk.announce(SimCall::Read);
        if self.disk.0.lock().cold {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.read(buf, at)
    }

    fn pwritev(&self, bufs: &[&[u8]], at: u64) -> io::Result<()> {
        self.disk.announce(SimCall::Write);
        let content = bufs.concat();
        let mut state = self.disk.0.lock();
        let made = state.change(content.len());
        let now_ms = state.now_ms;
        let file = &mut state.files[self.file];
        file.modified_ms = now_ms;
        match made {
            Ok(()) => file.write(&content, at as usize),
            Err((part, _)) => file.write(&content[..part], at as usize),
        }
        made.map_err(|(_, error)| error)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        state.change(0).map_err(|(_, error)| error)?;
        let file = &mut state.files[self.file];
        let (old, len) = (file.live.len(), len as usize);
        file.live.resize(len, 0);
        if len > 0 && old != len {
            file.dirty.extend((old.min(len) / PAGE)..=((len - 1) / PAGE));
        }
        file.dirty.retain(|page| page * PAGE < len);
        Ok(())
    }

    fn fallocate(&self, at: u64, len: u64) -> io::Result<()> {
        let end = (at + len).max(self.size()?);
        self.truncate(end)
    }

    fn fsync(&self) -> io::Result<()> {
        self.disk.announce(SimCall::Sync);
        let mut state = self.disk.0.lock();
        state.change(0).map_err(|(_, error)| error)?;
        if state.fail_syncs {
            return Err(io::Error::other("simulated failure to sync"));
        }
        let file = &mut state.files[self.file];
        file.durable = file.live.clone();
        file.dirty.clear();
        Ok(())
    }

    fn sync_file_system(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        state.change(0).map_err(|(_, error)| error)?;
        if state.fail_syncs {
            return Err(io::Error::other("simulated failure to sync"));
        }
        state.pending.clear();
        state.durable = state.live.clone();
        for file in &mut state.files {
            file.durable = file.live.clone();
            file.dirty.clear();
        }
        Ok(())
    }

    fn is_cached(&self, _at: u64, _len: u64) -> bool {
        !self.disk.0.lock().cold
    }

    fn as_std_file(&self) -> Option<Arc<File>> {
        None
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        self.announce(SimCall::Open);
        let state = self.0.lock();
        state.check_alive()?;
        let file = state.file(path)?;
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            file,
        }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        self.announce(SimCall::Open);
        let mut state = self.0.lock();
        state.check_alive()?;
        let file = match state.file(path) {
            Ok(file) => file,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {
                if path
                    .parent()
                    .is_none_or(|parent| state.live.get(parent) != Some(&Node::Dir))
                {
                    return Err(io::ErrorKind::NotFound.into());
                }
                let file = state.files.len();
                state.change_name(NameChange::Set(path.to_path_buf(), Node::File(file)))?;
                let modified_ms = state.now_ms;
                state.files.push(FileState {
                    modified_ms,
                    ..FileState::default()
                });
                file
            }
        };
        drop(state);
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            file,
        }))
    }

    fn metadata(&self, path: &Path) -> io::Result<FileMetadata> {
        let state = self.0.lock();
        state.check_alive()?;
        let file = &state.files[state.file(path)?];
        Ok(FileMetadata {
            len: file.live.len() as u64,
            modified_ms: file.modified_ms,
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.0.lock();
        state.check_alive()?;
        if state.live.get(dir) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entry = |(path, node): (&PathBuf, &Node)| {
            let name = path.file_name()?.to_str()?.to_owned();
            (path.parent() == Some(dir)).then_some(DirEntry {
                name,
                is_dir: *node == Node::Dir,
            })
        };
        Ok(state.live.iter().filter_map(entry).collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.check_alive()?;
        let missing: Vec<PathBuf> = dir
            .ancestors()
            .filter(|path| !state.live.contains_key(*path))
            .map(Path::to_path_buf)
            .collect();
        missing
            .into_iter()
            .rev()
            .try_for_each(|path| state.change_name(NameChange::Set(path, Node::Dir)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.check_alive()?;
        if !state.live.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Rename(from.to_path_buf(), to.to_path_buf()))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.announce(SimCall::Remove);
        let mut state = self.0.lock();
        state.check_alive()?;
        state.file(path)?;
        state.change_name(NameChange::Remove(path.to_path_buf()))
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.check_alive()?;
        if state.live.get(dir) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_name(NameChange::Remove(dir.to_path_buf()))
    }

    fn fsync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.change(0).map_err(|(_, error)| error)?;
        if state.fail_syncs {
            return Err(io::Error::other("simulated failure to sync"));
        }
        state.sync_names(dir);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<DiskLock> {
        self.create(path)?;
        let mut state = self.0.lock();
        if !state.locks.insert(path.to_path_buf()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(DiskLock::new(SimLock {
            disk: self.clone(),
            path: path.to_path_buf(),
        }))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.0.lock().locks.remove(&self.path);
    }
}
