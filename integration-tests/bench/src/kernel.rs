//! The two calls to the kernel that have no safe wrapper: this crate's only `unsafe`.
#![allow(unsafe_code)]

use anyhow::{Result, ensure};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Processor time of every thread that `pid` has or had, in nanoseconds of the scheduler's clock
/// (`/proc/PID/stat` counts in hundredths of a second, too coarse for a load that costs a tenth).
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both pointers are to locals of the types that the calls expect, and live across them.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock) != 0
            || libc::clock_gettime(clock, &raw mut time) != 0
    };
    ensure!(!failed, "process {pid} has no processor clock: is it gone?");
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// Has the kernel end `command` when this process ends, however that comes about.
pub fn end_with_parent(command: &mut Command) {
    use rustix::process::{Signal, set_parent_process_death_signal};
    // SAFETY: between fork and exec the closure makes one system call and touches no memory of the parent.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) };
}
