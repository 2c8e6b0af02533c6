//! Opening what a crash has left: every kind of tail, damaged and missing indexes, interrupted replacements, failing disks.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::{
    AppendError, Disk, Log, LogConfig, LogDirHealth, OpenError, ReadError, ReadMode, ReadOutcome, ReadRequest,
    RealDisk, SimDisk,
};
use support::{Spec, TempDir, open, options, validated};

fn append(log: &mut Log, value_size: usize) {
    let spec = Spec {
        value_size,
        timestamp: 1000 + log.log_end_offset(),
        ..Spec::default()
    };
    support::append(log, spec, 2);
}

fn config() -> LogConfig {
    LogConfig {
        index_interval_bytes: 100,
        ..LogConfig::default()
    }
}

fn written(dir: &Path, batches: usize) -> (Log, PathBuf) {
    let mut log = open(dir, config());
    for _ in 0..batches {
        append(&mut log, 50);
    }
    let file = log.dir().join("00000000000000000000.log");
    (log, file)
}

fn reopened(dir: &Path, recovery_point: i64) -> Log {
    let mut options = options(Arc::new(RealDisk), dir, config());
    options.recovery_point = recovery_point;
    Log::open(options, 0).unwrap()
}

fn reopened_after_a_clean_stop(dir: &Path, recovery_point: i64) -> Log {
    let mut options = options(Arc::new(RealDisk), dir, config());
    (options.recovery_point, options.clean_shutdown) = (recovery_point, true);
    Log::open(options, 0).unwrap()
}

fn readable(log: &Log) -> i64 {
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let request = ReadRequest {
            offset,
            max_bytes: 1,
            min_one_message: true,
            max_offset: i64::MAX,
            from_segment: None,
        };
        let data = log.read(&request).unwrap();
        let header = storage::BatchHeader::parse(data.records.as_memory().unwrap()).unwrap();
        assert_eq!(header.base_offset, offset);
        offset = header.last_offset() + 1;
    }
    offset
}

#[test]
fn a_tail_torn_at_any_byte_is_cut() {
    let dir = TempDir::new();
    let (log, file) = written(&dir.0, 3);
    let size = log.size() as usize / 3;
    drop(log);
    let whole = std::fs::read(&file).unwrap();
    for len in (0..=whole.len())
        .step_by(7)
        .chain([size, size + 1, size + 61, 3 * size - 1])
    {
        std::fs::write(&file, &whole[..len]).unwrap();
        let mut log = reopened(&dir.0, 0);
        assert_eq!(log.log_end_offset(), (len / size) as i64, "cut at {len}");
        assert_eq!(log.size(), (len / size * size) as u64);
        append(&mut log, 50);
        assert_eq!(readable(&log), (len / size) as i64 + 1);
    }
}

#[test]
fn zeros_and_garbage_behind_the_end_are_cut() {
    let dir = TempDir::new();
    let (log, file) = written(&dir.0, 3);
    let size = log.size() as usize / 3;
    drop(log);
    let whole = std::fs::read(&file).unwrap();
    let again = &whole[..size];
    let mut later = again.to_vec();
    later[..8].copy_from_slice(&1_i64.to_be_bytes());
    let tails: [&[u8]; 7] = [&[0; 1], &[0; 61], &[0; 5000], &[0xff; 5000], b"garbage", again, &later];
    for tail in tails {
        std::fs::write(&file, [&whole[..], tail].concat()).unwrap();
        let log = reopened(&dir.0, 0);
        assert_eq!(readable(&log), 3);
        assert_eq!(std::fs::metadata(&file).unwrap().len(), whole.len() as u64);
    }
}

#[test]
fn a_flipped_bit_ends_the_log() {
    let dir = TempDir::new();
    let (log, file) = written(&dir.0, 4);
    let size = log.size() as usize / 4;
    drop(log);
    let whole = std::fs::read(&file).unwrap();
    // Outside of base offset and leader epoch, which the checksum does not cover.
    for at in [8, 16, 17, 21, 30, 60, 70, size - 1] {
        let mut flipped = whole.clone();
        flipped[2 * size + at] ^= 4;
        std::fs::write(&file, flipped).unwrap();
        assert_eq!(readable(&reopened(&dir.0, 0)), 2, "byte {at}");
    }
}

