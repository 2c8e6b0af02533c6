//! The file system as the log needs it: a trait, so that a simulated disk can stand in, and the real one.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use rustix::fs::FallocateFlags;
use rustix::io::ReadWriteFlags;

use crate::sys::{cached_pages, lock_exclusively};

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name, without its directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// What is known of a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// Its length in bytes.
    pub len: u64,
    /// When it was last written, in milliseconds since the epoch.
    pub modified_ms: i64,
}

/// An open file. All positions are explicit; nothing moves a cursor.
pub trait LogFile: fmt::Debug + Send + Sync {
    /// The length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reads at `at` until `buf` is full or the file ends; answers how much was read.
    fn pread(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// Like [`LogFile::pread`], but `WouldBlock` where that would wait for the disk.
    fn pread_nowait(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of `bufs`, one behind the other, at `at`. On an error any part may have been written.
    fn pwritev(&self, bufs: &[&[u8]], at: u64) -> io::Result<()>;
    /// Cuts or extends (with zeros) the file.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Allocates the range, which also extends the file.
    fn fallocate(&self, at: u64, len: u64) -> io::Result<()>;
    /// Makes content and length durable. After an error nothing may be assumed about any earlier write.
    fn fsync(&self) -> io::Result<()>;
    /// Makes everything durable that was written to the file system since the file was opened, by whomever.
    fn sync_file_system(&self) -> io::Result<()>;
    /// Whether the range can be read without waiting for the disk, where that is known.
    fn is_cached(&self, at: u64, len: u64) -> bool;
    /// The file as the operating system knows it, for `sendfile`; `None` on a simulated disk.
    fn as_std_file(&self) -> Option<Arc<File>>;
}

/// A lock that is held as long as this lives.
#[derive(Debug)]
pub struct DiskLock {
    _held: Box<dyn fmt::Debug + Send + Sync>,
}

impl DiskLock {
    /// The lock that `held` stands for.
    pub fn new(held: impl fmt::Debug + Send + Sync + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

/// A file system.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;
    /// Opens a file for reading and writing, creating it where it is missing; what it holds stays.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>>;
    /// Length and time of the last write.
    fn metadata(&self, path: &Path) -> io::Result<FileMetadata>;
    /// The names in a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Creates a directory and those above it.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Renames, replacing what is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all that is in it.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn fsync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates a file where it is missing and locks it against every other broker; `WouldBlock` where one holds it.
    fn lock(&self, path: &Path) -> io::Result<DiskLock>;

    /// The whole content of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let mut content = vec![0; file.size()? as usize];
        let read = file.pread(&mut content, 0)?;
        content.truncate(read);
        Ok(content)
    }

    /// Replaces a small file so that a crash leaves the old content or the new: writes `<path>.tmp` and renames it. With
    /// `sync` the new content is durable when this returns.
    fn write_atomically(&self, path: &Path, content: &[u8], sync: bool) -> io::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let temporary = Path::new(&name);
        let file = self.create(temporary)?;
        file.truncate(0)?;
        file.pwritev(&[content], 0)?;
        if sync {
            file.fsync()?;
        }
        self.rename(temporary, path)?;
        match path.parent() {
            Some(dir) if sync => self.fsync_dir(dir),
            _ => Ok(()),
        }
    }
}

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(Arc<File>);

/// Whether the kernel tells what it has cached; found out by asking.
static CACHESTAT_WORKS: AtomicBool = AtomicBool::new(true);

/// How far apart the single bytes lie that stand for their neighbourhood when a range is probed for being cached.
const PROBE_STEP: u64 = 32 * 1024;

impl LogFile for RealFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn pread(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match rustix::io::pread(&self.0, &mut buf[done..], at + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    fn pread_nowait(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let mut slices = [io::IoSliceMut::new(&mut buf[done..])];
            match rustix::io::preadv2(&self.0, &mut slices, at + done as u64, ReadWriteFlags::NOWAIT) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(rustix::io::Errno::INTR) => {}
                // File systems that cannot say whether they would wait (FUSE, some network ones) are read with waiting.
                Err(rustix::io::Errno::OPNOTSUPP) => return self.pread(buf, at),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    fn pwritev(&self, bufs: &[&[u8]], at: u64) -> io::Result<()> {
        let mut slices: Vec<io::IoSlice<'_>> = bufs.iter().map(|buf| io::IoSlice::new(buf)).collect();
        let mut rest = slices.as_mut_slice();
        let mut at = at;
        io::IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            // IOV_MAX on Linux.
            let some = &rest[..rest.len().min(1024)];
            match rustix::io::pwritev(&self.0, some, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    at += n as u64;
                    io::IoSlice::advance_slices(&mut rest, n);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn fallocate(&self, at: u64, len: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.0, FallocateFlags::empty(), at, len)?)
    }

    fn fsync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_file_system(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }

    fn is_cached(&self, at: u64, len: u64) -> bool {
        if len == 0 {
            return true;
        }
        if CACHESTAT_WORKS.load(Ordering::Relaxed) {
            let page = rustix::param::page_size() as u64;
            let pages = (at + len - 1) / page - at / page + 1;
            match cached_pages(&self.0, at, len) {
                Ok(cached) => return cached >= pages,
                // An old kernel, or a sandbox that does not let us ask.
                Err(_) => CACHESTAT_WORKS.store(false, Ordering::Relaxed),
            }
        }
        let mut byte = [0];
        let mut probe = |at| matches!(self.pread_nowait(&mut byte, at), Ok(1));
        (at..at + len).step_by(PROBE_STEP as usize).all(&mut probe) && probe(at + len - 1)
    }

    fn as_std_file(&self) -> Option<Arc<File>> {
        Some(self.0.clone())
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(RealFile(Arc::new(
            File::options().read(true).write(true).open(path)?,
        ))))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        Ok(Arc::new(RealFile(Arc::new(file))))
    }

    fn metadata(&self, path: &Path) -> io::Result<FileMetadata> {
        let metadata = std::fs::metadata(path)?;
        let modified_ms = match metadata.modified()?.duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_millis() as i64,
            Err(before) => -(before.duration().as_millis() as i64),
        };
        Ok(FileMetadata {
            len: metadata.len(),
            modified_ms,
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            // Names that are not UTF-8 cannot be ours or Kafka's.
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(DirEntry {
                    name,
                    is_dir: entry.file_type()?.is_dir(),
                });
            }
        }
        Ok(entries)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<DiskLock> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        lock_exclusively(&file)?;
        Ok(DiskLock::new(file))
    }

    fn fsync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}
