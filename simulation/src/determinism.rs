//! The clock and the randomness of the whole process, below the standard library: what reads either gets what the simulation says. So
//! nothing above has to know of it, the order in hash maps included.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What the wall clock shows when a simulation begins, in seconds since 1970.
const BEGINNING_S: u64 = 1_700_000_000;
/// What the monotonic clock shows then: not zero, as much is subtracted from it.
const BOOTED_S: u64 = 1_000_000;

static IS_ON: AtomicBool = AtomicBool::new(false);
static ELAPSED_US: AtomicU64 = AtomicU64::new(0);
static RANDOM: AtomicU64 = AtomicU64::new(1);

/// From now on this process has no other clock and no other randomness.
pub fn begin(seed: u64) {
    RANDOM.store(mixed(seed) | 1, Ordering::SeqCst);
    IS_ON.store(true, Ordering::SeqCst);
}

/// How long the simulation has been going on.
pub fn tell_time(elapsed: Duration) {
    let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    ELAPSED_US.store(us, Ordering::SeqCst);
}

/// Since the simulation began, in milliseconds.
pub fn elapsed_ms() -> u64 {
    ELAPSED_US.load(Ordering::SeqCst) / 1000
}

/// Another seed from one.
pub fn mixed(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn next_random() -> u64 {
    let mut random = RANDOM.load(Ordering::SeqCst);
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    RANDOM.store(random, Ordering::SeqCst);
    random
}

/// In place of the C library's.
///
/// # Safety
/// `buffer` has room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    if !IS_ON.load(Ordering::SeqCst) {
        // SAFETY: the caller's promise is the system call's.
        let taken = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return taken as isize;
    }
    if length > 0 {
        // SAFETY: the caller has promised room for that many bytes, and nobody else uses them meanwhile.
        let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
        bytes.iter_mut().for_each(|byte| *byte = (next_random() >> 32) as u8);
    }
    length as isize
}

/// In place of the C library's.
///
/// # Safety
/// `time` may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if !IS_ON.load(Ordering::SeqCst) {
        // SAFETY: the caller's promise is the system call's.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) } as c_int;
    }
    let began = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => BEGINNING_S,
        _ => BOOTED_S,
    };
    let us = ELAPSED_US.load(Ordering::SeqCst);
    // SAFETY: the caller has promised that it may be written to.
    unsafe {
        (*time).tv_sec = (began + us / 1_000_000) as libc::time_t;
        (*time).tv_nsec = (us % 1_000_000 * 1000) as libc::c_long;
    }
    0
}
