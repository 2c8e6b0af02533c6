//! Idempotence: duplicates are answered with what was stored, gaps and old epochs are refused, and all of it survives restarts.

mod support;

use std::sync::Arc;

use storage::{
    AppendError, AppendInfo, BatchHeader, Log, LogConfig, MAX_PRODUCERS, ProducerState, RealDisk, ValidateOptions,
};
use support::{Spec, TempDir, batch, open, options, validate, validated};

fn append(log: &mut Log, epoch: i16, sequence: i32, records: i32) -> Result<AppendInfo, AppendError> {
    let spec = Spec {
        records,
        producer: (4, epoch, sequence),
        timestamp: 100 + i64::from(sequence),
        ..Spec::default()
    };
    let batch = validated(log, spec);
    log.append_as_leader(batch, 0, 0)
}

fn offsets(result: Result<AppendInfo, AppendError>) -> (i64, i64, bool) {
    let info = result.unwrap();
    (info.first_offset, info.last_offset, info.duplicate)
}

fn is_out_of_order(result: Result<AppendInfo, AppendError>, last: i32) {
    match result {
        Err(AppendError::OutOfOrderSequence { last_sequence, .. }) => assert_eq!(last_sequence, last),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_five_batches_are_recognised() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    for n in 0..7 {
        assert_eq!(
            offsets(append(&mut log, 0, n * 3, 3)),
            (i64::from(n) * 3, i64::from(n) * 3 + 2, false)
        );
    }
    for n in 2..7 {
        let info = append(&mut log, 0, n * 3, 3).unwrap();
        assert_eq!(
            (info.first_offset, info.last_offset, info.duplicate),
            (i64::from(n) * 3, i64::from(n) * 3 + 2, true)
        );
        assert_eq!(info.log_append_time_ms, 100 + i64::from(n) * 3);
    }
    is_out_of_order(append(&mut log, 0, 3, 3), 20);
    // The same sequence with another length is no duplicate.
    is_out_of_order(append(&mut log, 0, 18, 2), 20);
    assert_eq!(log.log_end_offset(), 21);
}

#[test]
fn sequences_have_no_gaps_and_epochs_begin_at_0() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    // Of a producer that is not known any sequence is taken: its records may have been deleted.
    assert_eq!(offsets(append(&mut log, 3, 50, 2)), (0, 1, false));
    is_out_of_order(append(&mut log, 3, 53, 1), 51);
    is_out_of_order(append(&mut log, 3, 51, 1), 51);
    assert_eq!(offsets(append(&mut log, 3, 52, 1)), (2, 2, false));
    is_out_of_order(append(&mut log, 4, 53, 1), 52);
    assert_eq!(offsets(append(&mut log, 4, 0, 1)), (3, 3, false));
    match append(&mut log, 3, 53, 1) {
        Err(AppendError::InvalidProducerEpoch {
            producer_epoch: 3,
            current_epoch: 4,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn sequences_wrap() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    append(&mut log, 0, i32::MAX - 1, 1).unwrap();
    // The last sequence of this batch is 1.
    assert_eq!(offsets(append(&mut log, 0, i32::MAX, 3)), (1, 3, false));
    assert_eq!(offsets(append(&mut log, 0, i32::MAX, 3)), (1, 3, true));
    assert_eq!(offsets(append(&mut log, 0, 2, 1)), (4, 4, false));
}

#[test]
fn what_meets_is_checked_in_order() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            segment_bytes: 400,
            ..LogConfig::default()
        },
    );
    let spec = |sequence| Spec {
        producer: (4, 0, sequence),
        value_size: 100,
        ..Spec::default()
    };
    let batches: Vec<_> = [0, 1, 1, 5, 2, 3, 4]
        .into_iter()
        .map(|sequence| validated(&log, spec(sequence)))
        .collect();
    let results = log.append_all(batches, 0, 0);
    let firsts: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().ok().map(|info| info.first_offset))
        .collect();
    assert_eq!(firsts, [Some(0), Some(1), Some(1), None, Some(2), Some(3), Some(4)]);
    assert!(results[2].as_ref().unwrap().duplicate);
    assert_eq!(
        results
            .iter()
            .filter(|result| result.as_ref().is_ok_and(|info| info.rolled))
            .count(),
        2
    );
    assert_eq!(log.number_of_segments(), 3);
    assert_eq!(log.log_end_offset(), 5);
}

