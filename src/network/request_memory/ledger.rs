//! Who holds how much of the request memory, and who may have more: plain data, time is an argument.
//!
//! A frame that arrives holds what has been granted to it so far, a step at a time, so frames hold a part while they wait for
//! more. That no circle closes is seen to before each grant: in the order in which frames first asked, each must be able to
//! get all that it lacks from what is free, what comes back from frames that lack nothing, and what the frames before it give
//! back when they are done. (The banker's algorithm, with a fixed order.) So the oldest frame can always be completed, then the
//! next. A grant after which its frame lacks nothing takes nothing from anybody in the end, so it needs to be free, no more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The most that is granted at once: what the usual large request needs in all. Where memory is short, a frame that lacks no
/// more gets it in one piece.
pub(super) const STEP_BYTES: usize = 1024 * 1024;
/// What a frame brings before it asks for the first time.
const FIRST_BYTES: usize = 64 * 1024;
/// How often it is looked who keeps memory from those who wait. Their clients shall not notice more than a second or two.
pub(super) const SWEEP: Duration = Duration::from_secs(1);
/// While others wait for memory, a frame that would need longer than this to arrive at its pace is given up, and so is one that is
/// here and could not be started for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a connection's task and the ledger both look at.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Bytes of the frame that have arrived, its length prefix included.
    pub(super) received: AtomicUsize,
    /// More was granted.
    pub(super) granted: Notify,
    /// The frame is given up: others wait for what it holds.
    pub(super) given_up: Notify,
}

/// A frame that has not arrived in full.
#[derive(Debug)]
struct Arrival {
    length: usize,
    held: usize,
    /// What it waits for; 0 while it waits for its client alone.
    asks: usize,
    entered: Instant,
    /// What had arrived at the last sweep, if it has not waited for us since.
    received_before: Option<usize>,
    /// Whether it came too slowly at the last sweep already.
    was_slow: bool,
    given_up: bool,
    signals: Arc<Signals>,
}

/// A frame that is here.
#[derive(Debug)]
struct Complete {
    held: usize,
    /// From when on it is asked back if others wait; `None` while it is worked on.
    idle_from: Option<Instant>,
    given_up: bool,
    signals: Arc<Signals>,
}

impl Arrival {
    fn lacks(&self) -> usize {
        self.length - self.held
    }

    fn is_incomplete(&self) -> bool {
        self.lacks() > 0 && !self.given_up
    }

    fn received(&self) -> usize {
        self.signals.received.load(Ordering::Relaxed).min(self.length)
    }

    /// Whether it keeps memory from others: at its pace of late it would take too long to be here, and either that was so a sweep
    /// ago, or it never was faster. One second without a byte may be a packet that was lost.
    fn is_too_slow(&mut self, now: Instant, since_sweep: Duration) -> bool {
        let Some(before) = self.received_before.filter(|_| self.asks == 0 && !self.given_up) else {
            // That says nothing, or it is us for whom it waits.
            self.was_slow = false;
            return false;
        };
        let received = self.received();
        let takes_too_long = |bytes: usize, time: Duration| {
            let to_come = (self.length - received) as f64;
            to_come * time.as_secs_f64() > bytes as f64 * PATIENCE.as_secs_f64()
        };
        let is_slow = takes_too_long(received.saturating_sub(before), since_sweep);
        let too_slow = is_slow && (self.was_slow || takes_too_long(received, now - self.entered));
        self.was_slow = is_slow;
        too_slow
    }
}

/// In which order those who wait are looked at when memory comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Who has waited longest, so that nobody waits for ever.
    Oldest,
    /// Who needs no more than this to be complete: they give it all back soonest.
    LastStep,
    Any,
}

/// The account of one budget.
#[derive(Debug)]
pub(super) struct Ledger {
    total: usize,
    held: usize,
    largest: usize,
    /// By age.
    arriving: BTreeMap<u64, Arrival>,
    /// By the age that they had.
    complete: BTreeMap<u64, Complete>,
    next_age: u64,
    waiting: usize,
    swept: Option<Instant>,
}

impl Ledger {
    /// `total` bytes, for frames of at most `largest` bytes, of which it holds one at least.
    pub(super) fn new(total: usize, largest: usize) -> Self {
        Self {
            total: total.max(largest),
            held: 0,
            largest,
            arriving: BTreeMap::new(),
            complete: BTreeMap::new(),
            next_age: 0,
            waiting: 0,
            swept: None,
        }
    }

