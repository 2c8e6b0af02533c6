//! The log on a real file system, through its public face.

mod support;

use std::sync::Arc;

use protocol::wire::Chunk;
use storage::{Log, LogConfig, ReadMode, ReadOutcome, ReadRequest, RealDisk, ValidateOptions, validate};
use support::{Spec, TempDir, batch, open, options};

fn append(log: &mut Log, spec: Spec) -> storage::AppendInfo {
    let config = log.config().clone();
    let partition = log.partition().clone();
    let options = ValidateOptions {
        partition: &partition,
        config: &config,
        produce_version: 9,
    };
    let batch = validate(batch(spec), &options, spec.timestamp).unwrap();
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
