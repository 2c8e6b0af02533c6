//! What goes wrong, when, and for how long: decided by the seed alone.

use crate::determinism::mixed;

/// Something that goes wrong, and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A broker's process is killed, and started again.
    Kill {
        /// Which.
        broker: usize,
    },
    /// Two brokers do not reach each other.
    Cut {
        /// One.
        one: usize,
        /// The other.
        other: usize,
    },
    /// What one broker sends does not reach another one.
    CutOneWay {
        /// Who sends.
        from: usize,
        /// Who hears nothing.
        to: usize,
    },
    /// A broker reaches no other broker.
    Isolate {
        /// Which.
        broker: usize,
    },
    /// A broker does not reach the ensemble.
    CutFromEnsemble {
        /// Which.
        broker: usize,
    },
    /// A broker reaches nobody: other brokers, clients, the ensemble.
    CutFromAll {
        /// Which.
        broker: usize,
    },
    /// The ensemble has no quorum.
    NoQuorum,
    /// The ensemble answers a broker late, and tells it late what it watches.
    SlowEnsemble {
        /// Which.
        broker: usize,
    },
    /// What two brokers say to each other arrives later.
    Delay {
        /// One.
        one: usize,
        /// The other.
        other: usize,
    },
}

/// A fault with its times, in milliseconds since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduled {
    /// What.
    pub fault: Fault,
    /// When it begins.
    pub begins_ms: u64,
    /// When it ends.
    pub ends_ms: u64,
}

/// Numbers that a seed decides.
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `below`, which is not 0.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = mixed(self.0);
        self.0 % below
    }
}

/// The faults of a seed between two times, in the order of their beginnings.
pub fn schedule(seed: u64, brokers: usize, from_ms: u64, to_ms: u64) -> Vec<Scheduled> {
    let mut random = Random::new(mixed(seed ^ 0x0fa0_17ed));
    let mut scheduled = Vec::new();
    let mut at = from_ms;
    while at < to_ms {
        let lasts_ms = match random.below(3) {
            0 => 50 + random.below(500),
            1 => 500 + random.below(4_000),
            _ => 3_000 + random.below(9_000),
        };
        scheduled.push(Scheduled {
            fault: fault(&mut random, brokers),
            begins_ms: at,
            ends_ms: (at + lasts_ms).min(to_ms),
        });
        at += 200 + random.below(4_000);
    }
    scheduled
}

fn fault(random: &mut Random, brokers: usize) -> Fault {
    let broker = random.below(brokers as u64) as usize;
    let other = (broker + 1 + random.below(brokers as u64 - 1) as usize) % brokers;
    match random.below(15) {
        0..=3 => Fault::Kill { broker },
        4 => Fault::Cut { one: broker, other },
        5 => Fault::CutOneWay {
            from: broker,
            to: other,
        },
        6 => Fault::Isolate { broker },
        7 | 8 => Fault::CutFromEnsemble { broker },
        9 => Fault::CutFromAll { broker },
        10 => Fault::NoQuorum,
        11..=13 => Fault::SlowEnsemble { broker },
        _ => Fault::Delay { one: broker, other },
    }
}
