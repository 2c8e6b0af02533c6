//! The log on a real file system, through its public face.

mod support;

use std::sync::Arc;

use protocol::wire::Chunk;
use storage::{AppendError, Log, LogConfig, OffsetSpec, ReadError, ReadMode, ReadOutcome, ReadRequest, RealDisk};
use support::{Spec, TempDir, open, options, validated};

fn append(log: &mut Log, spec: Spec) -> storage::AppendInfo {
    let batch = validated(log, spec);
    log.append_as_leader(batch, 3, spec.timestamp).unwrap()
}

fn request(offset: i64) -> ReadRequest {
    ReadRequest {
        offset,
        max_bytes: 1 << 20,
        min_one_message: true,
        max_offset: i64::MAX,
        from_segment: None,
    }
}

/// Base offsets of all batches, read one fetch at a time.
fn offsets(log: &Log) -> Vec<i64> {
    let mut offsets = Vec::new();
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let data = log.read(&request(offset)).unwrap();
        let Chunk::Memory(mut bytes) = data.records else {
            panic!("a copy")
        };
        assert!(!bytes.is_empty(), "nothing at {offset}");
        while !bytes.is_empty() {
            let header = storage::BatchHeader::parse(&bytes).unwrap();
            offsets.push(header.base_offset);
            offset = header.last_offset() + 1;
            bytes = bytes.slice(header.size_in_bytes()..);
        }
    }
    offsets
}

#[test]
fn what_is_appended_is_read_back_across_segments_and_restarts() {
    let dir = TempDir::new();
    let config = LogConfig {
        segment_bytes: 5000,
        index_interval_bytes: 300,
        ..LogConfig::default()
    };
    let mut log = open(&dir.0, config.clone());
    for n in 0..100 {
        let info = append(
            &mut log,
            Spec {
                records: 2,
                value_size: 50,
                timestamp: 1000 + n,
                ..Spec::default()
            },
        );
        assert_eq!((info.first_offset, info.last_offset), (2 * n, 2 * n + 1));
    }
    let expected: Vec<i64> = (0..100).map(|n| 2 * n).collect();
    assert_eq!(offsets(&log), expected);
    assert!(log.number_of_segments() > 3);
    log.close(0).unwrap();
    assert_eq!(log.recovery_point(), 200);
    let size = log.size();
    drop(log);
    for clean_shutdown in [true, false] {
        let mut options = options(Arc::new(RealDisk), &dir.0, config.clone());
        options.clean_shutdown = clean_shutdown;
        let log = Log::open(options, 0).unwrap();
        assert_eq!(offsets(&log), expected);
        assert_eq!(log.size(), size);
        assert_eq!(log.latest_epoch(), Some(3));
    }
}

#[test]
fn large_reads_are_ranges_of_the_file() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    append(
        &mut log,
        Spec {
            value_size: 100_000,
            ..Spec::default()
        },
    );
    append(
        &mut log,
        Spec {
            value_size: 100_000,
            ..Spec::default()
        },
    );
    let plan = log.locate(&request(1)).unwrap();
    let ReadOutcome::Data(data) = plan.run(ReadMode::NoWait, 1000).unwrap() else {
        panic!("hot")
    };
    let Chunk::File(range) = data.records else {
        panic!("a range")
    };
    assert_eq!(range.position, log.size() / 2);
    assert_eq!(range.length as u64, log.size() / 2);
}

fn spec(timestamp: i64) -> Spec {
    Spec {
        records: 2,
        value_size: 50,
        timestamp,
        ..Spec::default()
    }
}

