use proptest::prelude::*;

use super::*;

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// Frames, the memory that they share, and a clock.
struct World {
    ledger: Ledger,
    now: Instant,
    /// Age, signals, length.
    arriving: Vec<(u64, Arc<Signals>, usize)>,
    /// Age, and what is held.
    complete: Vec<(u64, usize)>,
}

impl World {
    fn new(total: usize, largest: usize) -> Self {
        Self {
            ledger: Ledger::new(total, largest),
            now: Instant::now(),
            arriving: Vec::new(),
            complete: Vec::new(),
        }
    }

    /// A frame of which the first 64 KiB are here asks for memory; which one it is.
    fn enter(&mut self, length: usize) -> usize {
        let signals = Arc::new(Signals::default());
        signals.received.store(FIRST_BYTES, Ordering::Relaxed);
        let age = self.ledger.enter(length, signals.clone(), self.now);
        self.ledger.ask(age, self.now);
        self.arriving.push((age, signals, length));
        self.arriving.len() - 1
    }

    fn held(&self, which: usize) -> usize {
        self.ledger.arriving[&self.arriving[which].0].held
    }

    fn received(&self, which: usize) -> usize {
        self.arriving[which].1.received.load(Ordering::Relaxed)
    }

    fn waits(&self, which: usize) -> bool {
        self.ledger.arriving[&self.arriving[which].0].asks > 0
    }

    fn is_given_up(&self, which: usize) -> bool {
        self.ledger.arriving[&self.arriving[which].0].given_up
    }

    /// Up to `bytes` arrive: what there is room for. Complete frames leave.
    fn receive(&mut self, which: usize, mut bytes: usize) {
        loop {
            let (age, signals, length) = &self.arriving[which];
            let held = self.ledger.ask(*age, self.now);
            let received = signals.received.load(Ordering::Relaxed);
            let step = held.saturating_sub(received).min(bytes);
            signals.received.store(received + step, Ordering::Relaxed);
            bytes -= step;
            if received + step == *length {
                self.complete.push((*age, held));
                self.ledger.complete(*age, self.now);
                self.arriving.remove(which);
                return;
            }
            if step == 0 {
                return;
            }
        }
    }

    fn finish_one(&mut self, which: usize) {
        let (age, _) = self.complete.swap_remove(which);
        self.ledger.give_back(age);
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            self.ledger.sweep(self.now);
        }
    }

    fn check(&self) {
        let arriving: usize = self.ledger.arriving.values().map(|arrival| arrival.held).sum();
        assert_eq!(
            self.ledger.held,
            arriving + self.complete.iter().map(|(_, held)| held).sum::<usize>()
        );
        assert!(self.ledger.held <= self.ledger.total, "never beyond the budget");
        let incomplete: usize = self.ledger.incomplete().map(|arrival| arrival.held).sum();
        let mut comes_back = self.ledger.total - incomplete;
        for arrival in self.ledger.incomplete() {
            assert!(comes_back >= arrival.lacks(), "each can be completed, in order of age");
            comes_back += arrival.held;
        }
        let waiting = self.ledger.arriving.values().filter(|arrival| arrival.asks > 0);
        assert_eq!(self.ledger.waiting, waiting.count());
        assert_eq!(self.ledger.waiting > 0, self.ledger.swept.is_some());
        let all_wait = self.ledger.waiting == self.ledger.arriving.len();
        assert!(
            !all_wait || self.arriving.is_empty() || !self.complete.is_empty(),
            "all wait for each other: {:?}",
            self.ledger
        );
    }
}

#[test]
fn a_claim_holds_no_more_than_twice_what_has_arrived() {
    let mut world = World::new(256 * MIB, 100 * MIB);
    let one = world.enter(100 * MIB);
    assert_eq!(world.held(one), 2 * FIRST_BYTES);
    world.receive(one, 10 * MIB);
    assert!(world.held(one) <= world.received(one) + STEP_BYTES);
}

#[test]
fn frames_that_do_not_fit_together_come_in_one_after_the_other() {
    let mut world = World::new(250 * MIB, 100 * MIB);
    for _ in 0..5 {
        world.enter(100 * MIB);
    }
    // All at the same speed: none is given up, and the oldest is there first.
    let mut complete = 0;
    while !world.arriving.is_empty() {
        for which in (0..world.arriving.len()).rev() {
            world.receive(which, MIB);
            world.check();
        }
        while !world.complete.is_empty() {
            complete += 1;
            world.finish_one(0);
        }
    }
    assert_eq!((complete, world.ledger.held), (5, 0));
}

#[test]
fn the_slowest_is_given_up_when_others_wait_and_nobody_else() {
    let mut world = World::new(100 * MIB, 100 * MIB);
    let slow = world.enter(100 * MIB);
    world.receive(slow, 30 * MIB);
    world.pass(60);
    assert!(!world.is_given_up(slow), "nobody waits");
    let fast = world.enter(20 * MIB);
    while !world.waits(fast) {
        world.receive(fast, MIB);
    }
    world.receive(slow, 20 * MIB);
    world.pass(1);
    assert!(!world.is_given_up(slow), "20 MiB in the last second");
    world.pass(1);
    assert!(world.is_given_up(slow), "nothing in the last second");
    assert!(!world.is_given_up(fast));
    let (age, ..) = world.arriving.remove(slow);
    world.ledger.abandon(age);
    world.receive(0, 20 * MIB);
    assert_eq!(world.complete[0].1, 20 * MIB);
}

