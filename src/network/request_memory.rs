//! The memory that all frames above 64 KiB share: taken in steps as a frame arrives, given back when it is served.
//!
//! What a frame's length claims reserves nothing; what has arrived is held. Where that uses up the memory, those who come too
//! slowly are given up for those who wait. The [`ledger`] decides, here it is waited.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use self::ledger::{Ledger, Signals};

mod ledger;

/// The budget; `queued.max.request.bytes`.
#[derive(Clone)]
pub struct RequestMemory(Arc<Mutex<Ledger>>);

impl RequestMemory {
    /// A budget of `bytes`, at least one frame of `largest_frame_bytes` so that such a frame can ever be taken.
    pub fn new(bytes: usize, largest_frame_bytes: usize) -> Self {
        // Each with its length prefix.
        Self(Arc::new(Mutex::new(Ledger::new(bytes, 4 + largest_frame_bytes))))
    }

    /// A frame of `length` bytes, its length prefix included, needs memory from here on.
    pub(super) fn enter(&self, length: usize) -> ArrivingShare {
        let signals = Arc::new(Signals::default());
        let age = self.0.lock().enter(length, signals.clone(), Instant::now());
        ArrivingShare {
            memory: self.clone(),
            age,
            signals,
            held: 0,
            waits: false,
        }
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.0.lock().held()
    }
}

/// What a frame holds that has not arrived in full. Goes back when dropped.
pub(super) struct ArrivingShare {
    memory: RequestMemory,
    age: u64,
    signals: Arc<Signals>,
    held: usize,
    waits: bool,
}

impl ArrivingShare {
    /// What the frame may occupy.
    pub(super) fn held_bytes(&self) -> usize {
        self.held
    }

    /// Says how much of the frame is here.
    pub(super) fn note_received(&self, bytes: usize) {
        self.signals.received.store(bytes, Ordering::Relaxed);
    }

    /// Asks for room for more than has arrived; false if that has to be waited for.
    pub(super) fn ask(&mut self) -> bool {
        self.held = self.memory.0.lock().ask(self.age, Instant::now());
        self.waits = self.held <= self.signals.received.load(Ordering::Relaxed);
        !self.waits
    }

    /// Waits for what was asked for. The place in the line is kept when this is dropped.
    pub(super) async fn granted(&mut self) {
        while !self.ask() {
            let next_sweep = self.memory.0.lock().next_sweep();
            let sweep_at = next_sweep.unwrap_or_else(|| Instant::now() + ledger::SWEEP);
            // Whoever waits sees to it that nobody keeps the memory from them.
            tokio::select! {
                () = self.signals.granted.notified() => {}
                () = sleep_until(sweep_at) => self.memory.0.lock().sweep(Instant::now()),
            }
        }
    }

    /// Leaves the line, if it stands there; false if nothing is held then.
    pub(super) fn stop_asking(&mut self) -> bool {
        self.waits = false;
        self.memory.0.lock().stop_asking(self.age)
    }

    /// Whether it stands in the line.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// Tells when the frame is given up for the sake of others.
    pub(super) fn watch(&self) -> Watch {
        Watch(self.signals.clone())
    }

    /// The frame is here, and is to be started.
    pub(super) fn complete(self) -> RequestPermit {
        self.memory.0.lock().complete(self.age, Instant::now());
        RequestPermit(Some(Arc::new(CompleteShare {
            memory: self.memory.clone(),
            age: self.age,
            signals: self.signals.clone(),
        })))
    }
}

impl Drop for ArrivingShare {
    fn drop(&mut self) {
        self.memory.0.lock().abandon(self.age);
    }
}

/// See [`ArrivingShare::watch`].
pub(super) struct Watch(Arc<Signals>);

impl Watch {
    /// Resolves when it is.
    pub(super) async fn given_up(&self) {
        self.0.given_up.notified().await;
    }
}

struct CompleteShare {
    memory: RequestMemory,
    age: u64,
    signals: Arc<Signals>,
}

impl Drop for CompleteShare {
    fn drop(&mut self) {
        self.memory.0.lock().give_back(self.age);
    }
}

/// A complete frame's share of the request memory, shared by all that use the frame. It goes back when the last of them drops
/// it or one of them says that the frame's bytes are not held any more.
#[derive(Clone, Default)]
pub struct RequestPermit(Option<Arc<CompleteShare>>);

impl RequestPermit {
    /// Gives the share back now: whoever calls it has copied what it keeps and dropped the frame.
    pub fn release(&self) {
        if let Some(share) = &self.0 {
            share.memory.0.lock().give_back(share.age);
        }
    }

    /// The request is worked on: nobody asks for the share.
    pub(super) fn note_started(&self) {
        self.note_idle_from(None);
    }

    /// The request waits for something that may not come for long, and what was made of the frame has to be kept meanwhile. It is
    /// to end its wait when [`RequestPermit::asked_back`] resolves.
    pub fn note_parked(&self) {
        self.note_idle_from(Some(Instant::now()));
    }

    fn note_idle_from(&self, idle_from: Option<Instant>) {
        if let Some(share) = &self.0 {
            share.memory.0.lock().note_idle_from(share.age, idle_from);
        }
    }

    /// Resolves when others wait for what a parked request holds; never where nothing is held.
    pub async fn asked_back(&self) {
        match &self.0 {
            Some(share) => share.signals.given_up.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Tells when a frame that could not be started yet is given up for the sake of others.
    pub(super) fn watch(&self) -> Option<Watch> {
        self.0.as_ref().map(|share| Watch(share.signals.clone()))
    }
}
