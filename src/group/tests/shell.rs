//! The coordinator over a log in memory.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::compression::CompressionType;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::*;

/// `__consumer_offsets` with as many partitions as there are numbers.
pub struct MemoryLog {
    pub partitions: Mutex<HashMap<i32, Vec<(i64, Bytes)>>>,
    /// What the next appends are refused with.
    refusal: Mutex<Option<OffsetsLogError>>,
    pub max_batch_bytes: Mutex<usize>,
    /// While false, nothing is committed or read.
    open: watch::Sender<bool>,
}

impl MemoryLog {
    pub fn new() -> Arc<Self> {
        Arc::new(MemoryLog {
            partitions: Mutex::default(),
            refusal: Mutex::default(),
            max_batch_bytes: Mutex::new(usize::MAX),
            open: watch::channel(true).0,
        })
    }

    async fn opened(&self) {
        self.open
            .subscribe()
            .wait_for(|open| *open)
            .await
            .expect("the log lives");
    }

    fn end(&self, partition: i32) -> i64 {
        self.partitions
            .lock()
            .get(&partition)
            .and_then(|batches| batches.last())
            .map_or(0, |(next, _)| *next)
    }
}

impl OffsetsLog for MemoryLog {
    fn partition_count(&self) -> Option<i32> {
        None
    }

    fn max_batch_bytes(&self, _partition: i32) -> Result<usize, OffsetsLogError> {
        Ok(*self.max_batch_bytes.lock())
    }

    fn append(
        &self,
        LedPartition { partition, .. }: LedPartition,
        batch: Bytes,
    ) -> BoxFuture<'_, Result<i64, OffsetsLogError>> {
        Box::pin(async move {
            if let Some(refusal) = *self.refusal.lock() {
                return Err(refusal);
            }
            if batch.len() > *self.max_batch_bytes.lock() {
                return Err(OffsetsLogError::TooLarge);
            }
            let base_offset = self.end(partition);
            let mut batch = batch.to_vec();
            protocol::records::set_base_offset(&mut batch, base_offset);
            let next = protocol::records::RecordBatch::parse(&batch)
                .expect("it is a batch")
                .next_offset();
            self.partitions
                .lock()
                .entry(partition)
                .or_default()
                .push((next, Bytes::from(batch)));
            Ok(base_offset)
        })
    }

    fn committed(
        &self,
        LedPartition { partition, .. }: LedPartition,
        _offset: i64,
    ) -> BoxFuture<'_, Result<i64, OffsetsLogError>> {
        Box::pin(async move {
            self.opened().await;
            Ok(self.end(partition))
        })
    }

    fn bounds(&self, partition: i32) -> Result<(i64, i64), OffsetsLogError> {
        Ok((0, self.end(partition)))
    }

    fn read(&self, partition: i32, offset: i64, max_bytes: usize) -> BoxFuture<'_, Result<Bytes, OffsetsLogError>> {
        Box::pin(async move {
            self.opened().await;
            let partitions = self.partitions.lock();
            let batches = partitions.get(&partition).map(Vec::as_slice).unwrap_or_default();
            let mut read = Vec::new();
            for (_, batch) in batches.iter().filter(|(next, _)| *next > offset) {
                if !read.is_empty() && read.len() + batch.len() > max_bytes {
                    break;
                }
                read.extend_from_slice(batch);
            }
            Ok(Bytes::from(read))
        })
    }
}

pub fn start(log: &Arc<MemoryLog>) -> GroupCoordinator {
    start_with(log, 60_000)
}

fn start_with(log: &Arc<MemoryLog>, commit_timeout_ms: u64) -> GroupCoordinator {
    start_within(log, commit_timeout_ms, GROUP_MEMORY_BYTES)
}

pub fn start_within(log: &Arc<MemoryLog>, commit_timeout_ms: u64, memory_bytes: usize) -> GroupCoordinator {
    let config = CoordinatorConfig {
        group: GroupConfig {
            min_session_timeout_ms: 1,
            initial_rebalance_delay_ms: 0,
            ..config()
        },
        offsets_topic_partitions: 4,
        commit_timeout_ms,
        retention_check_interval_ms: 3_600_000,
        load_buffer_bytes: 64,
        compression: CompressionType::Lz4,
        memory_bytes,
    };
    let coordinator = GroupCoordinator::start(config, log.clone(), || [7; 16], Handle::current(), &Handle::current());
    (0..4).for_each(|partition| coordinator.on_elected(partition, 0));
    coordinator
}