#[test]
fn who_needs_one_step_more_goes_before_who_needs_many() {
    let mut world = World::new(11 * MIB, 8 * MIB);
    let first = world.enter(8 * MIB);
    world.receive(first, 8 * MIB);
    let second = world.enter(3 * MIB);
    world.receive(second, 3 * MIB);
    assert_eq!(world.complete.len(), 2);
    let _oldest = world.enter(8 * MIB);
    let large = world.enter(8 * MIB);
    let small = world.enter(MIB);
    assert!(world.waits(large) && world.waits(small));
    world.finish_one(1);
    world.check();
    assert!(!world.waits(small) && world.waits(large), "{:?}", world.ledger);
}

#[test]
fn a_second_without_a_byte_is_forgiven_to_who_was_fast() {
    let mut world = World::new(100 * MIB, 100 * MIB);
    let pauses = world.enter(100 * MIB);
    world.receive(pauses, 90 * MIB);
    let other = world.enter(20 * MIB);
    while !world.waits(other) {
        world.receive(other, MIB);
    }
    world.pass(1);
    assert!(!world.is_given_up(pauses));
    world.pass(1);
    assert!(world.is_given_up(pauses), "another one");
}

#[test]
fn of_those_who_have_stopped_the_largest_goes_first_and_then_no_more() {
    let mut world = World::new(10 * MIB, 10 * MIB);
    let hog = world.enter(10 * MIB);
    world.receive(hog, 7 * MIB);
    let small: Vec<_> = (0..4).map(|_| world.enter(200 * KIB)).collect();
    world.pass(20);
    let waits = world.enter(3 * MIB);
    while !world.waits(waits) {
        world.receive(waits, MIB);
    }
    world.pass(2);
    assert!(world.is_given_up(hog));
    assert!(small.iter().all(|which| !world.is_given_up(*which)));
}

#[test]
fn what_is_here_and_idle_is_asked_back_when_others_wait() {
    let mut world = World::new(12 * MIB, 12 * MIB);
    let complete = |world: &mut World| {
        let which = world.enter(4 * MIB);
        world.receive(which, 4 * MIB);
        world.complete.last().expect("it is here").0
    };
    let [at_work, not_started, parked] = [(); 3].map(|()| complete(&mut world));
    world.ledger.note_idle_from(at_work, None);
    world.ledger.note_idle_from(parked, Some(world.now));
    let given_up = |world: &World| {
        let is_given_up = |(age, complete): (&u64, &Complete)| complete.given_up.then_some(*age);
        world.ledger.complete.iter().filter_map(is_given_up).collect::<Vec<_>>()
    };
    world.pass(3);
    assert_eq!(given_up(&world), [0_u64; 0], "nobody waits");
    let _first = world.enter(MIB);
    world.pass(1);
    assert_eq!(given_up(&world), [parked]);
    let _second = world.enter(12 * MIB);
    world.pass(5);
    assert_eq!(given_up(&world), [not_started, parked]);
    world.check();
}

#[derive(Debug, Clone)]
enum Event {
    Enter(usize),
    Receive(usize, usize),
    Finish(usize),
    Close(usize),
    Leave(usize),
    Pass,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (65 * KIB..8 * MIB).prop_map(Event::Enter),
        10 => (any::<usize>(), 1..3 * MIB).prop_map(|(which, bytes)| Event::Receive(which, bytes)),
        3 => any::<usize>().prop_map(Event::Finish),
        1 => any::<usize>().prop_map(Event::Close),
        1 => any::<usize>().prop_map(Event::Leave),
        2 => Just(Event::Pass),
    ];
    prop::collection::vec(event, 1..200)
}

proptest! {
    #[test]
    fn the_memory_holds_and_no_circle_closes(total in 8 * MIB..20 * MIB, events in events()) {
        let mut world = World::new(total, 8 * MIB);
        for event in events {
            let (arriving, complete) = (world.arriving.len(), world.complete.len());
            match event {
                Event::Enter(length) => drop(world.enter(length)),
                Event::Receive(which, bytes) if arriving > 0 => world.receive(which % arriving, bytes),
                Event::Finish(which) if complete > 0 => world.finish_one(which % complete),
                Event::Close(which) if arriving > 0 => {
                    let (age, ..) = world.arriving.remove(which % arriving);
                    world.ledger.abandon(age);
                }
                Event::Leave(which) if arriving > 0 => {
                    world.ledger.stop_asking(world.arriving[which % arriving].0);
                }
                Event::Pass => world.pass(1),
                _ => {}
            }
            world.check();
        }
        // Whoever is given up goes; all others come in, whatever happened before.
        let mut rounds = 0;
        while !(world.arriving.is_empty() && world.complete.is_empty()) {
            for which in (0..world.arriving.len()).rev() {
                if world.is_given_up(which) {
                    let (age, ..) = world.arriving.remove(which);
                    world.ledger.abandon(age);
                } else {
                    world.receive(which, MIB);
                }
                world.check();
            }
            while !world.complete.is_empty() {
                world.finish_one(0);
                world.check();
            }
            rounds += 1;
            prop_assert!(rounds < 10_000, "it comes to no end: {:?}", world.ledger);
        }
        prop_assert_eq!(world.ledger.held, 0);
    }
}
