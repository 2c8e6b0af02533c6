//! An allocator that knows how much is in use. The crate's only `unsafe` lives here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Forgets the peak; returns what is in use, in bytes.
pub fn restart() -> usize {
    let in_use = IN_USE.load(Relaxed);
    PEAK.store(in_use, Relaxed);
    in_use
}

/// The most that was in use since then, in bytes.
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

fn grow(by: usize) {
    PEAK.fetch_max(IN_USE.fetch_add(by, Relaxed) + by, Relaxed);
}

// SAFETY: every call goes to the system's allocator with the arguments that it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller keeps `alloc`'s contract, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from the system's allocator with this layout, by the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}
