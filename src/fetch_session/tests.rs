//! What a session reads, and who gets a session.

use protocol::wire::Chunk;

use super::*;

const CONSUMER: FetchReader = FetchReader {
    replica_id: -1,
    read_committed: false,
};
const FOLLOWER: FetchReader = FetchReader {
    replica_id: 2,
    read_committed: false,
};
const LATER_MS: i64 = 1_000_000;

fn wanted(partition: i32) -> FetchPartition {
    FetchPartition {
        slot: partition as Slot,
        topic: TopicKey::Name(Utf8Bytes::from_static("t")),
        partition,
        fetch_offset: 0,
        max_bytes: 1_000,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        log_start_offset: -1,
    }
}

/// A read at the end of a partition.
fn at_end(wanted: &FetchPartition, waiters: &Arc<Waiters>) -> PartitionAnswer {
    PartitionAnswer {
        topic: wanted.topic.clone(),
        slot: wanted.slot,
        data: PartitionData {
            partition_index: wanted.partition,
            records: Some(Chunk::Memory(bytes::Bytes::new())),
            ..Default::default()
        },
        watched: Some(Watched {
            waiters: waiters.clone(),
            seen: Seen {
                mark: waiters.mark(),
                readable_bytes: 0,
                max_bytes: i64::from(wanted.max_bytes),
                to_log_end: false,
            },
            is_at_end: true,
        }),
    }
}

fn request(id: i32, epoch: i32) -> SessionRequest {
    SessionRequest {
        version: 12,
        id,
        epoch,
        reader: CONSUMER,
        partitions: Vec::new(),
        forgotten: Vec::new(),
    }
}

struct Bench {
    cache: FetchSessionCache,
    partitions: Vec<Arc<Waiters>>,
}

impl Bench {
    fn new(slots: usize, partitions: usize) -> Self {
        Self {
            cache: FetchSessionCache::new(slots),
            partitions: (0..partitions).map(|_| Arc::default()).collect(),
        }
    }

    fn open(&self, reader: FetchReader, size: usize, id: u32, now_ms: i64) -> i32 {
        let partitions: Vec<_> = (0..size as i32).map(wanted).collect();
        let mut answers: Vec<_> = partitions.iter().map(|w| self.read(w)).collect();
        let full = SessionRequest {
            reader,
            partitions,
            ..request(INVALID_SESSION_ID, INITIAL_EPOCH)
        };
        let context = self.cache.context(full, now_ms);
        self.cache.finish(context, &mut answers, now_ms, &mut || id).1
    }

    fn read(&self, wanted: &FetchPartition) -> PartitionAnswer {
        at_end(wanted, &self.partitions[wanted.partition as usize])
    }

    fn incremental(&self, request: SessionRequest) -> (Arc<FetchSession>, i32) {
        match self.cache.context(request, LATER_MS) {
            FetchContext::Incremental { session, epoch } => (session, epoch),
            FetchContext::Error(error) => panic!("{error:?}"),
            _ => panic!("a session goes on"),
        }
    }

    /// What a request reads, by number; what it read is settled.
    fn reads(&self, request: SessionRequest) -> Vec<i32> {
        let (session, epoch) = self.incremental(request);
        let collected = session.collect(epoch).expect("no other request");
        let mut answers: Vec<_> = collected.partitions.iter().map(|w| self.read(w)).collect();
        session.finish(epoch, &mut answers);
        collected.partitions.iter().map(|w| w.partition).collect()
    }

    fn error(&self, request: SessionRequest) -> ErrorCode {
        match self.cache.context(request, LATER_MS) {
            FetchContext::Error(error) => error,
            _ => ErrorCode::NONE,
        }
    }
}

#[test]
fn a_request_reads_what_changed_and_not_what_is_assigned() {
    let bench = Bench::new(1_000, 10_000);
    let id = bench.open(CONSUMER, 10_000, 7, 0);
    assert!(bench.reads(request(id, 1)).is_empty());
    bench.partitions[4_321].became_readable(100, false);
    bench.partitions[4_321].became_readable(100, false);
    assert_eq!(bench.reads(request(id, 2)), [4_321]);
    bench.partitions[17].changed();
    let named = SessionRequest {
        partitions: vec![wanted(3)],
        ..request(id, 3)
    };
    assert_eq!(bench.reads(named), [3, 17]);
    assert!(bench.reads(request(id, 4)).is_empty());
}

#[test]
fn a_fetch_is_woken_by_partitions_that_its_request_did_not_read() {
    let bench = Bench::new(1_000, 100);
    let id = bench.open(CONSUMER, 100, 7, 0);
    let (session, epoch) = bench.incremental(request(id, 1));
    let collected = session.collect(epoch).expect("no other request");
    assert!(collected.partitions.is_empty() && collected.has_others);
    bench.partitions[1].became_readable(30, false);
    let waiter = session.park(epoch, &[], 100).expect("no other request");
    bench.partitions[2].became_readable(30, false);
    assert_eq!(waiter.due(epoch), None);
    bench.partitions[3].became_readable(40, false);
    assert_eq!(waiter.due(epoch), Some(crate::partition::Wake::Complete));
    let collected = session.collect(epoch).expect("no other request");
    assert_eq!(
        collected.partitions.iter().map(|w| w.partition).collect::<Vec<_>>(),
        [1, 2, 3]
    );
}

