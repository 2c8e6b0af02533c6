//! Log lines to stderr: `log`'s macros on one side, one thread that writes on the other.
//!
//! Whoever logs only formats its line and hands it over; a stderr that nobody reads never holds up a connection. When the
//! queue is full, lines are dropped, and how many is said as soon as there is room. Lines that repeat are counted (`repeats`),
//! and those that clients bring about are limited (`flood`).

use std::io::Write;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use log::{Level, LevelFilter, Log, Metadata, Record};

mod flood;
mod line;
mod repeats;

pub use line::Format;
use line::Line;
use repeats::Repeats;

/// How many lines may wait for the writing thread.
const QUEUE_LINES: usize = 1024;
/// Longer messages are cut, so that the queue is bounded in bytes, too.
const MESSAGE_BYTES: usize = 4096;
/// How long the end of the process waits for a stderr that is slow to take the last lines.
const FLUSH_DEADLINE: Duration = Duration::from_secs(1);

/// What may be chosen about logging on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Lines of less importance are not written (`--log-level`).
    pub level: LevelFilter,
    /// Text or JSON (`--log-format`).
    pub format: Format,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            level: LevelFilter::Info,
            format: Format::Text,
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected text or json".to_owned()),
        }
    }
}

enum Message {
    Line(Line),
    /// Everything before it is written when this is answered.
    Flush(SyncSender<()>),
}

struct Logger {
    queue: SyncSender<Message>,
    dropped: &'static AtomicU64,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = Line {
            time: SystemTime::now(),
            level: record.level(),
            module: record.target().to_owned(),
            message: cut(record.args().to_string()),
            place: place(record),
            client: record
                .key_values()
                .get("client".into())
                .map(|client| client.to_string()),
        };
        match self.queue.try_send(Message::Line(line)) {
            Ok(()) => {}
            // There is nobody left to tell about a writing thread that is gone.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                let _ = self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn flush(&self) {
        let (done, wait) = sync_channel(1);
        let deadline = Instant::now() + FLUSH_DEADLINE;
        let mut message = Message::Flush(done);
        while let Err(TrySendError::Full(back)) = self.queue.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            message = back;
            thread::sleep(Duration::from_millis(1));
        }
        // Too late or never: the process ends all the same.
        let _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Writes what is still queued when it is dropped; hold it until the end of `main`.
#[derive(Debug)]
pub struct LogGuard(());

impl Drop for LogGuard {
    fn drop(&mut self) {
        log::logger().flush();
    }
}

/// Starts logging to stderr for the whole process, panics included. A second call in one process is an error.
pub fn start(options: LogOptions) -> Result<LogGuard, log::SetLoggerError> {
    static DROPPED: AtomicU64 = AtomicU64::new(0);
    let (queue, lines) = sync_channel(QUEUE_LINES);
    log::set_boxed_logger(Box::new(Logger {
        queue,
        dropped: &DROPPED,
    }))?;
    log::set_max_level(options.level);
    let writer = thread::Builder::new().name("log".to_owned()).stack_size(128 * 1024);
    let spawned = writer.spawn(move || write_lines(&lines, &DROPPED, options.format, &mut std::io::stderr()));
    if let Err(error) = spawned {
        eprintln!("no thread for log lines: {error}");
    }
    std::panic::set_hook(Box::new(|panic| {
        log::error!(
            "panic in thread {}: {panic}",
            thread::current().name().unwrap_or("without a name")
        );
        log::logger().flush();
    }));
    Ok(LogGuard(()))
}

