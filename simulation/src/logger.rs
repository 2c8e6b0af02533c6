//! The log of a simulation: every line with the simulated time and the host, printed or not, and a sum over all of them, by which two
//! runs are compared.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};
use tokio::runtime::{Handle, Id};

use crate::determinism;

/// The only one.
static LOGGER: Logger = Logger(Mutex::new(None));

struct Logger(Mutex<Option<State>>);

struct State {
    hosts: HashMap<Id, String>,
    sum: u64,
    prints: bool,
}

/// From now on lines are summed up, and printed if `prints`.
pub fn begin(prints: bool) {
    let state = State {
        hosts: HashMap::new(),
        sum: 0,
        prints,
    };
    *LOGGER.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
    // Set before, which is all the same.
    drop(log::set_logger(&LOGGER));
    log::set_max_level(LevelFilter::Debug);
}

/// What is logged on this runtime from now on is this host's.
pub fn note_host(name: &str) {
    with(|state| drop(state.hosts.insert(Handle::current().id(), name.to_owned())));
}

/// The sum of all lines so far.
pub fn sum() -> u64 {
    let mut sum = 0;
    with(|state| sum = state.sum);
    sum
}

/// A line of the simulation itself.
pub fn say(line: &str) {
    with(|state| state.add("-", line));
}

fn with(work: impl FnOnce(&mut State)) {
    if let Some(state) = LOGGER.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        work(state);
    }
}

impl State {
    fn add(&mut self, host: &str, line: &str) {
        let ms = determinism::elapsed_ms();
        let mut hasher = DefaultHasher::new();
        (self.sum, ms, host, line).hash(&mut hasher);
        self.sum = hasher.finish();
        if self.prints {
            println!("{:>7}.{:03} {host:8} {line}", ms / 1000, ms % 1000);
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        ["sordini", "controller", "storage"]
            .iter()
            .any(|of| metadata.target().starts_with(of))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = format!("{} {}: {}", record.level(), record.target(), record.args());
        let id = Handle::try_current().map(|handle| handle.id());
        with(|state| {
            let host = id.ok().and_then(|id| state.hosts.get(&id).cloned());
            state.add(host.as_deref().unwrap_or("?"), &line);
        });
    }

    fn flush(&self) {}
}