#[test]
fn a_follower_has_the_same_bytes() {
    let dir = TempDir::new();
    let config = LogConfig {
        segment_bytes: 2000,
        ..LogConfig::default()
    };
    let mut leader = open(&dir.0.join("leader"), config.clone());
    let mut follower = open(&dir.0.join("follower"), config);
    for n in 0..50 {
        append(
            &mut leader,
            Spec {
                producer: (1, 0, 2 * n),
                ..spec(n.into())
            },
        );
    }
    while follower.log_end_offset() < leader.log_end_offset() {
        let request = ReadRequest {
            max_bytes: 700,
            ..request(follower.log_end_offset())
        };
        let records = leader.read(&request).unwrap().records.as_memory().unwrap().clone();
        // The last batch may be cut off; it comes again.
        follower.append_as_follower(&records, i32::MAX, 0).unwrap().unwrap();
    }
    assert_eq!(offsets(&follower), offsets(&leader));
    assert_eq!(follower.size(), leader.size());
    assert_eq!(follower.latest_epoch(), Some(3));
    assert_eq!(follower.producers().entry(1), leader.producers().entry(1));
    let records = leader.read(&request(98)).unwrap().records.as_memory().unwrap().clone();
    let error = follower.append_as_follower(&records, i32::MAX, 0).unwrap_err();
    assert!(
        matches!(
            error,
            AppendError::UnexpectedOffset {
                first_offset: 98,
                log_end_offset: 100,
                ..
            }
        ),
        "{error}"
    );
    let mut damaged = records.to_vec();
    damaged[70] ^= 1;
    let error = follower.append_as_follower(&damaged.into(), i32::MAX, 0).unwrap_err();
    assert!(
        matches!(error, AppendError::CorruptBatch { position: 0, .. }),
        "{error}"
    );
}

#[test]
fn a_read_is_cut_as_kafka_cuts_it() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    for n in 0..5 {
        append(&mut log, spec(n));
    }
    let size = log.size() as usize / 5;
    let read = |request: ReadRequest| {
        let data = log.read(&request).unwrap();
        (data.records.len(), data.first_entry_incomplete)
    };
    // Inside a batch: from its beginning. The last batch may be incomplete.
    assert_eq!(
        read(ReadRequest {
            max_bytes: 2 * size + 5,
            ..request(3)
        }),
        (2 * size + 5, false)
    );
    assert_eq!(
        read(ReadRequest {
            max_bytes: 5,
            ..request(3)
        }),
        (size, false)
    );
    assert_eq!(
        read(ReadRequest {
            max_bytes: 5,
            min_one_message: false,
            ..request(3)
        }),
        (5, true)
    );
    assert_eq!(
        read(ReadRequest {
            max_bytes: 0,
            min_one_message: false,
            ..request(3)
        }),
        (0, false)
    );
}

#[test]
fn a_read_ends_at_its_limit_and_at_the_end() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    for n in 0..5 {
        append(&mut log, spec(n));
    }
    let size = log.size() as usize / 5;
    let read = |request: ReadRequest| {
        let data = log.read(&request).unwrap();
        (data.records.len(), data.first_entry_incomplete)
    };
    assert_eq!(
        read(ReadRequest {
            max_offset: 4,
            ..request(0)
        }),
        (2 * size, false)
    );
    assert_eq!(
        read(ReadRequest {
            max_offset: 4,
            ..request(4)
        }),
        (0, false)
    );
    assert_eq!(
        read(ReadRequest {
            max_offset: 4,
            ..request(9)
        }),
        (0, false)
    );
    assert_eq!(read(request(10)), (0, false));
    for offset in [-1, 11] {
        let error = log.read(&request(offset)).unwrap_err();
        assert!(
            matches!(error, ReadError::OffsetOutOfRange { log_end_offset: 10, .. }),
            "{error}"
        );
    }
}

#[test]
fn reads_below_a_limit_in_older_segments() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            segment_bytes: 1000,
            index_interval_bytes: 0,
            ..LogConfig::default()
        },
    );
    for n in 0..200 {
        append(&mut log, spec(n));
    }
    for max_offset in 1..400 {
        let mut offset = 0;
        while offset < max_offset {
            let data = log
                .read(&ReadRequest {
                    max_offset,
                    max_bytes: 600,
                    ..request(offset)
                })
                .unwrap();
            let mut bytes = &data.records.as_memory().unwrap()[..];
            if bytes.is_empty() {
                // The batch that holds the limit is not given.
                assert_eq!(offset, max_offset - max_offset % 2);
                break;
            }
            while let Some(header) = storage::BatchHeader::parse(bytes) {
                offset = header.last_offset() + 1;
                bytes = bytes.get(header.size_in_bytes()..).unwrap_or_default();
            }
            assert!(offset <= max_offset + 1, "{offset} is above {max_offset}");
        }
    }
}

fn deleted_files(log: &Log) -> usize {
    let files = std::fs::read_dir(log.dir()).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "deleted"))
        .count()
}

