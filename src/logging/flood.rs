//! Keeps what clients bring about from filling the log, however its numbers and names vary: of one place in the code only so
//! many lines are written in a while, fewer for one client; the others are counted, and the last of them is shown. Time is an
//! argument.
//!
//! Lines about the broker itself – directories, recovery, the start – are never held back: there is one for each partition or
//! directory that something is wrong with, and each of them matters.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use log::Level;

use super::line::Line;

/// For how long after the first line of a place its lines are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// Lines of one place that are written in a window. Enough for a tool that creates or deletes a hundred topics one by one.
const LINES: u64 = 100;
/// Of these, lines of one client, where they name it: a client that floods a place shall not hide the others.
const LINES_OF_A_CLIENT: u64 = 20;

/// Modules whose lines clients bring about, with what lies below them.
const OF_CLIENTS: [&str; 12] = [
    "sordini::network",
    "sordini::dispatch",
    "sordini::handlers",
    "sordini::api_error",
    "sordini::auto_topic_creation",
    "sordini::config_changes",
    "sordini::producer_ids",
    "sordini::group::cell",
    "sordini::group::coordinator",
    "sordini::group::loading",
    "sordini::group::memory",
    // Each topic that is created, changed or deleted has its lines there.
    "controller::driver",
];

/// Whether clients can bring about the lines of this module as often as they like.
pub(super) fn is_of_clients(module: &str) -> bool {
    OF_CLIENTS.iter().any(|of_clients| {
        module
            .strip_prefix(of_clients)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

/// Where in the code a line is written.
pub(super) type Place = (&'static str, u32);

#[derive(Debug)]
struct Window {
    opened: Instant,
    written: u64,
    /// Bounded by the lines that are written.
    of_clients: HashMap<String, u64>,
    held_back: u64,
    last: Option<Held>,
}

/// What is shown of the lines that were held back.
#[derive(Debug)]
struct Held {
    time: SystemTime,
    level: Level,
    module: String,
    message: String,
}

/// The windows that are open; as many as there are places in the code, at most.
#[derive(Debug, Default)]
pub(super) struct Floods {
    windows: HashMap<Place, Window>,
}

impl Floods {
    /// Whether the line may be written; otherwise it has been counted.
    pub(super) fn admit(&mut self, line: &Line, now: Instant) -> bool {
        let Some(place) = line.place else { return true };
        let window = self.windows.entry(place).or_insert_with(|| Window {
            opened: now,
            written: 0,
            of_clients: HashMap::new(),
            held_back: 0,
            last: None,
        });
        let of_client = line.client.as_ref().and_then(|client| window.of_clients.get(client));
        if window.written < LINES && of_client.is_none_or(|written| *written < LINES_OF_A_CLIENT) {
            window.written += 1;
            if let Some(client) = &line.client {
                *window.of_clients.entry(client.clone()).or_default() += 1;
            }
            return true;
        }
        window.held_back += 1;
        window.last = Some(Held {
            time: line.time,
            level: line.level,
            module: line.module.clone(),
            message: line.message.clone(),
        });
        false
    }

    /// When the next window ends.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.windows.values().map(|window| window.opened + WINDOW).min()
    }

    /// The sums of the windows that have ended.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Line> {
        let is_over = |window: &Window| now.saturating_duration_since(window.opened) >= WINDOW;
        let ended = self.windows.extract_if(|_, window| is_over(window));
        ended.filter_map(|(_, window)| sum(window, now)).collect()
    }

    /// The sums of all windows, before the process ends.
    pub(super) fn take_all(&mut self, now: Instant) -> Vec<Line> {
        let all = std::mem::take(&mut self.windows).into_values();
        all.filter_map(|window| sum(window, now)).collect()
    }
}

/// The line that stands for those that a window held back, if there were any.
fn sum(window: Window, now: Instant) -> Option<Line> {
    let last = window.last?;
    let seconds = now.saturating_duration_since(window.opened).as_secs().max(1);
    let lines = if window.held_back == 1 { "line" } else { "lines" };
    Some(Line {
        time: last.time,
        level: last.level,
        module: last.module,
        message: format!(
            "… and {} more {lines} like it from here in {seconds} s, the last: {}",
            window.held_back, last.message
        ),
        place: None,
        client: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: String, client: Option<&str>) -> Line {
        Line {
            time: SystemTime::UNIX_EPOCH,
            level: Level::Warn,
            module: "sordini::dispatch".to_owned(),
            message,
            place: Some(("src/dispatch.rs", 1)),
            client: client.map(str::to_owned),
        }
    }

    #[test]
    fn lines_that_vary_are_counted_by_their_place() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        let admitted = (0..10_000).filter(|n| floods.admit(&line(format!("key {n}"), None), now));
        assert_eq!(admitted.count() as u64, LINES);
        assert_eq!(floods.next_deadline(), Some(now + WINDOW));
        assert!(floods.take_due(now).is_empty());
        let sums = floods.take_due(now + WINDOW);
        assert_eq!(sums.len(), 1);
        assert_eq!(
            sums[0].message,
            "… and 9900 more lines like it from here in 10 s, the last: key 9999"
        );
        assert!(floods.admit(&line("key 1".to_owned(), None), now + WINDOW));
    }

    #[test]
    fn one_client_does_not_hide_the_others() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        let mut admit = |client: &str, n: u64| floods.admit(&line(format!("key {n}"), Some(client)), now);
        let admitted = (0..1000).filter(|n| admit("10.0.0.1", *n)).count();
        assert_eq!(admitted as u64, LINES_OF_A_CLIENT);
        assert!(admit("10.0.0.2", 0));
        let addresses = (0..1000).filter(|n| admit(&format!("::{n:x}"), 0)).count();
        assert_eq!(
            addresses as u64,
            LINES - LINES_OF_A_CLIENT - 1,
            "many addresses are no way round"
        );
    }

    #[test]
    fn lines_of_the_broker_itself_are_never_held_back() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        for partition in 0..10_000 {
            let recovered = Line {
                place: None,
                ..line(format!("topic-{partition}: recovered"), None)
            };
            assert!(floods.admit(&recovered, now));
        }
        for module in [
            "sordini::logs",
            "sordini::replicas",
            "storage::recovery",
            "controller::startup",
            "sordini::networks",
        ] {
            assert!(!is_of_clients(module), "{module}");
        }
        for module in [
            "sordini::dispatch",
            "sordini::network::connection",
            "sordini::config_changes",
            "sordini::producer_ids",
            "sordini::group::cell",
            "sordini::group::loading",
            "controller::driver",
        ] {
            assert!(is_of_clients(module), "{module}");
        }
    }
}