#[test]
fn below_the_recovery_point_nothing_is_read_again() {
    let dir = TempDir::new();
    let (mut log, file) = written(&dir.0, 20);
    log.flush(0).unwrap();
    assert_eq!(log.recovery_point(), 20);
    for _ in 0..5 {
        append(&mut log, 50);
    }
    let size = log.size() / 25;
    drop(log);
    // Damage that recovery would find if it looked there.
    let mut damaged = std::fs::read(&file).unwrap();
    damaged[(5 * size + 70) as usize] ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    let log = reopened(&dir.0, 20);
    assert_eq!(log.log_end_offset(), 25);
    // Who reads it from the disk finds it.
    let read = |offset, mode| {
        let request = ReadRequest {
            offset,
            max_bytes: 1 << 20,
            min_one_message: true,
            max_offset: i64::MAX,
            from_segment: None,
        };
        match log.locate(&request).unwrap().run(mode, 100) {
            Ok(ReadOutcome::Data(data)) => Ok(data.records.len() as u64 / size),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    // Now the page is in memory: that makes the batch no better. What comes before it and behind it is given.
    for mode in [ReadMode::Blocking, ReadMode::NoWait, ReadMode::Blocking] {
        assert!(matches!(read(5, mode), Err(ReadError::CorruptBatch { .. })), "{mode:?}");
        assert_eq!(read(0, mode).unwrap(), 5, "{mode:?}");
        assert_eq!(read(6, mode).unwrap(), 19, "{mode:?}");
    }
}

#[test]
fn what_lies_behind_a_damaged_header_is_not_taken_for_what_follows() {
    let dir = TempDir::new();
    let (mut log, file) = written(&dir.0, 4);
    let size = log.size() as usize / 4;
    log.roll(0).unwrap();
    for _ in 0..4 {
        append(&mut log, 50);
    }
    log.close(0).unwrap();
    drop(log);
    let mut damaged = std::fs::read(&file).unwrap();
    damaged[2 * size..2 * size + 40].fill(0);
    std::fs::write(&file, &damaged).unwrap();
    let log = reopened_after_a_clean_stop(&dir.0, 8);
    assert_eq!(log.log_end_offset(), 8);
    let read = |offset| {
        let request = ReadRequest {
            offset,
            max_bytes: 1,
            min_one_message: true,
            max_offset: i64::MAX,
            from_segment: None,
        };
        log.read(&request).map(|data| data.records.len())
    };
    assert_eq!(read(1).unwrap(), size);
    assert!(matches!(read(2), Err(ReadError::CorruptBatch { .. })));
    // The index names this one.
    assert_eq!(read(3).unwrap(), size);
    assert_eq!(read(4).unwrap(), size);
}

/// They are the last entries that count: what is appended comes behind them.
#[test]
fn indexes_that_name_what_is_not_there_are_built_anew_also_after_a_clean_stop() {
    for (extension, at_from_end) in [("index", 8), ("timeindex", 4)] {
        let dir = TempDir::new();
        let (mut log, file) = written(&dir.0, 20);
        log.close(0).unwrap();
        drop(log);
        let path = file.with_extension(extension);
        let mut index = std::fs::read(&path).unwrap();
        let at = index.len() - at_from_end;
        index[at..at + 4].copy_from_slice(&1_000_i32.to_be_bytes());
        std::fs::write(&path, &index).unwrap();
        let mut log = reopened_after_a_clean_stop(&dir.0, 20);
        assert_eq!(log.log_end_offset(), 20, "{extension}");
        for _ in 0..100 {
            append(&mut log, 50);
        }
        assert_eq!(readable(&log), 120, "{extension}");
    }
}

#[test]
fn indexes_are_not_trusted_past_the_recovery_point() {
    let dir = TempDir::new();
    let (mut log, file) = written(&dir.0, 20);
    log.flush(0).unwrap();
    let good = std::fs::read(file.with_extension("index")).unwrap();
    assert!(good.len() > 40);
    for _ in 0..5 {
        append(&mut log, 50);
    }
    drop(log);
    // Kafka preallocates indexes: what it left when killed ends in zeros. Others may end in anything.
    for tail in [vec![0; 4000], vec![0xff; 4001], vec![7; 3], Vec::new()] {
        for extension in ["index", "timeindex"] {
            let path = file.with_extension(extension);
            let mut content = std::fs::read(&path).unwrap();
            content.extend(&tail);
            std::fs::write(&path, content).unwrap();
        }
        let mut log = reopened(&dir.0, 20);
        assert_eq!(readable(&log), 25);
        log.close(0).unwrap();
        let index = std::fs::read(file.with_extension("index")).unwrap();
        assert_eq!(index[..good.len()], good);
        assert_eq!(index.len() % 8, 0);
        assert!(index.len() < 25 * 8);
    }
}

/// A follower of Kafka's makes one entry for all that it appends at once: the last offset of it, and the place of the first batch.
#[test]
fn recovery_goes_on_behind_an_index_entry_for_several_batches() {
    let dir = TempDir::new();
    let (mut log, file) = written(&dir.0, 20);
    log.flush(0).unwrap();
    let size = log.size() as u32 / 20;
    drop(log);
    let entry = |offset: u32, position: u32| [offset.to_be_bytes(), position.to_be_bytes()].concat();
    let sets = [entry(5, 2 * size), entry(11, 7 * size)].concat();
    for recovery_point in [12, 14, 20] {
        std::fs::write(file.with_extension("index"), &sets).unwrap();
        let log = reopened(&dir.0, recovery_point);
        assert_eq!((log.log_end_offset(), readable(&log)), (20, 20));
        let index = std::fs::read(file.with_extension("index")).unwrap();
        assert_eq!(index[..sets.len()], sets, "what was right stays");
    }
}

#[test]
fn missing_indexes_are_built_again() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            segment_bytes: 1000,
            ..config()
        },
    );
    for _ in 0..40 {
        append(&mut log, 50);
    }
    log.close(0).unwrap();
    let names = ["00000000000000000000.index", "00000000000000000000.timeindex"];
    let paths = names.map(|name| log.dir().join(name));
    drop(log);
    let before = paths.clone().map(|path| std::fs::read(path).unwrap());
    for clean_shutdown in [true, false] {
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        let mut options = options(
            Arc::new(RealDisk),
            &dir.0,
            LogConfig {
                segment_bytes: 1000,
                ..config()
            },
        );
        options.clean_shutdown = clean_shutdown;
        options.recovery_point = 40;
        let mut log = Log::open(options, 0).unwrap();
        assert_eq!(readable(&log), 40);
        log.roll(0).unwrap();
        log.close(0).unwrap();
        assert_eq!(std::fs::read(&paths[0]).unwrap(), before[0]);
    }
}

