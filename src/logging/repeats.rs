//! Counts lines that repeat instead of writing them: the first is written at once, what follows within the window is summed
//! up in one line at its end. Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use log::Level;

use super::flood::Floods;
use super::line::Line;

/// For how long after a line the same one is counted only.
const WINDOW: Duration = Duration::from_secs(10);
/// How many different lines are remembered; beyond that the oldest window ends early, so that memory stays bounded.
const REMEMBERED: usize = 256;

/// What makes two lines the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Same {
    level: Level,
    module: String,
    message: String,
}

#[derive(Debug)]
struct Window {
    opened: Instant,
    repeated: u64,
    last: SystemTime,
}

/// The windows that are open.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    windows: HashMap<Same, Window>,
    /// By the time of opening, which is also the order in which windows end.
    order: VecDeque<(Instant, Same)>,
    /// Sums of windows that had to end early.
    early: Vec<Line>,
    /// Counts what differs, too, where clients bring it about.
    floods: Floods,
}

impl Repeats {
    /// Whether the line is to be written now; otherwise it has been counted.
    pub(super) fn admit(&mut self, line: &Line, now: Instant) -> bool {
        let same = Same {
            level: line.level,
            module: line.module.clone(),
            message: line.message.clone(),
        };
        if let Some(window) = self.windows.get_mut(&same)
            && now.saturating_duration_since(window.opened) < WINDOW
        {
            window.repeated += 1;
            window.last = line.time;
            return false;
        }
        if !self.floods.admit(line, now) {
            return false;
        }
        if let Some(ended) = self.windows.remove(&same) {
            self.early.extend(sum(&same, &ended, now));
            self.order.retain(|(_, ordered)| *ordered != same);
        }
        if self.order.len() >= REMEMBERED
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.early.extend(
                self.windows
                    .remove(&oldest)
                    .and_then(|window| sum(&oldest, &window, now)),
            );
        }
        self.order.push_back((now, same.clone()));
        self.windows.insert(
            same,
            Window {
                opened: now,
                repeated: 0,
                last: line.time,
            },
        );
        true
    }

    /// When the next window ends.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let repeats = self.order.front().map(|(opened, _)| *opened + WINDOW);
        repeats.into_iter().chain(self.floods.next_deadline()).min()
    }

    /// The sums of the windows that have ended.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Line> {
        let mut sums = std::mem::take(&mut self.early);
        while self
            .order
            .front()
            .is_some_and(|(opened, _)| now.saturating_duration_since(*opened) >= WINDOW)
        {
            let Some((_, same)) = self.order.pop_front() else { break };
            sums.extend(self.windows.remove(&same).and_then(|window| sum(&same, &window, now)));
        }
        sums.extend(self.floods.take_due(now));
        sums
    }

    /// The sums of all windows, before the process ends.
    pub(super) fn take_all(&mut self) -> Vec<Line> {
        let mut sums = std::mem::take(&mut self.early);
        let now = Instant::now();
        for (_, same) in std::mem::take(&mut self.order) {
            sums.extend(self.windows.remove(&same).and_then(|window| sum(&same, &window, now)));
        }
        sums.extend(self.floods.take_all(now));
        sums
    }
}

/// The line that stands for the repeats of a window, if there were any.
fn sum(same: &Same, window: &Window, now: Instant) -> Option<Line> {
    if window.repeated == 0 {
        return None;
    }
    let seconds = now
        .saturating_duration_since(window.opened)
        .as_secs()
        .clamp(1, WINDOW.as_secs());
    let times = if window.repeated == 1 { "time" } else { "times" };
    Some(Line {
        time: window.last,
        level: same.level,
        module: same.module.clone(),
        message: format!("{} … repeated {} {times} in {seconds} s", same.message, window.repeated),
        place: None,
        client: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        Line {
            time: SystemTime::UNIX_EPOCH,
            level: Level::Warn,
            module: "m".to_owned(),
            message: message.to_owned(),
            place: None,
            client: None,
        }
    }

    fn messages(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn repeats_within_the_window_become_one_line_at_its_end() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert!(repeats.admit(&line("slow disk"), start));
        for millisecond in 1..=37 {
            assert!(!repeats.admit(&line("slow disk"), start + Duration::from_millis(millisecond)));
        }
        assert_eq!(repeats.next_deadline(), Some(start + WINDOW));
        assert_eq!(
            messages(&repeats.take_due(start + WINDOW - Duration::from_millis(1))),
            [""; 0]
        );
        assert_eq!(
            messages(&repeats.take_due(start + WINDOW)),
            ["slow disk … repeated 37 times in 10 s"]
        );
        assert_eq!(repeats.next_deadline(), None);
        assert!(
            repeats.admit(&line("slow disk"), start + WINDOW),
            "a new window begins with a line"
        );
    }

    #[test]
    fn different_lines_do_not_count_for_each_other() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        assert!(repeats.admit(&line("one"), now));
        assert!(repeats.admit(&line("two"), now));
        assert!(repeats.admit(
            &Line {
                level: Level::Error,
                ..line("one")
            },
            now
        ));
        assert!(repeats.admit(
            &Line {
                module: "other".to_owned(),
                ..line("one")
            },
            now
        ));
        assert!(repeats.take_due(now + WINDOW).is_empty());
    }

    #[test]
    fn memory_is_bounded_and_nothing_counted_is_lost() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let (mut counted, mut summed) = (0, 0);
        for number in 0..10_000 {
            for _ in 0..3 {
                counted += u64::from(!repeats.admit(&line(&format!("line {number}")), now));
            }
            assert!(repeats.windows.len() <= REMEMBERED && repeats.order.len() == repeats.windows.len());
            summed += repeats.take_due(now).len();
        }
        summed += repeats.take_all().len();
        assert_eq!(counted, 20_000);
        assert_eq!(summed, 10_000, "one sum for each line");
    }
}
