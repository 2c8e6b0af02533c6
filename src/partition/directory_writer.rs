//! What a log directory has threads of its own for: appends while it is slow, so that no thread that serves connections waits for its
//! disk, and flushes after segments were rolled, one at a time, so that they take no more of the disk and of the threads that wait
//! for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::Handle;

use super::Partition;
use super::drain::Round;
use super::pace::Pace;
use super::turns::Turns;
use crate::clock;
use crate::threads;

/// One per log directory, shared by its partitions. There are threads only while something waits for them.
#[derive(Default)]
pub struct DirectoryWriter {
    pace: Pace,
    appends: Turns,
    flushes: Turns,
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
        if !self.appends.wait(partition, |partition| &partition.waits_for_writer) {
            return;
        }
        // Not one of those that wait for disks: appends shall not wait until these are done.
        let (writer, runtime) = (self.clone(), Handle::current());
        let started = std::thread::Builder::new()
            .name("sordini-writer".to_owned())
            .spawn(move || {
                let _inside = runtime.enter();
                writer.append();
            });
        if let Err(e) = started {
            log::warn!("no thread for a slow log directory: {e}");
            let writer = self.clone();
            threads::spawn_blocking(move || writer.append());
        }
    }

    /// Appends a bounded part for one partition after the other until none waits.
    fn append(self: &Arc<Self>) {
        let turn = |partition: Arc<Partition>| {
            // Whoever holds the lock brings the partition back.
            if partition.drain_round() == Round::Left {
                self.append_for(partition);
            }
        };
        self.appends.run(|partition| &partition.waits_for_writer, turn);
    }

    /// What the partition holds below this offset is made durable in the background.
    pub(super) fn flush_for(self: &Arc<Self>, partition: Arc<Partition>, offset: i64) {
        partition.flush_below.fetch_max(offset, Ordering::SeqCst);
        if self.flushes.wait(partition, |partition| &partition.waits_for_flush) {
            let writer = self.clone();
            threads::spawn_blocking(move || writer.flush());
        }
    }

    fn flush(&self) {
        let turn = |partition: Arc<Partition>| {
            if let Err(failure) = partition.flush_to(partition.flush_below.load(Ordering::SeqCst)) {
                // The directory's health has it; the next append is refused and takes the directory offline.
                log::error!("{}: {failure}", partition.topic_partition);
            }
        };
        self.flushes.run(|partition| &partition.waits_for_flush, turn);
    }

    /// Two slow appends, as far as the pace knows.
    #[cfg(test)]
    pub(super) fn slow_down(&self) {
        (0..2).for_each(|_| self.pace.end(1, 1_000_000));
    }
}