#[test]
fn another_reader_reads_everything_again() {
    let bench = Bench::new(1_000, 3);
    let id = bench.open(CONSUMER, 3, 7, 0);
    let committed = SessionRequest {
        reader: FetchReader {
            read_committed: true,
            ..CONSUMER
        },
        ..request(id, 1)
    };
    assert_eq!(bench.reads(committed), [0, 1, 2]);
}

#[test]
fn partitions_forget_a_session_that_is_closed_and_what_a_session_forgets() {
    let bench = Bench::new(1_000, 3);
    let id = bench.open(CONSUMER, 3, 7, 0);
    let registered = || bench.partitions.iter().map(|w| w.registered()).collect::<Vec<_>>();
    assert_eq!(registered(), [1, 1, 1]);
    let forgets = SessionRequest {
        forgotten: vec![(wanted(1).topic, 1)],
        ..request(id, 1)
    };
    assert!(bench.reads(forgets).is_empty());
    assert_eq!((registered(), bench.cache.partitions()), (vec![1, 0, 1], 2));
    bench.cache.context(request(id, FINAL_EPOCH), 0);
    assert_eq!((registered(), bench.cache.partitions()), (vec![0, 0, 0], 0));
}

#[test]
fn the_request_that_was_taken_over_answers_nothing_and_settles_nothing() {
    let bench = Bench::new(1_000, 2);
    let id = bench.open(CONSUMER, 2, 7, 0);
    bench.partitions[0].became_readable(10, false);
    let (session, first) = bench.incremental(request(id, 1));
    let collected = session.collect(first).expect("no other request");
    let mut answers: Vec<_> = collected.partitions.iter().map(|w| bench.read(w)).collect();
    let (_, second) = bench.incremental(request(id, 2));
    assert!(session.park(first, &answers, 100).is_none() && session.collect(first).is_none());
    assert_eq!(
        session.finish(first, &mut answers),
        ErrorCode::INVALID_FETCH_SESSION_EPOCH
    );
    assert!(answers.is_empty());
    let collected = session.collect(second).expect("no other request");
    assert_eq!(
        collected.partitions.iter().map(|w| w.partition).collect::<Vec<_>>(),
        [0]
    );
}

#[test]
fn beyond_the_budget_of_partitions_there_is_no_session() {
    let bench = Bench::new(2, 2 * PARTITIONS_PER_SLOT + 1);
    assert_eq!(
        bench.open(CONSUMER, 2 * PARTITIONS_PER_SLOT + 1, 1, 0),
        INVALID_SESSION_ID
    );
    assert_eq!(bench.open(CONSUMER, 2 * PARTITIONS_PER_SLOT - 1, 2, 0), 2);
    assert_eq!(
        bench.open(CONSUMER, 2, 3, 0),
        INVALID_SESSION_ID,
        "a slot is free, but no room"
    );
    assert_eq!(bench.open(CONSUMER, 1, 3, 0), 3);
    assert_eq!(bench.cache.partitions(), 2 * PARTITIONS_PER_SLOT);
}

#[test]
fn a_session_that_outgrows_the_budget_is_closed() {
    let bench = Bench::new(1, PARTITIONS_PER_SLOT + 1);
    let id = bench.open(CONSUMER, PARTITIONS_PER_SLOT, 1, 0);
    let again = SessionRequest {
        partitions: vec![wanted(1), wanted(2)],
        ..request(id, 1)
    };
    assert_eq!(bench.reads(again), [1, 2], "these it has already");
    let more = SessionRequest {
        partitions: vec![wanted(PARTITIONS_PER_SLOT as i32)],
        ..request(id, 2)
    };
    assert_eq!(bench.error(more), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!((bench.cache.len(), bench.cache.partitions()), (0, 0));
}

#[test]
fn a_full_cache_takes_in_who_is_worth_more_and_evicts_nobody_in_vain() {
    let bench = Bench::new(2, 2 * PARTITIONS_PER_SLOT);
    assert_eq!(bench.open(FOLLOWER, 10, 1, LATER_MS), 1);
    assert_eq!(bench.open(CONSUMER, 5, 2, LATER_MS), 2);
    assert_eq!(bench.open(CONSUMER, 9, 3, LATER_MS), INVALID_SESSION_ID, "both are new");
    // One consumer's session would go, but that is not room enough beside the other follower's.
    assert_eq!(
        bench.open(FOLLOWER, 2 * PARTITIONS_PER_SLOT - 9, 3, LATER_MS),
        INVALID_SESSION_ID
    );
    assert_eq!(bench.cache.len(), 2);
    assert_eq!(bench.open(FOLLOWER, 3, 3, LATER_MS), 3);
    assert_eq!((bench.cache.len(), bench.cache.partitions()), (2, 13));
    // The longest unused one gives way to anybody.
    assert_eq!(bench.open(CONSUMER, 1, 4, 3 * LATER_MS), 4);
    assert_eq!(bench.cache.len(), 2);
}

#[test]
fn a_session_is_found_by_its_id_its_epoch_and_its_kind_of_names() {
    let bench = Bench::new(1, 1);
    let id = bench.open(CONSUMER, 1, 5, 0);
    assert_eq!(bench.error(request(id + 1, 1)), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(bench.error(request(id, 2)), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    let by_id = SessionRequest {
        version: 13,
        ..request(id, 1)
    };
    assert_eq!(bench.error(by_id), ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    assert_eq!(bench.error(request(id, 1)), ErrorCode::NONE);
}
