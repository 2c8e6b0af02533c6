//! Commits and removals that are too large for one batch, or would be far too large for memory.

use super::shell::{MemoryLog, fetch, loaded, simple_commit, start};
use super::*;

/// As large as the log takes by default.
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// The longest name that the wire can carry in every version.
fn long_group_id() -> String {
    "g".repeat(i16::MAX as usize)
}

fn commit_of(partitions: std::ops::Range<i32>) -> OffsetCommit {
    OffsetCommit {
        offsets: partitions
            .map(|partition| simple_commit(partition, 1, "").offsets.remove(0))
            .collect(),
        ..simple_commit(0, 0, "")
    }
}

/// The size of each batch of the log, uncompressed.
fn inflated_sizes(log: &MemoryLog) -> Vec<usize> {
    let partitions = log.partitions.lock();
    let size = |(_, batch): &(i64, Bytes)| {
        let batch = protocol::records::RecordBatch::parse(batch).expect("it is a batch");
        batch.inflate(usize::MAX).expect("it was made here").len()
    };
    partitions.values().flatten().map(size).collect()
}

#[tokio::test]
async fn a_commit_that_would_be_huge_is_refused_unmade() {
    let log = MemoryLog::new();
    *log.max_batch_bytes.lock() = MAX_BATCH_BYTES;
    let coordinator = start(&log);
    loaded(&coordinator).await;
    // Compressed, a batch of these 64 MiB would be small enough for the log.
    let refused = coordinator.commit_offsets(&long_group_id(), commit_of(0..2_000)).await;
    let refused = refused.expect("an answer for each");
    assert!(refused.iter().all(|r| *r == Err(Rejection::InvalidCommitOffsetSize)));
    assert_eq!(inflated_sizes(&log), Vec::<usize>::new());
    let taken = coordinator.commit_offsets("short", commit_of(0..2_000)).await;
    assert_eq!(taken, Ok(vec![Ok(()); 2_000]));
}

#[tokio::test]
async fn what_would_be_huge_is_removed_in_pieces() {
    let log = MemoryLog::new();
    *log.max_batch_bytes.lock() = MAX_BATCH_BYTES;
    let coordinator = start(&log);
    loaded(&coordinator).await;
    let group_id = long_group_id();
    for first in (0..1_200).step_by(100) {
        let taken = coordinator
            .commit_offsets(&group_id, commit_of(first..first + 100))
            .await;
        assert_eq!(taken, Ok(vec![Ok(()); 100]));
    }
    let deleted: Vec<_> = commit_of(0..600).offsets.into_iter().map(|(of, _)| of).collect();
    assert_eq!(
        coordinator.delete_offsets(&group_id, &deleted).await,
        Ok(vec![Ok(()); 600])
    );
    assert_eq!(fetch(&coordinator, &group_id).map(|left| left.len()), Ok(600));
    assert_eq!(coordinator.delete_group(&group_id).await, Ok(()));
    let largest = inflated_sizes(&log).into_iter().max();
    assert!(largest <= Some(16 * MAX_BATCH_BYTES), "{largest:?}");
    let reloaded = start(&log);
    loaded(&reloaded).await;
    assert_eq!(fetch(&reloaded, &group_id), Ok(Vec::new()));
}

#[test]
fn a_size_is_known_before_anything_is_encoded() {
    let value = |metadata: &str, expire_timestamp_ms| OffsetAndMetadata {
        offset: 1,
        leader_epoch: Some(1),
        metadata: Box::from(metadata),
        commit_timestamp_ms: 1,
        expire_timestamp_ms,
    };
    let size = |group_id: &str, record: &Record| {
        let encoded = encode(group_id, record).expect("it is short");
        encoded.key.len() + encoded.value.map_or(0, |value| value.len())
    };
    for value in [
        None,
        Some(value("", None)),
        Some(value("metadata", None)),
        Some(value("m", Some(1))),
    ] {
        let record = Record::Offset {
            topic: Arc::from("topic"),
            partition: 1,
            value,
        };
        assert_eq!(
            record::size_in_bytes("group", &record),
            size("group", &record),
            "{record:?}"
        );
    }
    let mut driver = Driver::new(config());
    driver.stable_consumer(&["t", "u"]);
    let record = driver.log.last().expect("the generation is written");
    assert!(matches!(record, Record::Group(Some(_))), "{record:?}");
    let (at_least, actual) = (record::size_in_bytes("g", record), size("g", record));
    assert!(at_least <= actual && actual < at_least + 100, "{at_least} {actual}");
}

#[tokio::test]
async fn a_commit_that_is_too_large_does_not_harm_its_neighbours() {
    let log = MemoryLog::new();
    let coordinator = start(&log);
    loaded(&coordinator).await;
    *log.max_batch_bytes.lock() = 400;
    let large = OffsetCommit {
        offsets: (0..200)
            .map(|partition| simple_commit(partition, 1, "").offsets.remove(0))
            .collect(),
        ..simple_commit(0, 0, "")
    };
    // The same group, so the same partition, and one after another before the writer looks.
    let (before, refused, after) = tokio::join!(
        coordinator.commit_offsets("g", simple_commit(1, 1, "")),
        coordinator.commit_offsets("g", large),
        coordinator.commit_offsets("g", simple_commit(2, 2, "")),
    );
    assert_eq!((before, after), (Ok(vec![Ok(())]), Ok(vec![Ok(())])));
    let refused = refused.expect("an answer for each");
    assert!(refused.iter().all(|r| *r == Err(Rejection::InvalidCommitOffsetSize)));
    assert_eq!(fetch(&coordinator, "g"), Ok(vec![(1, 1), (2, 2)]));
}

#[tokio::test]
async fn a_group_too_large_for_one_batch_is_deleted_in_several() {
    let log = MemoryLog::new();
    let coordinator = start(&log);
    loaded(&coordinator).await;
    for partition in 0..100 {
        let commit = simple_commit(partition, 1, "");
        assert_eq!(coordinator.commit_offsets("g", commit).await, Ok(vec![Ok(())]));
    }
    let batches = || log.partitions.lock().values().map(Vec::len).sum::<usize>();
    let before = batches();
    *log.max_batch_bytes.lock() = 200;
    assert_eq!(coordinator.delete_group("g").await, Ok(()));
    assert!(batches() > before + 1, "one batch took them all");
    let reloaded = start(&log);
    loaded(&reloaded).await;
    assert_eq!(fetch(&reloaded, "g"), Ok(Vec::new()));
}
