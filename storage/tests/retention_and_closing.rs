//! What is done to a log beside appending and reading: retention in rounds, closing.

mod support;

use storage::{AppendError, Log, LogConfig, LogStartOffsetError};
use support::{Spec, TempDir, batch, open, validated};

fn append(log: &mut Log) {
    support::append(log, Spec::default(), 3);
}

fn deleted_files(log: &Log) -> usize {
    let names = std::fs::read_dir(log.dir()).unwrap();
    names
        .filter(|entry| entry.as_ref().unwrap().path().extension() == Some("deleted".as_ref()))
        .count()
}

fn deleting_at_once() -> LogConfig {
    LogConfig {
        segment_bytes: 100,
        retention_bytes: 0,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    }
}

#[test]
fn retention_renames_a_bounded_number_at_once_and_removes_files_without_the_log() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, deleting_at_once());
    for _ in 0..40 {
        append(&mut log);
    }
    let end = log.log_end_offset();
    let mut rounds = Vec::new();
    loop {
        let deleted = log.delete_old_segments(end, 0).unwrap();
        if deleted == 0 {
            break;
        }
        rounds.push(deleted);
    }
    assert_eq!(rounds, [16, 16, 8]);
    let files = log.take_deleted_files(0).unwrap();
    // The log is free for others while they go.
    append(&mut log);
    assert_eq!(deleted_files(&log), 120);
    files.remove().unwrap();
    assert_eq!(deleted_files(&log), 72);
    assert!(log.take_deleted_files(-1).is_none());
}

#[test]
fn a_flush_does_not_miss_segments_that_were_deleted_meanwhile() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, deleting_at_once());
    for _ in 0..5 {
        append(&mut log);
    }
    let plan = log.plan_flush(log.log_end_offset()).unwrap();
    assert!(log.delete_old_segments(log.log_end_offset(), 0).unwrap() > 0);
    log.take_deleted_files(0).unwrap().remove().unwrap();
    plan.run().unwrap();
    log.note_flushed(&plan, 0);
    append(&mut log);
}

#[test]
fn a_closed_log_takes_nothing_more() {
    let dir = TempDir::new();
    let mut log = open(&dir.0, LogConfig::default());
    append(&mut log);
    let late = validated(&log, Spec::default());
    let plan = log.plan_close(0).unwrap().unwrap();
    // What comes between the plan and its end would be neither flushed nor in the snapshot.
    let end = log.log_end_offset();
    let refused = log.append_as_leader(late, 3, 0);
    assert!(matches!(refused, Err(AppendError::Closed { .. })), "{refused:?}");
    let refused = log.append_as_follower(&batch(Spec::default()), i32::MAX, 0);
    assert!(matches!(refused, Err(AppendError::Closed { .. })), "{refused:?}");
    let refused = log.increment_log_start_offset(1, end);
    assert!(
        matches!(refused, Err(LogStartOffsetError::Closed { .. })),
        "{refused:?}"
    );
    plan.run().unwrap();
    log.note_closed(&plan, 0);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, end));
    assert!(log.plan_close(0).unwrap().is_none());
}