    /// What is granted in all.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held
    }

    fn free(&self) -> usize {
        self.total - self.held
    }

    /// A frame of `length` bytes begins to need memory. It holds none yet; the number is its age.
    pub(super) fn enter(&mut self, length: usize, signals: Arc<Signals>, now: Instant) -> u64 {
        let age = self.next_age;
        self.next_age += 1;
        let arrival = Arrival {
            length: length.min(self.largest),
            held: 0,
            asks: 0,
            entered: now,
            received_before: None,
            was_slow: false,
            given_up: false,
            signals,
        };
        self.arriving.insert(age, arrival);
        age
    }

    /// What the frame of this age may hold now: where there is plenty, twice what has arrived. If nothing of it is left, it asks
    /// for a step more, and waits until [`Signals::granted`].
    pub(super) fn ask(&mut self, age: u64, now: Instant) -> usize {
        let (free, largest) = (self.free(), self.largest);
        let Some(arrival) = self.arriving.get_mut(&age) else {
            return 0;
        };
        let received = arrival.received();
        let wanted = arrival.length.min(received + received.clamp(FIRST_BYTES, STEP_BYTES));
        if arrival.asks > 0 || arrival.held >= wanted || arrival.given_up {
            return arrival.held;
        }
        // Where every frame could still come in full, nobody waits and nothing is to be looked at.
        if free >= wanted - arrival.held + largest {
            self.held += wanted - arrival.held;
            arrival.held = wanted;
            return wanted;
        }
        if arrival.held > received {
            return arrival.held;
        }
        arrival.asks = arrival.lacks().min(received - arrival.held + STEP_BYTES);
        arrival.received_before = None;
        self.waiting += 1;
        self.serve();
        if self.waiting > 0 && self.swept.is_none() {
            self.look(now);
        }
        self.arriving.get(&age).map_or(0, |arrival| arrival.held)
    }

    /// The frame of this age waits no longer for what it asked for. True if it holds something all the same.
    pub(super) fn stop_asking(&mut self, age: u64) -> bool {
        let Some(arrival) = self.arriving.get_mut(&age) else {
            return false;
        };
        let holds_some = arrival.held > 0;
        if std::mem::take(&mut arrival.asks) > 0 {
            self.note_served();
            // It may have stood before others.
            self.serve();
        }
        holds_some
    }

    /// The frame of this age has arrived and is to be started. It holds what it holds until [`Ledger::give_back`].
    pub(super) fn complete(&mut self, age: u64, now: Instant) {
        let Some(arrival) = self.leave(age) else { return };
        let complete = Complete {
            held: arrival.held,
            idle_from: Some(now + PATIENCE),
            // Whoever gives it up closes its connection.
            given_up: arrival.given_up,
            signals: arrival.signals,
        };
        self.complete.insert(age, complete);
        self.serve();
    }

    /// The frame of this age, which is here, is worked on, or lies idle from then on.
    pub(super) fn note_idle_from(&mut self, age: u64, idle_from: Option<Instant>) {
        if let Some(complete) = self.complete.get_mut(&age) {
            complete.idle_from = idle_from;
        }
    }

    /// The frame of this age will not arrive.
    pub(super) fn abandon(&mut self, age: u64) {
        if let Some(arrival) = self.leave(age) {
            self.held -= arrival.held;
            self.serve();
        }
    }

    fn leave(&mut self, age: u64) -> Option<Arrival> {
        let arrival = self.arriving.remove(&age)?;
        if arrival.asks > 0 {
            self.note_served();
        }
        Some(arrival)
    }

    /// The frame of this age, which had arrived, holds nothing any more.
    pub(super) fn give_back(&mut self, age: u64) {
        if let Some(complete) = self.complete.remove(&age) {
            self.held -= complete.held;
            self.serve();
        }
    }

    fn note_served(&mut self) {
        self.waiting -= 1;
        if self.waiting == 0 {
            self.swept = None;
        }
    }

    /// Grants what can be granted.
    fn serve(&mut self) {
        for turn in [Turn::Oldest, Turn::LastStep, Turn::Any] {
            if self.waiting > 0 && self.free() > 0 {
                self.serve_in_turn(turn);
            }
        }
    }

    fn serve_in_turn(&mut self, turn: Turn) {
        let incomplete: usize = self.incomplete().map(|arrival| arrival.held).sum();
        // What a frame of the age that is looked at may count on in the end.
        let mut comes_back = self.total - incomplete;
        // What nobody before it has to be sure of. Grants to a frame are neutral for itself, as it lacks so much less then, and
        // for those behind it, as it gives so much more back.
        let mut to_spare = usize::MAX;
        let mut free = self.free();
        let mut served = 0;
        for arrival in self.arriving.values_mut().filter(|arrival| arrival.is_incomplete()) {
            let is_waiting = arrival.asks > 0;
            let is_last = arrival.asks == arrival.lacks();
            let available = if is_last && arrival.asks <= free {
                free
            } else {
                to_spare.min(free)
            };
            if turn == Turn::Oldest && available >= FIRST_BYTES {
                // Those who need less must not take away each bit that comes back.
                arrival.asks = arrival.asks.min(available);
            }
            if is_waiting && arrival.asks <= available && (is_last || turn != Turn::LastStep) {
                let granted = std::mem::take(&mut arrival.asks);
                arrival.held += granted;
                free -= granted;
                comes_back -= granted;
                if arrival.lacks() > 0 {
                    to_spare = to_spare.saturating_sub(granted);
                }
                served += 1;
                arrival.signals.granted.notify_one();
            }
            if is_waiting && turn == Turn::Oldest {
                break;
            }
            to_spare = to_spare.min(comes_back.saturating_sub(arrival.lacks()));
            comes_back += arrival.held;
        }
        self.held = self.total - free;
        (0..served).for_each(|_| self.note_served());
    }

    /// Frames that lack something and have not been given up.
    fn incomplete(&self) -> impl Iterator<Item = &Arrival> {
        self.arriving.values().filter(|arrival| arrival.is_incomplete())
    }

    /// When [`Ledger::sweep`] is due, while anybody waits.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        self.swept.map(|swept| swept + SWEEP)
    }

    /// Gives up frames that keep memory from those who wait, and no more than it takes: those that come too slowly, then those that
    /// are here and idle; of each kind the largest first.
    pub(super) fn sweep(&mut self, now: Instant) {
        let Some(swept) = self.swept.filter(|swept| now >= *swept + SWEEP) else {
            return;
        };
        let mut slow: Vec<(usize, u64)> = (self.arriving.iter_mut())
            .filter_map(|(age, arrival)| arrival.is_too_slow(now, now - swept).then_some((arrival.held, *age)))
            .collect();
        slow.sort_unstable();
        while self.is_short()
            && let Some((_, age)) = slow.pop()
            && let Some(arrival) = self.arriving.get_mut(&age)
        {
            arrival.given_up = true;
            arrival.signals.given_up.notify_one();
        }
        let is_idle = |complete: &Complete| !complete.given_up && complete.idle_from.is_some_and(|from| from <= now);
        let mut idle: Vec<(usize, u64)> = (self.complete.iter())
            .filter_map(|(age, complete)| is_idle(complete).then_some((complete.held, *age)))
            .collect();
        idle.sort_unstable();
        while self.is_short()
            && let Some((_, age)) = idle.pop()
            && let Some(complete) = self.complete.get_mut(&age)
        {
            complete.given_up = true;
            complete.signals.given_up.notify_one();
        }
        // What is given up needs nothing any more, whatever it still holds.
        self.serve();
        if self.waiting > 0 {
            self.look(now);
        }
    }

    /// Whether somebody will wait even when those who are given up are gone.
    fn is_short(&self) -> bool {
        let arriving = self.arriving.values().filter(|arrival| arrival.given_up);
        let complete = self.complete.values().filter(|complete| complete.given_up);
        let coming_back: usize = arriving
            .map(|arrival| arrival.held)
            .chain(complete.map(|c| c.held))
            .sum();
        let asked: usize = self.incomplete().map(|arrival| arrival.asks).sum();
        let all_last = self
            .incomplete()
            .all(|arrival| arrival.asks == 0 || arrival.asks == arrival.lacks());
        // A little more than has to be kept, but simple.
        let kept = self.incomplete().map(Arrival::lacks).max().filter(|_| !all_last);
        self.free() + coming_back < asked + kept.unwrap_or(0)
    }

    /// Notes how far every frame is.
    fn look(&mut self, now: Instant) {
        self.swept = Some(now);
        for arrival in self.arriving.values_mut() {
            arrival.received_before = (arrival.asks == 0).then(|| arrival.received());
        }
    }
}

#[cfg(test)]
mod tests;
