//! What is rebuilt from the log when a partition of `__consumer_offsets` is loaded, and what is not.

use super::shell::{MemoryLog, fetch, loaded, simple_commit, start};
use super::*;

fn led(partition: i32) -> LedPartition {
    LedPartition {
        partition,
        leader_epoch: 0,
    }
}

#[tokio::test]
async fn a_log_that_is_not_understood_is_not_served() {
    let log = MemoryLog::new();
    let mut builder = protocol::records::BatchBuilder::new();
    builder.append(0, Some(b"\0\x01\0\x01g\0\x01t\0\0\0\0"), Some(b"\0\x63new"));
    for partition in 0..4 {
        log.append(led(partition), builder.build().expect("it is small"))
            .await
            .expect("it is open");
    }
    let coordinator = start(&log);
    loaded(&coordinator).await;
    assert_eq!(fetch(&coordinator, "g"), Err(Rejection::CoordinatorNotAvailable));
    assert_eq!(
        coordinator.commit_offsets("g", simple_commit(0, 1, "")).await,
        Err(Rejection::CoordinatorNotAvailable)
    );
}

/// Nobody can say whose it is, and it can be written by anybody who may write to the topic.
#[tokio::test]
async fn a_record_of_which_not_even_the_key_is_understood_is_skipped() {
    let log = MemoryLog::new();
    let mut builder = protocol::records::BatchBuilder::new();
    builder.append(0, Some(b"\0\x01\xff"), Some(b"x"));
    builder.append(0, None, Some(b"x"));
    let garbage = builder.build().expect("it is small");
    for partition in 0..4 {
        log.append(led(partition), garbage.clone()).await.expect("it is open");
    }
    let coordinator = start(&log);
    loaded(&coordinator).await;
    let committed = coordinator.commit_offsets("g", simple_commit(0, 7, "")).await;
    assert_eq!(committed, Ok(vec![Ok(())]));
    let coordinator = start(&log);
    loaded(&coordinator).await;
    assert_eq!(fetch(&coordinator, "g"), Ok(vec![(0, 7)]));
}

#[tokio::test]
async fn a_commit_outlives_an_older_one_of_a_transaction_that_ended_later() {
    let record = |offset| Record::Offset {
        topic: Arc::from("t"),
        partition: 0,
        value: Some(OffsetAndMetadata {
            offset,
            leader_epoch: None,
            metadata: Box::default(),
            commit_timestamp_ms: crate::clock::now_ms(),
            expire_timestamp_ms: None,
        }),
    };
    let batch = |offset, transactional: bool| {
        let encoded = encode("g", &record(offset)).expect("short");
        let mut builder = protocol::records::BatchBuilder::new()
            .producer(7, 0, 0)
            .transactional(transactional);
        builder.append(crate::clock::now_ms(), Some(&encoded.key), encoded.value.as_deref());
        builder.build().expect("it is small")
    };
    let end = {
        let mut builder = protocol::records::BatchBuilder::new()
            .producer(7, 0, -1)
            .transactional(true)
            .control(true);
        builder.append(crate::clock::now_ms(), Some(b"\0\0\0\x01"), Some(b"\0\0\0\0\0\0"));
        builder.build().expect("it is small")
    };
    for (batches, expected) in [
        (vec![batch(5, true), batch(9, false), end.clone()], 9),
        (vec![batch(9, false), batch(5, true), end.clone()], 5),
        (vec![batch(5, true), batch(6, true), end], 6),
    ] {
        let log = MemoryLog::new();
        let partition = start(&log).partition_for("g");
        for batch in batches {
            log.append(led(partition), batch).await.expect("it is open");
        }
        let coordinator = start(&log);
        loaded(&coordinator).await;
        assert_eq!(fetch(&coordinator, "g"), Ok(vec![(0, expected)]));
    }
}

/// `__consumer_offsets-47` of Apache Kafka 3.9.1 as a static console consumer left it when both were killed: an offset
/// of every partition of `t`, and the member itself.
const KAFKAS_LOG: &[u8] = include_bytes!("data/kafka-3.9.1-consumer-offsets.log");

#[tokio::test]
async fn what_kafka_has_written_is_read() {
    let log = MemoryLog::new();
    for batch in protocol::records::Batches::new(KAFKAS_LOG) {
        let batch = batch.expect("Kafka wrote it");
        let mut partitions = log.partitions.lock();
        let batches = partitions.entry(3).or_default();
        batches.push((batch.next_offset(), Bytes::copy_from_slice(batch.as_bytes())));
    }
    let coordinator = start(&log);
    assert_eq!(coordinator.partition_for("fixture"), 3);
    loaded(&coordinator).await;
    assert_eq!(fetch(&coordinator, "fixture"), Ok(vec![(0, 50), (1, 0)]));
    let group = coordinator.describe("fixture").expect("it is served here");
    assert_eq!((group.state, &*group.protocol_name), (GroupState::Stable, "range"));
    let member = &group.members[0];
    assert_eq!(
        (member.instance_id.as_deref(), &*member.client_id),
        (Some("static-1"), "console-consumer")
    );
    assert_eq!(
        coordinator.heartbeat("fixture", &member.member_id, Some("static-1"), 1),
        Ok(())
    );
    assert_eq!(
        coordinator.heartbeat("fixture", "another", Some("static-1"), 1),
        Err(Rejection::FencedInstanceId)
    );
}
