//! A partition over a real log: who waits for whom, and what reaches the log.

use std::sync::Arc;

use bytes::Bytes;
use config::BrokerConfig;
use controller::{ConfigMap, PartitionState};
use protocol::records::BatchBuilder;
use protocol::wire::{Chunk, Uuid};
use storage::{Disk, LogDir, OnlyBatch, OpenFiles, ReadMode, RealDisk, TopicPartition};

use super::{
    AppendFailure, Appended, DirectoryWriter, FetchWaiter, LeaderAppend, NO_EPOCH, Partition, PartitionRead,
    ReadLimits, Readable, Seen, Wake, nobody_leads,
};
use crate::log_config::PartitionConfig;
use crate::network::RequestPermit;
use crate::replication::ReplicationContext;
use crate::replication::members::ClusterMembers;

mod slow_disk;

const BROKER: i32 = 1;

fn config(overrides: &[(&str, &str)]) -> PartitionConfig {
    let overrides: ConfigMap = overrides
        .iter()
        .map(|(k, v)| ((*k).to_string(), (*v).to_string()))
        .collect();
    PartitionConfig::new(&BrokerConfig::default(), "t", &overrides)
}

fn led_partition(dir: &std::path::Path) -> Arc<Partition> {
    led_partition_on(Arc::new(RealDisk), dir, config(&[]))
}

fn led_partition_on(disk: Arc<dyn Disk>, dir: &std::path::Path, config: PartitionConfig) -> Arc<Partition> {
    let log_dir = LogDir::open(dir, disk, OpenFiles::new(16)).expect("a directory of its own");
    let id = Uuid([7; 16]);
    let log = log_dir
        .create_log(&TopicPartition::new("t", 0), Some(id), config.log.clone(), 0)
        .expect("created");
    let partition = Partition::new(id, BROKER, log, 0, config, Arc::<DirectoryWriter>::default(), alone());
    let led = PartitionState {
        leader: BROKER,
        leader_epoch: controller::LeaderEpoch(0),
        isr: vec![BROKER],
        replicas: vec![BROKER],
        ..nobody_leads(0)
    };
    partition.set_state(led).expect("leads");
    partition
}

/// A leader without followers asks for nothing.
fn alone() -> Arc<ReplicationContext> {
    let (proposing, _) = tokio::sync::mpsc::unbounded_channel();
    Arc::new(ReplicationContext {
        members: Arc::new(ClusterMembers::new(Arc::default())),
        lag_time_max_ms: 30_000,
        proposing,
    })
}

fn batch() -> OnlyBatch {
    let mut builder = BatchBuilder::new();
    builder.append(crate::clock::now_ms(), None, Some(b"value"));
    only(&builder.build().expect("a batch"))
}

fn only(records: &Bytes) -> OnlyBatch {
    OnlyBatch::find(records, 11).expect("one batch")
}

#[tokio::test]
async fn records_stay_in_their_file_where_no_copy_is_wanted() {
    let dir = tempfile::tempdir().expect("a directory");
    let partition = led_partition(dir.path());
    append(&partition).await;
    let read = |sendfile_min_bytes| {
        let limits = ReadLimits {
            fetch_offset: 0,
            max_bytes: 1024,
            min_one_message: true,
            readable: Readable::HighWatermark,
            replica: None,
            from_followers: false,
            current_leader_epoch: NO_EPOCH,
            last_fetched_epoch: NO_EPOCH,
            sendfile_min_bytes,
        };
        let read = partition.read(&limits, ReadMode::Blocking).expect("readable");
        read.expect("not cold").records
    };
    assert!(matches!(read(ReadLimits::SENDFILE_MIN_BYTES), Chunk::Memory(bytes) if !bytes.is_empty()));
    assert!(matches!(read(0), Chunk::File(range) if range.length > 0));
}

#[tokio::test]
async fn an_append_that_met_another_holder_of_the_lock_is_made_when_that_one_lets_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let partition = led_partition(dir.path());
    // What a fetch, a look-up or a checkpoint does.
    let held = partition.log();
    let validated = partition.validate(batch()).expect("valid");
    let appended = std::thread::scope(|scope| {
        scope
            .spawn(|| partition.append_as_leader(validated, &RequestPermit::default()))
            .join()
            .expect("does not panic")
    });
    let Appended::Queued(pending) = appended else {
        panic!("the lock is held: the append must have been queued")
    };
    assert_eq!(held.log_end_offset(), 0);
    drop(held);
    let info = pending.outcome().await.expect("was made").expect("was accepted").info;
    assert_eq!((info.first_offset, info.last_offset), (0, 0));
    assert_eq!(partition.high_watermark(), 1);
}

