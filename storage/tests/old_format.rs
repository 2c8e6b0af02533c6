//! Records of formats 0 and 1, which this version cannot use: whatever meets them refuses, and nothing of them is lost.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::checkpoint::OffsetCheckpoint;
use storage::{
    Log, LogConfig, LogDir, OffsetSpec, OldRecordFormat, OpenError, OpenFiles, ReadError, ReadRequest, RealDisk,
    TopicPartition,
};
use support::{Spec, TempDir, open, options};

/// A message as brokers before 0.11 stored it: magic 0, or 1 with a timestamp.
fn message(offset: i64, magic: u8, value: &[u8]) -> Vec<u8> {
    let mut checked = vec![magic, 0];
    if magic == 1 {
        checked.extend(1_000_i64.to_be_bytes());
    }
    checked.extend((-1_i32).to_be_bytes());
    checked.extend((value.len() as i32).to_be_bytes());
    checked.extend(value);
    let mut out = offset.to_be_bytes().to_vec();
    out.extend((checked.len() as i32 + 4).to_be_bytes());
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &checked) as u32;
    out.extend(crc.to_be_bytes());
    out.extend(checked);
    out
}

fn append(log: &mut Log) {
    let spec = Spec {
        value_size: 50,
        ..Spec::default()
    };
    support::append(log, spec, 0);
}

fn config() -> LogConfig {
    LogConfig {
        index_interval_bytes: 100,
        segment_bytes: 400,
        ..LogConfig::default()
    }
}

/// The first segment's file of a closed log with this many batches in each of its segments.
fn written(dir: &Path, segments: &[usize]) -> PathBuf {
    let mut log = open(dir, config());
    for (n, batches) in segments.iter().enumerate() {
        if n > 0 {
            log.roll(0).unwrap();
        }
        (0..*batches).for_each(|_| append(&mut log));
    }
    let file = log.dir().join("00000000000000000000.log");
    log.close(0).unwrap();
    file
}

fn reopened(dir: &Path, clean_shutdown: bool, recovery_point: i64) -> Result<Log, OpenError> {
    let mut options = options(Arc::new(RealDisk), dir, config());
    options.clean_shutdown = clean_shutdown;
    options.recovery_point = recovery_point;
    Log::open(options, 0)
}