#[test]
fn leftovers_are_cleared_away() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            segment_bytes: 300,
            ..config()
        },
    );
    for _ in 0..8 {
        append(&mut log, 50);
    }
    log.close(0).unwrap();
    let path = log.dir();
    drop(log);
    let name = |offset: i64, suffix: &str| path.join(format!("{offset:020}{suffix}"));
    // A compaction that was done but for the last step: the segments at 0 and 2 became one.
    let merged = [0, 2]
        .map(|offset| std::fs::read(name(offset, ".log")).unwrap())
        .concat();
    std::fs::write(name(0, ".log.swap"), merged).unwrap();
    for suffix in [".index.swap", ".timeindex.swap"] {
        std::fs::write(name(0, suffix), b"").unwrap();
    }
    // One that had hardly begun, a deleted segment, an index without its segment.
    std::fs::write(name(4, ".log.cleaned"), b"half").unwrap();
    std::fs::write(name(6, ".log.swap"), b"half").unwrap();
    std::fs::write(name(0, ".log.deleted"), b"gone").unwrap();
    std::fs::write(name(77, ".index"), b"").unwrap();
    let log = reopened(&dir.0, 0);
    assert_eq!(readable(&log), 8);
    let mut names: Vec<_> = std::fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.contains(".log") || name.starts_with("00000000000000000077"));
    names.sort();
    assert_eq!(
        names,
        [
            "00000000000000000000.log",
            "00000000000000000004.log",
            "00000000000000000006.log"
        ]
    );
}

#[test]
fn a_failed_sync_takes_the_directory_offline_for_good() {
    let disk = SimDisk::new(1);
    let health = LogDirHealth::new("/logs");
    let mut options = options(Arc::new(disk.clone()), Path::new("/logs"), config());
    options.health = health.clone();
    disk.create_dir_all(Path::new("/logs")).unwrap();
    let mut log = Log::open(options.clone(), 0).unwrap();
    append(&mut log, 50);
    disk.fail_syncs(true);
    log.flush(0).unwrap_err();
    disk.fail_syncs(false);
    assert_eq!(log.recovery_point(), 0);
    assert!(
        health.failure().unwrap().action.contains("flush"),
        "{:?}",
        health.failure()
    );
    // It would work now, but nothing tells what the failed one has lost.
    log.flush(0).unwrap_err();
    log.close(0).unwrap_err();
    let request = ReadRequest {
        offset: 0,
        max_bytes: 1,
        min_one_message: true,
        max_offset: i64::MAX,
        from_segment: None,
    };
    assert!(matches!(log.read(&request), Err(ReadError::LogDir(_))));
    assert!(matches!(Log::open(options, 0), Err(OpenError::LogDir(_))));
}

#[test]
fn a_failed_write_is_not_acknowledged() {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new("/logs")).unwrap();
    let mut log = Log::open(options(Arc::new(disk.clone()), Path::new("/logs"), config()), 0).unwrap();
    append(&mut log, 50);
    disk.fail_at(disk.changes() + 1);
    let batches = [0; 3].map(|_| validated(&log, Spec::default()));
    for result in log.append_all(batches, 2, 0) {
        assert!(matches!(result, Err(AppendError::LogDir(_))), "{result:?}");
    }
    assert_eq!(log.log_end_offset(), 1);
}

#[test]
fn a_cold_page_is_no_wait() {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new("/logs")).unwrap();
    let mut log = Log::open(options(Arc::new(disk.clone()), Path::new("/logs"), config()), 0).unwrap();
    for _ in 0..5 {
        append(&mut log, 50);
    }
    disk.set_cold(true);
    let request = ReadRequest {
        offset: 0,
        max_bytes: 1 << 20,
        min_one_message: true,
        max_offset: 5,
        from_segment: None,
    };
    let plan = log.locate(&request).unwrap();
    assert!(matches!(
        plan.run(ReadMode::NoWait, 1 << 20).unwrap(),
        ReadOutcome::Cold
    ));
    let ReadOutcome::Data(data) = plan.run(ReadMode::Blocking, 1 << 20).unwrap() else {
        panic!("it may wait")
    };
    assert_eq!(data.records.len() as u64, log.size());
}
