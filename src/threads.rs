//! Threads beside those that serve connections, and a process that has none: a simulation runs many brokers on one thread, so that what
//! happens has one order, which a seed decides.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

static IS_ALONE: AtomicBool = AtomicBool::new(false);

/// From now on this process does everything on the thread that asks for it. For simulations; there is no way back.
pub fn be_alone() {
    IS_ALONE.store(true, Ordering::Relaxed);
}

/// Whether this process has one thread.
pub fn is_alone() -> bool {
    IS_ALONE.load(Ordering::Relaxed)
}

/// Does what waits for a disk, or takes long, where it delays nobody.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match is_alone() {
        true => tokio::spawn(async move { work() }),
        false => tokio::task::spawn_blocking(work),
    }
}