#[test]
fn old_segments_go_by_size_and_time_but_not_above_the_high_watermark() {
    let dir = TempDir::new();
    let config = LogConfig {
        segment_bytes: 500,
        retention_ms: 1000,
        retention_bytes: -1,
        file_delete_delay_ms: 60,
        ..LogConfig::default()
    };
    let mut log = open(&dir.0, config.clone());
    for n in 0..40 {
        append(&mut log, spec(n * 100));
    }
    let segments = log.number_of_segments();
    assert_eq!(log.delete_old_segments(0, 10_000).unwrap(), 0);
    assert_eq!(log.delete_old_segments(80, 1000).unwrap(), 0);
    assert_eq!(log.delete_old_segments(10, 2000).unwrap(), 2);
    assert_eq!(log.log_start_offset(), 8);
    assert_eq!(log.number_of_segments(), segments - 2);
    assert_eq!(deleted_files(&log), 6);
    log.remove_deleted_files(2059).unwrap();
    assert_eq!(deleted_files(&log), 6);
    log.remove_deleted_files(2060).unwrap();
    assert_eq!(deleted_files(&log), 0);
    // Everything may go; there is always a segment to append to.
    log.set_config(Arc::new(LogConfig {
        retention_bytes: 1200,
        retention_ms: -1,
        ..config.clone()
    }));
    delete_all_old_segments(&mut log, 80, 0);
    assert!((1200..1700).contains(&log.size()), "{}", log.size());
    log.set_config(Arc::new(LogConfig {
        retention_ms: 0,
        ..config.clone()
    }));
    delete_all_old_segments(&mut log, 80, 10_000);
    assert_eq!((log.size(), log.log_start_offset(), log.log_end_offset()), (0, 80, 80));
    append(&mut log, spec(9000));
    assert_eq!(offsets(&log), [80]);
    // Where nothing is deleted but compacted, only what was asked to go goes.
    let cleanup_policy = config::CleanupPolicy {
        compact: true,
        delete: false,
    };
    log.set_config(Arc::new(LogConfig {
        retention_ms: 0,
        retention_bytes: 0,
        cleanup_policy,
        ..config
    }));
    assert_eq!(log.delete_old_segments(82, 1_000_000).unwrap(), 0);
}

#[test]
fn deleted_records_are_out_of_range_and_their_segments_go() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            segment_bytes: 500,
            ..LogConfig::default()
        },
    );
    for n in 0..20 {
        append(&mut log, spec(n));
    }
    assert!(log.increment_log_start_offset(15, 10).is_err());
    assert!(log.increment_log_start_offset(15, 40).unwrap());
    assert!(!log.increment_log_start_offset(14, 40).unwrap());
    assert!(matches!(
        log.read(&request(14)),
        Err(ReadError::OffsetOutOfRange {
            log_start_offset: 15,
            ..
        })
    ));
    assert_eq!(offsets(&log)[0], 14);
    assert!(log.delete_old_segments(40, 0).unwrap() > 1);
    assert_eq!(log.log_start_offset(), 15);
    assert_eq!(offsets(&log)[0], 14);
}

