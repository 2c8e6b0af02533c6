//! The thread that appends for a log directory while that is slow, so that no thread that serves connections waits for its disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::Partition;
use super::drain::Round;
use super::pace::Pace;
use crate::clock;

/// One per log directory, shared by its partitions. There is a thread only while appends are waiting for it.
#[derive(Default)]
pub struct DirectoryWriter {
    pace: Pace,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Each at most once ([`Partition::waits_for_writer`]).
    partitions: VecDeque<Arc<Partition>>,
    is_running: bool,
}

impl DirectoryWriter {
    /// Whether appends to the directory are to be left to its writer.
    pub(super) fn is_slow(&self) -> bool {
        self.pace.is_slow(clock::monotonic_us)
    }

    /// Makes an append and takes note of how long it took.
    pub(super) fn timed<T>(&self, append: impl FnOnce() -> T) -> T {
        let began_us = clock::monotonic_us();
        self.pace.begin(began_us);
        let appended = append();
        self.pace.end(began_us, clock::monotonic_us());
        appended
    }

    /// What has queued in the partition is appended by the directory's thread.
    pub(super) fn append_for(self: &Arc<Self>, partition: Arc<Partition>) {
        if partition.waits_for_writer.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut waiting = self.waiting.lock();
        waiting.partitions.push_back(partition);
        if std::mem::replace(&mut waiting.is_running, true) {
            return;
        }
        drop(waiting);
        let writer = self.clone();
        tokio::task::spawn_blocking(move || writer.run());
    }

    /// Appends a bounded part for one partition after the other until none waits.
    fn run(self: &Arc<Self>) {
        let _running = Running(self);
        while let Some(partition) = self.next() {
            // Before it looks at the queue: who queues from here on sees to it that the partition comes here again.
            partition.waits_for_writer.store(false, Ordering::SeqCst);
            // Whoever holds the lock brings the partition back.
            if partition.drain_round() == Round::Left {
                self.append_for(partition);
            }
        }
    }

    fn next(&self) -> Option<Arc<Partition>> {
        let mut waiting = self.waiting.lock();
        let next = waiting.partitions.pop_front();
        waiting.is_running = next.is_some();
        next
    }

    /// Two slow appends, as far as the pace knows.
    #[cfg(test)]
    pub(super) fn slow_down(&self) {
        (0..2).for_each(|_| self.pace.end(1, 1_000_000));
    }
}

/// A thread that ends by a panic leaves the place to another one.
struct Running<'a>(&'a DirectoryWriter);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.waiting.lock().is_running = false;
        }
    }
}