#[test]
fn a_changed_configuration_reaches_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let partition = led_partition(dir.path());
    partition.set_config(config(&[("retention.ms", "1234"), ("cleanup.policy", "compact")]));
    let log = partition.log();
    assert_eq!(log.config().retention_ms, 1234);
    assert!(!log.config().cleanup_policy.delete);
}

/// The outcome of an append. It is there at once, unless this thread was held up so often that the disk is taken for slow.
async fn outcome(appended: Appended) -> Result<LeaderAppend, AppendFailure> {
    match appended {
        Appended::Done(outcome) => outcome,
        Appended::Queued(pending) => pending.outcome().await.expect("was made"),
    }
}

async fn append(partition: &Partition) -> usize {
    let batch = batch();
    let bytes = batch.size_in_bytes();
    let validated = partition.validate(batch).expect("valid");
    outcome(partition.append_as_leader(validated, &RequestPermit::default()))
        .await
        .expect("was accepted");
    bytes
}

fn read_at(partition: &Partition, fetch_offset: i64, max_bytes: usize) -> PartitionRead {
    let limits = ReadLimits {
        fetch_offset,
        max_bytes,
        min_one_message: false,
        readable: Readable::HighWatermark,
        replica: None,
        from_followers: false,
        current_leader_epoch: NO_EPOCH,
        last_fetched_epoch: NO_EPOCH,
        sendfile_min_bytes: usize::MAX,
    };
    let read = partition.read(&limits, ReadMode::Blocking).expect("readable");
    read.expect("not cold")
}

#[tokio::test]
async fn a_read_tells_what_could_be_read_and_whether_a_later_segment_follows() {
    let dir = tempfile::tempdir().expect("a directory");
    let partition = led_partition(dir.path());
    let two = append(&partition).await + append(&partition).await;
    for max_bytes in [0, 10, 1024] {
        let read = read_at(&partition, 0, max_bytes);
        assert_eq!(
            (read.readable_bytes, read.on_older_segment, read.end_offset),
            (two, false, 2)
        );
    }
    // What has room for two batches and not for three.
    partition.set_config(config(&[("segment.bytes", &(two + 1).to_string())]));
    let third = append(&partition).await;
    let read = read_at(&partition, 0, 1024);
    assert_eq!(
        (read.readable_bytes, read.on_older_segment, read.end_offset),
        (two, true, 3)
    );
    let read = read_at(&partition, 2, 1024);
    assert_eq!((read.readable_bytes, read.on_older_segment), (third, false));
    assert_eq!(read_at(&partition, 3, 1024).readable_bytes, 0);
}

/// A waiter with one slot, settled at the end of the partition.
fn settled(partition: &Partition) -> Arc<FetchWaiter> {
    let waiter = FetchWaiter::new(1);
    waiter.park(i64::MAX);
    let seen = Seen {
        mark: partition.waiters.mark(),
        readable_bytes: 0,
        max_bytes: 1024,
        to_log_end: false,
    };
    assert!(partition.waiters.watch(&waiter, 0, &seen, true));
    waiter
}

#[tokio::test]
async fn whatever_changes_an_answer_marks_who_watches_the_partition() {
    let dir = tempfile::tempdir().expect("a directory");
    let partition = led_partition(dir.path());
    let is_marked = |waiter: &FetchWaiter| {
        let mut marked = Vec::new();
        waiter.take_marked(&mut marked);
        marked == [0]
    };
    let waiter = settled(&partition);
    append(&partition).await;
    assert!(is_marked(&waiter), "records");
    let waiter = settled(&partition);
    partition.delete_records_before(1).expect("deleted");
    assert_eq!(waiter.due(1), None, "nobody waits for that");
    assert!(is_marked(&waiter), "log start offset");
    let waiter = settled(&partition);
    partition.set_config(config(&[("retention.ms", "1234")]));
    assert_eq!(waiter.due(1), None, "nor for that");
    assert!(is_marked(&waiter), "configuration");
    let waiter = settled(&partition);
    let resigned = PartitionState {
        leader_epoch: controller::LeaderEpoch(1),
        ..nobody_leads(0)
    };
    assert!(partition.set_state(resigned).expect("resigned"));
    assert_eq!(waiter.due(1), Some(Wake::Look));
    assert!(is_marked(&waiter), "leadership");
}
