//! The one place of this crate that calls the system without a safe wrapper.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Takes an exclusive lock on the whole file that ends when the file is closed; `WouldBlock` where another open file, in this
/// process or another, holds one. It excludes the locks that Java takes (`FileChannel.tryLock`), which `flock` would not.
pub(crate) fn lock_exclusively(file: &File) -> io::Result<()> {
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open for the whole call because `file` is borrowed, F_OFD_SETLK takes a pointer to a
    // `flock`, and the kernel only reads through it.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    if answer == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EACCES) => Err(io::ErrorKind::WouldBlock.into()),
        _ => Err(error),
    }
}

/// `cachestat` of Linux 6.5, the same number on every architecture.
const SYS_CACHESTAT: libc::c_long = 451;

#[repr(C)]
struct CachestatRange {
    offset: u64,
    length: u64,
}

#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// How many pages of the range are in the page cache; an error where the kernel does not tell.
pub(crate) fn cached_pages(file: &File, offset: u64, length: u64) -> io::Result<u64> {
    let range = CachestatRange { offset, length };
    let mut stat = Cachestat::default();
    // SAFETY: the descriptor is open for the whole call because `file` is borrowed; both pointers are to live structures of
    // the layout that the kernel documents, the first is only read, and the second is only written.
    let answer = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            file.as_raw_fd(),
            &raw const range,
            &raw mut stat,
            0 as libc::c_uint,
        )
    };
    if answer == 0 {
        Ok(stat.cached)
    } else {
        Err(io::Error::last_os_error())
    }
}