fn refused(result: Result<Log, OpenError>) -> (TopicPartition, OldRecordFormat) {
    match result {
        Err(OpenError::OldRecordFormat { partition, found }) => (partition, found),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_of_old_records_is_refused_and_keeps_every_byte() {
    for magic in [0, 1] {
        for (clean, recovery_point) in [(true, 3), (false, 3), (false, 0)] {
            let dir = TempDir::new();
            let file = written(&dir.0, &[0]);
            let old: Vec<u8> = (0..3).flat_map(|n| message(n, magic, b"v")).collect();
            std::fs::write(&file, &old).unwrap();
            let options = options(Arc::new(RealDisk), &dir.0, config());
            let (partition, found) = refused(reopened(&dir.0, clean, recovery_point));
            assert_eq!(partition.to_string(), "topic-0");
            assert_eq!((&found.file, found.position, found.magic), (&file, 0, magic as i8));
            assert_eq!(std::fs::read(&file).unwrap(), old);
            assert!(options.health.failure().is_none());
        }
    }
}

#[test]
fn the_error_says_where_and_what() {
    let dir = TempDir::new();
    let file = written(&dir.0, &[0]);
    std::fs::write(&file, message(0, 1, b"v")).unwrap();
    let text = reopened(&dir.0, false, 0).unwrap_err().to_string();
    for fact in [
        "topic-0",
        file.to_str().unwrap(),
        "byte 0",
        "magic 1",
        "not supported yet",
    ] {
        assert!(text.contains(fact), "{fact:?} is not in {text:?}");
    }
}

#[test]
fn old_records_behind_new_ones_are_refused_wherever_they_begin() {
    let dir = TempDir::new();
    let file = written(&dir.0, &[3]);
    let new = std::fs::read(&file).unwrap();
    for value_len in [0, 1, 100, 9000, 200_000] {
        let old = message(3, 0, &vec![b'v'; value_len]);
        std::fs::write(&file, [&new[..], &old].concat()).unwrap();
        let (_, found) = refused(reopened(&dir.0, false, 0));
        assert_eq!((found.position, found.magic), (new.len() as u64, 0));
        refused(reopened(&dir.0, true, 3));
        assert_eq!(std::fs::read(&file).unwrap().len(), new.len() + old.len());
    }
}

#[test]
fn a_torn_old_record_is_cut_like_any_other_tail() {
    let dir = TempDir::new();
    let file = written(&dir.0, &[3]);
    let new = std::fs::read(&file).unwrap();
    let old = message(3, 1, b"some value");
    let mut flipped = old.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let torn = (1..old.len()).map(|len| &old[..len]);
    for tail in torn.chain([&flipped[..]]) {
        std::fs::write(&file, [&new[..], tail].concat()).unwrap();
        let log = reopened(&dir.0, false, 0).unwrap();
        assert_eq!((log.log_end_offset(), log.size()), (3, new.len() as u64));
    }
}

#[test]
fn old_records_in_the_first_segment_are_refused_even_where_nothing_is_recovered() {
    let dir = TempDir::new();
    let file = written(&dir.0, &[3, 3]);
    let old: Vec<u8> = (0..3).flat_map(|n| message(n, 0, b"v")).collect();
    std::fs::write(&file, &old).unwrap();
    refused(reopened(&dir.0, true, 6));
    refused(reopened(&dir.0, false, 6));
}

#[test]
fn who_meets_old_records_below_the_recovery_point_gets_an_error() {
    let dir = TempDir::new();
    let file = written(&dir.0, &[3, 3]);
    let new = std::fs::read(&file).unwrap();
    let size = new.len() / 3;
    // The first batch stays, so that opening sees nothing; no index points into what follows.
    let old: Vec<u8> = (1..3).flat_map(|n| message(n, 1, b"v")).collect();
    std::fs::write(&file, [&new[..size], &old].concat()).unwrap();
    for extension in ["index", "timeindex"] {
        std::fs::write(file.with_extension(extension), b"").unwrap();
    }
    let log = reopened(&dir.0, true, 6).unwrap();
    let request = ReadRequest {
        offset: 1,
        max_bytes: 1 << 20,
        min_one_message: true,
        max_offset: i64::MAX,
        from_segment: None,
    };
    let check = |error: ReadError| match error {
        ReadError::OldRecordFormat { found, .. } => assert_eq!((found.position, found.magic), (size as u64, 1)),
        other => panic!("{other:?}"),
    };
    check(log.read(&request).unwrap_err());
    // A range that only ends in them.
    check(log.read(&ReadRequest { offset: 0, ..request }).unwrap_err());
    check(log.offset_for(OffsetSpec::Timestamp(1_001)).unwrap_err());
    log.read(&ReadRequest { offset: 3, ..request }).unwrap();
}

#[test]
fn one_such_log_does_not_keep_the_others_from_opening() {
    let dir = TempDir::new();
    let config = || Arc::new(LogConfig::default());
    let logs = LogDir::open(&dir.0, Arc::new(RealDisk), OpenFiles::new(100)).unwrap();
    for name in ["new", "old"] {
        let mut log = logs
            .create_log(&TopicPartition::new(name, 0), None, config(), 0)
            .unwrap();
        append(&mut log);
        log.close(0).unwrap();
    }
    std::fs::write(dir.0.join("old-0/00000000000000000000.log"), message(0, 0, b"v")).unwrap();
    let old = TopicPartition::new("old", 0);
    logs.write_checkpoint(OffsetCheckpoint::RecoveryPoint, [(&old, 1)].into_iter())
        .unwrap();
    logs.mark_clean_shutdown(-1).unwrap();
    drop(logs);
    let logs = LogDir::open(&dir.0, Arc::new(RealDisk), OpenFiles::new(100)).unwrap();
    let loaded = logs.load_logs(|_| config(), 2, 0, || true).unwrap();
    let names: Vec<_> = loaded.logs.iter().map(|log| log.partition().to_string()).collect();
    assert_eq!(names, ["new-0"]);
    assert_eq!(loaded.refused.len(), 1);
    let refused = &loaded.refused[0];
    assert_eq!((&refused.partition, refused.recovery_point), (&old, 1));
    assert!(matches!(refused.error, OpenError::OldRecordFormat { .. }));
    assert!(logs.health().failure().is_none());
    // It goes when its topic is deleted.
    let gone = logs.delete_unopened(&old, 7).unwrap();
    assert!(gone.exists() && !dir.0.join("old-0").exists());
}
