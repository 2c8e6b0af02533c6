//! What an operator reads when a log was opened that had not been closed: each thing that was cut, built anew or could not be read
//! has its line, and a log that is well has none.

mod support;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use log::{LevelFilter, Metadata, Record};
use storage::{Log, LogConfig, RealDisk};
use support::{Spec, TempDir, append, options};

thread_local! {
    /// Tests run side by side, each on its own thread, and so does what they open.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps lines instead of writing them.
struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        let line = format!("{} {}", record.level(), record.args());
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

/// Opens the log and gives the lines that this wrote.
fn opened(dir: &Path, clean_shutdown: bool, recovery_point: i64) -> (Log, Vec<String>) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        log::set_logger(&Capture).unwrap();
        log::set_max_level(LevelFilter::Info);
    });
    let mut options = options(Arc::new(RealDisk), dir, LogConfig::default());
    options.clean_shutdown = clean_shutdown;
    options.recovery_point = recovery_point;
    LINES.take();
    let log = Log::open(options, 0).unwrap();
    (log, LINES.take())
}

/// A log of segments of two batches each, left as a crash leaves it; gives the file of the segment that begins at an offset.
fn written(dir: &Path, segments: usize) -> impl Fn(i64, &str) -> PathBuf {
    let (mut log, lines) = opened(dir, false, 0);
    assert_eq!(lines, [""; 0], "a new log needs no line");
    for n in 0..segments {
        if n > 0 {
            log.roll(0).unwrap();
        }
        append(&mut log, Spec::default(), 2);
        append(&mut log, Spec::default(), 2);
    }
    let path = log.dir();
    move |base_offset, extension| path.join(format!("{base_offset:020}.{extension}"))
}

#[test]
fn what_was_checked_is_said_and_what_needed_no_check_is_not() {
    let dir = TempDir::new();
    let _ = written(&dir.0, 2);
    let (mut log, lines) = opened(&dir.0, false, 1);
    let expected = ["INFO topic-0: checked offsets 1 to 4, which were not known to be on disk"];
    assert_eq!(lines, expected);
    log.close(0).unwrap();
    drop(log);
    for clean_shutdown in [true, false] {
        assert_eq!(opened(&dir.0, clean_shutdown, 4).1, [""; 0]);
    }
}

#[test]
fn what_is_cut_is_said() {
    let dir = TempDir::new();
    let file = written(&dir.0, 2)(2, "log");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    let expected = format!(
        "WARN topic-0: cutting {} bytes off {}: behind offset 3 no whole and valid batch follows",
        whole.len() / 2 - 5,
        file.display()
    );
    assert_eq!(opened(&dir.0, false, 0).1, [expected]);
}

#[test]
fn later_segments_that_go_are_named() {
    let dir = TempDir::new();
    let file = written(&dir.0, 3);
    let mut damaged = std::fs::read(file(0, "log")).unwrap();
    let size = damaged.len() / 2;
    damaged[size + 20] ^= 1;
    std::fs::write(file(0, "log"), damaged).unwrap();
    let cut = format!(
        "WARN topic-0: cutting {size} bytes off {}: behind offset 1 no whole and valid batch follows",
        file(0, "log").display()
    );
    let gone = format!(
        "WARN topic-0: removing the 2 segments behind it with what they hold from offset 2 on, up to {}",
        file(4, "log").display()
    );
    assert_eq!(opened(&dir.0, false, 0).1, [cut, gone]);
}

#[test]
fn a_log_that_is_said_to_begin_behind_its_end_does_not_go_in_silence() {
    let dir = TempDir::new();
    let file = written(&dir.0, 2);
    opened(&dir.0, false, 0).0.close(0).unwrap();
    let mut options = options(Arc::new(RealDisk), &dir.0, LogConfig::default());
    (options.clean_shutdown, options.recovery_point, options.log_start_offset) = (true, 4, 99);
    LINES.take();
    let log = Log::open(options, 0).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (99, 99));
    let expected = format!(
        "WARN topic-0: removing all records, offsets 0 to 4: log-start-offset-checkpoint beside {} says that it begins at 99",
        file(0, "log").parent().unwrap().display()
    );
    assert_eq!(LINES.take(), [expected]);
}

#[test]
fn a_directory_without_its_segments_is_named() {
    let dir = TempDir::new();
    let file = written(&dir.0, 1);
    for extension in ["log", "index", "timeindex"] {
        std::fs::remove_file(file(0, extension)).unwrap();
    }
    let expected = format!(
        "WARN topic-0: {} holds no segment, though records up to offset 2 were on disk: it begins empty, at offset 0",
        file(0, "log").parent().unwrap().display()
    );
    assert_eq!(opened(&dir.0, true, 2).1, [expected]);
}

#[test]
fn what_lies_behind_a_hole_is_named() {
    let dir = TempDir::new();
    let file = written(&dir.0, 3);
    std::fs::remove_file(file(2, "log")).unwrap();
    let expected = format!(
        "WARN topic-0: the log ends at offset 2; removing what lies behind a hole, from {} on",
        file(4, "log").display()
    );
    assert_eq!(opened(&dir.0, false, 0).1, [expected]);
}

#[test]
fn what_is_built_anew_or_cannot_be_read_is_named() {
    let dir = TempDir::new();
    let file = written(&dir.0, 2);
    opened(&dir.0, false, 0).0.close(0).unwrap();
    std::fs::remove_file(file(0, "timeindex")).unwrap();
    let epochs = dir.0.join("topic-0/leader-epoch-checkpoint");
    std::fs::write(&epochs, "torn").unwrap();
    let (log, lines) = opened(&dir.0, true, 4);
    assert_eq!(log.log_end_offset(), 4);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let begins = format!("WARN {}: ", epochs.display());
    let of_epochs = lines[0].starts_with(&begins) && lines[0].ends_with("; reading the epochs from the records");
    assert!(of_epochs, "{lines:?}");
    let expected = format!(
        "WARN {}: an index is missing; building it anew",
        file(0, "log").display()
    );
    assert_eq!(lines[1], expected);
}
