//! Partitions of a log directory that wait for a thread, which takes one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::Partition;

/// A queue with one thread, which is there only while somebody waits.
#[derive(Default)]
pub(super) struct Turns(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    partitions: VecDeque<Arc<Partition>>,
    is_running: bool,
}

/// Whether a partition waits in a queue, so that it does so once.
#[derive(Debug, Default)]
pub(super) struct Waits(AtomicBool);

impl Waits {
    /// It is its turn. To be called before it is seen what there is to do: who brings more from here on brings it back.
    fn end(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Turns {
    /// Has a partition wait, unless it does. When true, the caller must see to it that a thread calls [`Turns::run`].
    #[must_use]
    pub(super) fn wait(&self, partition: Arc<Partition>, waits: impl Fn(&Partition) -> &Waits) -> bool {
        if waits(&partition).0.swap(true, Ordering::SeqCst) {
            return false;
        }
        let mut waiting = self.0.lock();
        waiting.partitions.push_back(partition);
        !std::mem::replace(&mut waiting.is_running, true)
    }

    /// Gives each its turn until none waits.
    pub(super) fn run(&self, waits: impl Fn(&Partition) -> &Waits, turn: impl Fn(Arc<Partition>)) {
        let _running = Running(self);
        while let Some(partition) = self.next() {
            waits(&partition).end();
            turn(partition);
        }
    }

    fn next(&self) -> Option<Arc<Partition>> {
        let mut waiting = self.0.lock();
        let next = waiting.partitions.pop_front();
        waiting.is_running = next.is_some();
        next
    }
}

/// A thread that ends by a panic leaves the place to another one.
struct Running<'a>(&'a Turns);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.lock().is_running = false;
        }
    }
}