#[test]
fn a_restart_forgets_nothing() {
    for clean_shutdown in [true, false] {
        let dir = TempDir::new();
        let config = LogConfig {
            segment_bytes: 300,
            ..LogConfig::default()
        };
        let mut log = open(&dir.0, config.clone());
        for n in 0..9 {
            append(&mut log, 2, n, 1).unwrap();
        }
        if clean_shutdown {
            log.close(0).unwrap();
        }
        drop(log);
        let mut options = options(Arc::new(RealDisk), &dir.0, config);
        options.clean_shutdown = clean_shutdown;
        let mut log = Log::open(options, 200).unwrap();
        assert_eq!(offsets(append(&mut log, 2, 8, 1)), (8, 8, true));
        is_out_of_order(append(&mut log, 2, 10, 1), 8);
        assert_eq!(offsets(append(&mut log, 2, 9, 1)), (9, 9, false));
    }
}

#[test]
fn retention_and_deletion_of_records_leave_the_producers_alone() {
    let dir = TempDir::new();
    let config = LogConfig {
        segment_bytes: 200,
        retention_bytes: 0,
        retention_ms: -1,
        ..LogConfig::default()
    };
    let mut log = open(&dir.0, config.clone());
    for n in 0..6 {
        append(&mut log, 0, n, 1).unwrap();
    }
    log.increment_log_start_offset(3, 6).unwrap();
    while log.delete_old_segments(6, 0).unwrap() > 0 {}
    assert_eq!(log.log_start_offset(), 6);
    is_out_of_order(append(&mut log, 0, 7, 1), 5);
    log.close(0).unwrap();
    drop(log);
    let mut options = options(Arc::new(RealDisk), &dir.0, config);
    options.clean_shutdown = true;
    options.log_start_offset = 6;
    let mut log = Log::open(options, 200).unwrap();
    is_out_of_order(append(&mut log, 0, 7, 1), 5);
    assert_eq!(offsets(append(&mut log, 0, 6, 1)), (6, 6, false));
}

#[test]
fn idle_producers_are_forgotten() {
    let dir = TempDir::new();
    let mut log = open(
        &dir.0,
        LogConfig {
            producer_id_expiration_ms: 1000,
            ..LogConfig::default()
        },
    );
    append(&mut log, 0, 0, 1).unwrap();
    log.remove_expired_producers(1099);
    assert!(log.producers().entry(4).is_some());
    log.remove_expired_producers(1100);
    assert!(log.producers().is_empty());
}

/// Anybody can make producer ids up; those that write on are not the ones that are forgotten.
#[test]
fn producers_are_not_remembered_without_end() {
    let header = |producer_id, sequence, base_offset| BatchHeader {
        base_offset,
        producer_id,
        base_sequence: sequence,
        producer_epoch: 0,
        ..BatchHeader::parse(&batch(Spec::default())).unwrap()
    };
    let mut producers = ProducerState::new(0);
    let mut offset = 0;
    for made_up in 0..3 * MAX_PRODUCERS as i64 {
        producers.apply(&header(1_000_000 + made_up, 0, offset), None);
        offset += 1;
        if made_up % 1000 == 0 {
            let sequence = (made_up / 1000) as i32;
            let faithful = header(7, sequence, offset);
            assert_eq!(producers.check(&faithful), Ok(()), "after {made_up}");
            producers.apply(&faithful, None);
            offset += 1;
        }
        assert!(producers.active_producers().len() <= MAX_PRODUCERS);
    }
    assert_eq!(producers.entry(7).unwrap().last_sequence(), 149);
    assert!(producers.entry(1_000_000).is_none());
}

#[test]
fn a_transaction_that_nobody_opened_is_refused() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    let mut bytes = bytes::BytesMut::from(
        &batch(Spec {
            producer: (4, 0, 0),
            ..Spec::default()
        })[..],
    );
    bytes[22] |= 0x10;
    protocol::records::update_crc(&mut bytes).unwrap();
    let (partition, config) = (log.partition().clone(), log.config().clone());
    let options = ValidateOptions {
        partition: &partition,
        config: &config,
    };
    let transactional = validate(bytes.freeze(), &options, 0).unwrap();
    let result = log.append_as_leader(transactional, 0, 0);
    assert!(matches!(result, Err(AppendError::InvalidTxnState { .. })), "{result:?}");
    assert_eq!(log.log_end_offset(), 0);
}