#[test]
fn offsets_are_found_by_time() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            segment_bytes: 2000,
            index_interval_bytes: 200,
            ..LogConfig::default()
        },
    );
    let missing = log.offset_for(OffsetSpec::MaxTimestamp).unwrap();
    assert_eq!(missing, None);
    // Timestamps 1000, 1010, …, but one batch in the middle is far ahead.
    for n in 0..100 {
        append(&mut log, spec(if n == 50 { 5000 } else { 1000 + 10 * n }));
    }
    let check = |log: &Log| {
        let find = |timestamp| {
            log.offset_for(OffsetSpec::Timestamp(timestamp))
                .unwrap()
                .map(|found| (found.timestamp, found.offset))
        };
        assert_eq!(find(0), Some((1000, 0)));
        assert_eq!(find(1000), Some((1000, 0)));
        assert_eq!(find(1001), Some((1010, 2)));
        assert_eq!(find(1490), Some((1490, 98)));
        assert_eq!(find(1491), Some((5000, 100)));
        assert_eq!(find(5000), Some((5000, 100)));
        assert_eq!(find(5001), None);
        let largest = log.offset_for(OffsetSpec::MaxTimestamp).unwrap().unwrap();
        assert_eq!(
            (largest.timestamp, largest.offset, largest.leader_epoch),
            (5000, 100, Some(3))
        );
        let known = |spec| {
            log.offset_for(spec)
                .unwrap()
                .map(|found| (found.timestamp, found.offset, found.leader_epoch))
        };
        assert_eq!(known(OffsetSpec::Earliest), Some((-1, 0, Some(3))));
        assert_eq!(known(OffsetSpec::EarliestLocal), Some((-1, 0, Some(3))));
        assert_eq!(known(OffsetSpec::Latest), Some((-1, 200, Some(3))));
        assert_eq!(known(OffsetSpec::LatestTiered), Some((-1, -1, Some(-1))));
    };
    check(&log);
    log.close(0).unwrap();
    drop(log);
    let mut options = options(Arc::new(RealDisk), &dir.0, LogConfig::default());
    options.clean_shutdown = true;
    let mut log = Log::open(options, 0).unwrap();
    check(&log);
    log.increment_log_start_offset(31, 200).unwrap();
    let found = log.offset_for(OffsetSpec::Timestamp(0)).unwrap().unwrap();
    assert_eq!((found.timestamp, found.offset), (1150, 31));
}

#[test]
fn segments_are_rolled_by_time_too() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            segment_ms: 1000,
            ..LogConfig::default()
        },
    );
    append(&mut log, spec(5000));
    append(&mut log, spec(6000));
    assert_eq!(log.number_of_segments(), 1);
    assert!(append(&mut log, spec(6001)).rolled);
    assert_eq!(log.active_segment_base_offset(), 4);
}

#[test]
fn flushes_are_due_by_count_and_time() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            flush_messages: 4,
            flush_ms: 100,
            ..LogConfig::default()
        },
    );
    assert!(!log.is_flush_due(1000));
    append(&mut log, spec(0));
    assert!(!log.is_flush_due(99));
    assert!(log.is_flush_due(100));
    append(&mut log, spec(0));
    assert!(log.is_flush_due(0));
    let plan = log.plan_flush(log.log_end_offset()).unwrap();
    append(&mut log, spec(0));
    plan.run().unwrap();
    log.note_flushed(&plan, 50);
    assert_eq!(log.recovery_point(), 4);
    assert!(!log.is_flush_due(149));
    // A truncation in between makes the flush void.
    let plan = log.plan_flush(log.log_end_offset()).unwrap();
    log.truncate_to(2, 0).unwrap();
    plan.run().unwrap();
    log.note_flushed(&plan, 60);
    assert_eq!(log.recovery_point(), 2);
}

#[test]
fn a_preallocated_segment_shows_its_logical_size() {
    let dir = TempDir::new();
    let config = LogConfig {
        preallocate: true,
        segment_bytes: 1 << 20,
        ..LogConfig::default()
    };
    let mut log = open(&dir.0, config.clone());
    let info = append(&mut log, spec(0));
    assert_eq!(info.first_offset, 0);
    let file = log.dir().join("00000000000000000000.log");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 1 << 20);
    assert!(log.size() < 1000);
    let size = log.size();
    drop(log);
    let mut log = Log::open(options(Arc::new(RealDisk), &dir.0, config), 0).unwrap();
    assert_eq!((log.size(), log.log_end_offset()), (size, 2));
    log.close(0).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().len(), size);
}

#[test]
fn what_was_dropped_from_the_cache_is_cold() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    append(
        &mut log,
        Spec {
            value_size: 500_000,
            ..spec(0)
        },
    );
    log.flush(0).unwrap();
    let plan = log.locate(&request(0)).unwrap();
    let hot = || matches!(plan.run(ReadMode::NoWait, 1000).unwrap(), ReadOutcome::Data(_));
    assert!(hot());
    let file = std::fs::File::open(log.dir().join("00000000000000000000.log")).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    assert!(!hot());
    // Who may wait warms it for all.
    assert!(matches!(
        plan.run(ReadMode::Blocking, 1000).unwrap(),
        ReadOutcome::Data(_)
    ));
    assert!(hot());
}

fn delete_all_old_segments(log: &mut Log, high_watermark: i64, now_ms: i64) {
    while log.delete_old_segments(high_watermark, now_ms).unwrap() > 0 {}
}