/// The body of the writing thread, until nobody can log any more.
fn write_lines(lines: &Receiver<Message>, dropped: &AtomicU64, format: Format, output: &mut impl Write) {
    let mut repeats = Repeats::default();
    let mut text = String::new();
    loop {
        let next = match repeats.next_deadline() {
            None => lines.recv().map_err(RecvTimeoutError::from),
            Some(deadline) => lines.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        let mut flushed = None;
        match next {
            Ok(Message::Line(line)) => {
                if repeats.admit(&line, Instant::now()) {
                    line.write(format, &mut text);
                }
            }
            Ok(Message::Flush(done)) => {
                repeats.take_all().iter().for_each(|line| line.write(format, &mut text));
                flushed = Some(done);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        repeats
            .take_due(Instant::now())
            .iter()
            .for_each(|line| line.write(format, &mut text));
        match dropped.swap(0, Ordering::Relaxed) {
            0 => {}
            count => lines_dropped(count).write(format, &mut text),
        }
        // A stderr that is closed leaves nowhere to say so; the broker goes on.
        let _ = output.write_all(text.as_bytes());
        text.clear();
        if let Some(done) = flushed {
            let _ = done.send(());
        }
    }
}

/// Where a line is written that clients may bring about as often as they like.
fn place(record: &Record<'_>) -> Option<flood::Place> {
    let file = record.file_static().filter(|_| flood::is_of_clients(record.target()))?;
    Some((file, record.line()?))
}

/// The message, or its beginning where it is too long.
fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        let bytes = message.len();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        message.shrink_to_fit();
        message.push_str(&format!("… ({bytes} bytes)"));
    }
    message
}

fn lines_dropped(count: u64) -> Line {
    Line {
        time: SystemTime::now(),
        level: Level::Warn,
        module: module_path!().to_owned(),
        message: format!("{count} log lines were dropped because stderr took them too slowly"),
        place: None,
        client: None,
    }
}

/// The most names that one line lists.
const LISTED_NAMES: usize = 10;

/// Names for one line, which must not grow with what a client asks for: the first ten as `show` writes them, and how many more.
pub fn listed<T>(names: impl IntoIterator<Item = T>, show: impl Fn(T) -> String) -> String {
    let mut names = names.into_iter();
    let first: Vec<String> = names.by_ref().take(LISTED_NAMES).map(show).collect();
    let first = first.join(", ");
    match names.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        Line {
            time: SystemTime::UNIX_EPOCH,
            level: Level::Info,
            module: "m".to_owned(),
            message: message.to_owned(),
            place: None,
            client: None,
        }
    }

    #[test]
    fn a_line_lists_few_names() {
        assert_eq!(listed(0..2, |n| n.to_string()), "0, 1");
        assert_eq!(
            listed(0..12, |n| n.to_string()),
            "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
        );
        let beyond = |n: i32| {
            assert!(n < 10, "not even written");
            String::new()
        };
        listed(0..1_000_000, beyond);
    }

    #[test]
    fn writer_writes_in_order_counts_repeats_and_says_what_was_dropped() {
        let (queue, lines) = sync_channel(16);
        let (done, wait) = sync_channel(1);
        for message in ["one", "two", "two", "two"] {
            queue.send(Message::Line(line(message))).expect("the receiver is here");
        }
        queue.send(Message::Flush(done)).expect("the receiver is here");
        drop(queue);
        let (dropped, mut output) = (AtomicU64::new(5), Vec::new());
        write_lines(&lines, &dropped, Format::Text, &mut output);
        wait.recv().expect("the flush is answered");
        let text = String::from_utf8(output).expect("lines are text");
        let messages: Vec<&str> = text
            .lines()
            .map(|line| line.split_once(" m ").map_or(line, |parts| parts.1))
            .collect();
        assert_eq!(messages[0], "one");
        assert!(messages[1].contains("5 log lines were dropped"), "{text}");
        assert_eq!(messages[2], "two");
        assert!(messages[3].starts_with("two … repeated 2 times in "), "{text}");
        assert_eq!(messages.len(), 4);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(cut("short".to_owned()), "short");
        let long = "é".repeat(MESSAGE_BYTES);
        let expected = format!("{}… ({} bytes)", "é".repeat(MESSAGE_BYTES / 2), MESSAGE_BYTES * 2);
        assert_eq!(cut(long), expected);
        assert!(cut(format!("x{}", "é".repeat(MESSAGE_BYTES))).starts_with("xé"));
    }

    #[test]
    fn a_full_queue_drops_lines_without_waiting() {
        static DROPPED: AtomicU64 = AtomicU64::new(0);
        let (queue, _lines) = sync_channel(1);
        let logger = Logger {
            queue,
            dropped: &DROPPED,
        };
        log::set_max_level(LevelFilter::Info);
        for _ in 0..3 {
            logger.log(&Record::builder().level(Level::Warn).args(format_args!("full")).build());
        }
        assert_eq!(DROPPED.load(Ordering::Relaxed), 2);
    }
}