pub async fn until<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(value) = ready() {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub async fn loaded(coordinator: &GroupCoordinator) {
    until(|| coordinator.list().is_ok_and(|(_, loading)| !loading).then_some(())).await;
}

pub fn simple_commit(partition: i32, offset: i64, metadata: &str) -> OffsetCommit {
    let value = OffsetAndMetadata {
        offset,
        leader_epoch: None,
        metadata: Box::from(metadata),
        commit_timestamp_ms: crate::clock::now_ms(),
        expire_timestamp_ms: None,
    };
    let offsets = vec![(
        TopicPartition {
            topic: Arc::from("t"),
            partition,
        },
        value,
    )];
    OffsetCommit {
        member_id: Arc::from(""),
        instance_id: None,
        generation_id: -1,
        offsets,
    }
}

pub fn fetch(coordinator: &GroupCoordinator, group_id: &str) -> Result<Vec<(i32, i64)>, Rejection> {
    let fetched = coordinator.fetch_offsets(group_id, None, false)?;
    let offset = |fetched: FetchedOffset| {
        fetched
            .offset
            .ok()
            .flatten()
            .map(|value| (fetched.partition.partition, value.offset))
    };
    Ok(fetched.into_iter().filter_map(offset).collect())
}

pub async fn join_alone(coordinator: &GroupCoordinator, group_id: &str, session_timeout_ms: i32) -> Arc<str> {
    let member_id = coordinator.new_member_id("c");
    let waiter = coordinator.next_waiter();
    let join = Join {
        new_member_id: member_id.clone(),
        session_timeout_ms,
        waiter,
        ..join_as("c")
    };
    let joined = coordinator.join(group_id, join).await;
    assert_eq!((joined.error, joined.leader), (None, Some(member_id.clone())));
    let assignments = BTreeMap::from([(member_id.clone(), Bytes::from_static(b"all"))]);
    let waiter = coordinator.next_waiter();
    let synced = coordinator.sync(
        group_id,
        Sync {
            assignments,
            waiter,
            ..sync_of(&member_id, joined.generation_id)
        },
    );
    let synced = synced.await;
    assert_eq!((synced.error, &synced.assignment[..]), (None, &b"all"[..]));
    member_id
}

#[tokio::test]
async fn a_restart_finds_everything_in_the_log() {
    let log = MemoryLog::new();
    let coordinator = start(&log);
    loaded(&coordinator).await;
    let mut members = Vec::new();
    for group in 0..20 {
        let group_id = format!("group-{group}");
        for partition in 0..3 {
            let commit = simple_commit(partition, i64::from(partition) + group, "");
            assert_eq!(coordinator.commit_offsets(&group_id, commit).await, Ok(vec![Ok(())]));
        }
        members.push(join_alone(&coordinator, &group_id, 60_000).await);
    }
    assert_eq!(coordinator.delete_group("group-0").await, Err(Rejection::NonEmptyGroup));
    let leaver = Leaver {
        member_id: members[0].clone(),
        instance_id: None,
    };
    assert_eq!(coordinator.leave("group-0", &[leaver]), Ok(vec![Ok(())]));
    assert_eq!(coordinator.delete_group("group-0").await, Ok(()));
    drop(coordinator);

    let coordinator = start(&log);
    loaded(&coordinator).await;
    assert_eq!(coordinator.counts(), (19, 57));
    assert_eq!(fetch(&coordinator, "group-0"), Ok(vec![]));
    for group in 1..20 {
        let group_id = format!("group-{group}");
        assert_eq!(
            fetch(&coordinator, &group_id),
            Ok(vec![(0, group), (1, group + 1), (2, group + 2)])
        );
        let description = coordinator.describe(&group_id).expect("it is served here");
        assert_eq!(description.state, GroupState::Stable);
        assert_eq!(&description.members[0].assignment[..], b"all");
        assert_eq!(
            coordinator.heartbeat(&group_id, &members[group as usize], None, 1),
            Ok(())
        );
    }
}

#[tokio::test]
async fn nothing_is_served_while_the_log_is_read() {
    let log = MemoryLog::new();
    {
        let coordinator = start(&log);
        loaded(&coordinator).await;
        coordinator
            .commit_offsets("g", simple_commit(0, 1, ""))
            .await
            .expect("it is served here");
    }
    log.open.send_replace(false);
    let coordinator = start(&log);
    assert_eq!(fetch(&coordinator, "g"), Err(Rejection::CoordinatorLoadInProgress));
    assert_eq!(coordinator.describe("g"), Err(Rejection::CoordinatorLoadInProgress));
    assert_eq!(
        coordinator.heartbeat("g", "m", None, 1),
        Ok(()),
        "the session begins later"
    );
    let member_id: Arc<str> = Arc::from("m");
    let synced = coordinator.sync("g", sync_of(&member_id, 1)).await;
    assert_eq!(synced.error, Some(Rejection::RebalanceInProgress));
    log.open.send_replace(true);
    loaded(&coordinator).await;
    assert_eq!(fetch(&coordinator, "g"), Ok(vec![(0, 1)]));
}

#[tokio::test]
async fn what_is_refused_for_itself_keeps_its_error_when_nothing_can_be_written() {
    let log = MemoryLog::new();
    let coordinator = start(&log);
    loaded(&coordinator).await;
    *log.refusal.lock() = Some(OffsetsLogError::NotEnoughReplicas);
    let mut commit = simple_commit(0, 1, "");
    commit.offsets.extend(simple_commit(1, 1, &"m".repeat(5_000)).offsets);
    assert_eq!(
        coordinator.commit_offsets("g", commit).await,
        Ok(vec![
            Err(Rejection::CoordinatorNotAvailable),
            Err(Rejection::OffsetMetadataTooLarge)
        ])
    );
}

#[tokio::test]
async fn what_is_not_led_here_is_not_served_here() {
    let log = MemoryLog::new();
    let coordinator = start(&log);
    loaded(&coordinator).await;
    let partition = coordinator.partition_for("g");
    let waiter = coordinator.next_waiter();
    let first = join_alone(&coordinator, "g", 60_000).await;
    let parked = coordinator.join("g", Join { waiter, ..join_as("d") });
    let resigned = async {
        until(|| (coordinator.describe("g").ok()?.members.len() == 2).then_some(())).await;
        coordinator.on_resigned(partition, Some(-1));
        assert_eq!(
            coordinator.heartbeat("g", &first, None, 1),
            Err(Rejection::RebalanceInProgress),
            "a late message"
        );
        coordinator.on_resigned(partition, Some(1));
    };
    let (answer, ()) = tokio::join!(parked, resigned);
    assert_eq!(answer.error, Some(Rejection::NotCoordinator));
    assert_eq!(
        coordinator.heartbeat("g", &first, None, 1),
        Err(Rejection::NotCoordinator)
    );
    assert_eq!(
        coordinator.commit_offsets("g", simple_commit(0, 1, "")).await,
        Err(Rejection::NotCoordinator)
    );
    coordinator.on_elected(partition, 2);
    loaded(&coordinator).await;
    assert_eq!(
        coordinator.heartbeat("g", &first, None, 1),
        Ok(()),
        "the log has kept it"
    );
    coordinator.stop();
    assert_eq!(coordinator.describe("g"), Err(Rejection::CoordinatorNotAvailable));
}

#[tokio::test]
async fn an_answer_waits_for_the_high_watermark() {
    let log = MemoryLog::new();
    let coordinator = Arc::new(start(&log));
    loaded(&coordinator).await;
    log.open.send_replace(false);
    let committing = tokio::spawn({
        let coordinator = coordinator.clone();
        async move { coordinator.commit_offsets("g", simple_commit(0, 5, "")).await }
    });
    until(|| (log.end(coordinator.partition_for("g")) == 1).then_some(())).await;
    assert_eq!(fetch(&coordinator, "g"), Ok(vec![]));
    assert!(!committing.is_finished());
    log.open.send_replace(true);
    assert_eq!(committing.await.expect("it does not panic"), Ok(vec![Ok(())]));
    assert_eq!(fetch(&coordinator, "g"), Ok(vec![(0, 5)]));
}

#[tokio::test]
async fn a_commit_that_takes_too_long_counts_when_it_is_committed() {
    let log = MemoryLog::new();
    let coordinator = start_with(&log, 1);
    loaded(&coordinator).await;
    log.open.send_replace(false);
    assert_eq!(
        coordinator.commit_offsets("g", simple_commit(0, 5, "")).await,
        Ok(vec![Err(Rejection::RequestTimedOut)])
    );
    assert_eq!(fetch(&coordinator, "g"), Ok(vec![]));
    log.open.send_replace(true);
    until(|| (fetch(&coordinator, "g") == Ok(vec![(0, 5)])).then_some(())).await;
}

#[tokio::test]
async fn errors_of_the_log_become_those_of_the_request() {
    let log = MemoryLog::new();
    let coordinator = start(&log);
    loaded(&coordinator).await;
    for (refusal, commit, group) in [
        (
            OffsetsLogError::UnknownPartition,
            Rejection::CoordinatorNotAvailable,
            Rejection::CoordinatorNotAvailable,
        ),
        (
            OffsetsLogError::NotEnoughReplicas,
            Rejection::CoordinatorNotAvailable,
            Rejection::CoordinatorNotAvailable,
        ),
        (
            OffsetsLogError::NotLeader,
            Rejection::NotCoordinator,
            Rejection::NotCoordinator,
        ),
        (
            OffsetsLogError::Storage,
            Rejection::NotCoordinator,
            Rejection::NotCoordinator,
        ),
        (
            OffsetsLogError::TooLarge,
            Rejection::InvalidCommitOffsetSize,
            Rejection::UnknownServerError,
        ),
        (
            OffsetsLogError::Refused,
            Rejection::UnknownServerError,
            Rejection::UnknownServerError,
        ),
    ] {
        *log.refusal.lock() = Some(refusal);
        assert_eq!(
            coordinator.commit_offsets("simple", simple_commit(0, 1, "")).await,
            Ok(vec![Err(commit)])
        );
        let member_id = coordinator.new_member_id(&format!("{refusal:?}"));
        let group_id = format!("g-{refusal:?}");
        let waiter = coordinator.next_waiter();
        let join = Join {
            new_member_id: member_id.clone(),
            waiter,
            ..join_as("c")
        };
        assert_eq!(coordinator.join(&group_id, join).await.error, None);
        let waiter = coordinator.next_waiter();
        let synced = coordinator
            .sync(
                &group_id,
                Sync {
                    waiter,
                    ..sync_of(&member_id, 1)
                },
            )
            .await;
        assert_eq!(synced.error, Some(group));
        assert_eq!(
            coordinator.heartbeat(&group_id, &member_id, None, 1),
            Err(Rejection::RebalanceInProgress)
        );
    }
}

#[tokio::test]
async fn a_silent_member_is_removed_in_time() {
    let log = MemoryLog::new();
    let coordinator = start(&log);
    loaded(&coordinator).await;
    join_alone(&coordinator, "g", 20).await;
    until(|| (coordinator.describe("g").ok()?.state == GroupState::Empty).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_leave_what_the_log_says() {
    let log = MemoryLog::new();
    let coordinator = Arc::new(start(&log));
    loaded(&coordinator).await;
    let tasks: Vec<_> = (0..32)
        .map(|task: i64| {
            let coordinator = coordinator.clone();
            tokio::spawn(async move {
                let group_id = format!("g{}", task % 8);
                for round in 0..50 {
                    let commit = simple_commit(task as i32 % 3, task * 1000 + round, "");
                    assert_eq!(coordinator.commit_offsets(&group_id, commit).await, Ok(vec![Ok(())]));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    let seen: Vec<_> = (0..8).map(|group| fetch(&coordinator, &format!("g{group}"))).collect();
    drop(coordinator);
    let coordinator = start(&log);
    loaded(&coordinator).await;
    let reloaded: Vec<_> = (0..8).map(|group| fetch(&coordinator, &format!("g{group}"))).collect();
    assert_eq!(seen, reloaded);
}

#[tokio::test]
async fn requests_for_groups_that_do_not_exist() {
    let log = MemoryLog::new();
    let coordinator = start(&log);
    loaded(&coordinator).await;
    let tp = TopicPartition {
        topic: Arc::from("t"),
        partition: 0,
    };
    assert_eq!(coordinator.heartbeat("", "m", None, 1), Err(Rejection::InvalidGroupId));
    assert_eq!(
        coordinator.heartbeat("g", "m", None, 1),
        Err(Rejection::UnknownMemberId)
    );
    assert_eq!(coordinator.describe("g"), Ok(GroupDescription::dead()));
    assert_eq!(coordinator.delete_group("g").await, Err(Rejection::GroupIdNotFound));
    assert_eq!(
        coordinator.delete_offsets("g", std::slice::from_ref(&tp)).await,
        Err(Rejection::GroupIdNotFound)
    );
    assert_eq!(fetch(&coordinator, ""), Ok(vec![]));
    let nothing = FetchedOffset {
        partition: tp.clone(),
        offset: Ok(None),
    };
    assert_eq!(coordinator.fetch_offsets("g", Some(&[tp]), true), Ok(vec![nothing]));
    let of_member = OffsetCommit {
        generation_id: 3,
        ..simple_commit(0, 1, "")
    };
    assert_eq!(
        coordinator.commit_offsets("g", of_member).await,
        Err(Rejection::IllegalGeneration)
    );
    let waiter = coordinator.next_waiter();
    let join = Join {
        member_id: Arc::from("m"),
        waiter,
        ..join_as("c")
    };
    assert_eq!(
        coordinator.join("g", join).await.error,
        Some(Rejection::UnknownMemberId)
    );
    assert_eq!(coordinator.counts(), (0, 0), "asking creates nothing");
}
