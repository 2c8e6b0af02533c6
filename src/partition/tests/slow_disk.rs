//! A partition over a disk that counts, stalls and refuses: who waits for it, and who does not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::records::BatchBuilder;
use storage::{AppendError, OnlyBatch, ReadMode, SimCall, SimDisk};

use super::super::{AppendFailure, Appended, NO_EPOCH, Partition, PartitionRead, PendingAppend, ReadLimits, Readable};
use super::{batch, config, led_partition_on, only, outcome, settled};
use crate::handlers::to_code::ToCode;
use crate::network::RequestPermit;

fn partition(disk: &SimDisk, overrides: &[(&str, &str)]) -> Arc<Partition> {
    led_partition_on(Arc::new(disk.clone()), Path::new("/logs"), config(overrides))
}

fn append(partition: &Partition, batch: OnlyBatch) -> Appended {
    partition.append_as_leader(partition.validate(batch).expect("valid"), &RequestPermit::default())
}

fn queued(appended: Appended) -> PendingAppend {
    match appended {
        Appended::Queued(pending) => pending,
        Appended::Done(outcome) => panic!("it was to wait: {outcome:?}"),
    }
}

async fn first_offset(pending: PendingAppend) -> i64 {
    let outcome = pending.outcome().await.expect("was made");
    outcome.expect("was accepted").info.first_offset
}

async fn appended(partition: &Partition) -> i64 {
    let outcome = outcome(append(partition, batch())).await;
    outcome.expect("was accepted").info.first_offset
}

/// A batch of one record by an idempotent producer.
fn idempotent(sequence: i32) -> OnlyBatch {
    let mut builder = BatchBuilder::new().producer(7, 0, sequence);
    builder.append(crate::clock::now_ms(), None, Some(b"value"));
    only(&builder.build().expect("a batch"))
}

fn sized(bytes: usize) -> OnlyBatch {
    let mut builder = BatchBuilder::new();
    builder.append(crate::clock::now_ms(), None, Some(&vec![b'v'; bytes]));
    only(&builder.build().expect("a batch"))
}

fn read(partition: &Partition) -> Option<PartitionRead> {
    let limits = ReadLimits {
        fetch_offset: 0,
        max_bytes: 1 << 20,
        min_one_message: true,
        replica: None,
        from_followers: false,
        readable: Readable::HighWatermark,
        current_leader_epoch: NO_EPOCH,
        last_fetched_epoch: NO_EPOCH,
        sendfile_min_bytes: usize::MAX,
    };
    partition.read(&limits, ReadMode::NoWait).expect("readable")
}

/// Whether the log can be had at all: others may hold it for a moment, but not until this thread goes on.
fn is_free(partition: &Partition) -> bool {
    partition.log.try_lock_for(Duration::from_secs(20)).is_some()
}

/// Counts the calls of one kind.
fn count(disk: &SimDisk, counted: SimCall) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let hook = count.clone();
    disk.set_hook(move |call| {
        if call == counted {
            hook.fetch_add(1, Ordering::SeqCst);
        }
    });
    count
}

/// A disk whose calls of one kind stall until they are let go.
struct Stall {
    stalled: Receiver<()>,
    let_go: Sender<()>,
    calls: Arc<AtomicUsize>,
}

impl Stall {
    fn new(disk: &SimDisk, stalling: SimCall) -> Self {
        let (stalls, stalled) = channel();
        let (let_go, gate) = channel::<()>();
        let (stalls, gate) = (Mutex::new(stalls), Mutex::new(gate));
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        disk.set_hook(move |call| {
            if call == stalling {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stalls.lock().send(());
                // Without anybody who could let it go it goes on.
                let _ = gate.lock().recv();
            }
        });
        Self { stalled, let_go, calls }
    }

    /// Waits until a call stalls.
    async fn stalls(self) -> Self {
        let waited = tokio::task::spawn_blocking(move || {
            self.stalled.recv().expect("a call");
            self
        });
        waited.await.expect("does not panic")
    }

    /// Lets this call go and all that follow.
    fn end(self) -> Arc<AtomicUsize> {
        drop(self.let_go);
        self.calls
    }
}

#[tokio::test]
async fn appends_that_met_go_in_one_write_and_a_refused_one_costs_no_other() {
    let disk = SimDisk::new(1);
    let partition = partition(&disk, &[]);
    let held = partition.log();
    let writes = count(&disk, SimCall::Write);
    // The third is out of order, the fourth follows on the first, the fifth repeats it.
    let batches = [
        idempotent(0),
        batch(),
        idempotent(9),
        idempotent(1),
        idempotent(1),
        batch(),
    ];
    let pending = batches.map(|batch| queued(append(&partition, batch)));
    drop(held);
    let mut outcomes = Vec::new();
    for pending in pending {
        outcomes.push(match pending.outcome().await.expect("was made") {
            Ok(crate::partition::LeaderAppend { info, .. }) => Ok((info.first_offset, info.duplicate)),
            Err(AppendFailure::Log(AppendError::OutOfOrderSequence { last_sequence, .. })) => Err(last_sequence),
            Err(other) => panic!("{other}"),
        });
    }
    let expected = [
        Ok((0, false)),
        Ok((1, false)),
        Err(0),
        Ok((2, false)),
        Ok((2, true)),
        Ok((3, false)),
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(writes.load(Ordering::SeqCst), 1);
    assert_eq!(partition.high_watermark(), 4);
}

#[tokio::test]
async fn what_is_written_at_once_is_bounded_in_number_and_bytes() {
    let disk = SimDisk::new(1);
    let partition = partition(&disk, &[]);
    for (batches, rounds) in [
        (vec![batch(); 130], 3),
        (vec![sized(600_000); 3], 3),
        (vec![sized(400_000); 3], 2),
    ] {
        let held = partition.log();
        let end = held.log_end_offset();
        let writes = count(&disk, SimCall::Write);
        let pending: Vec<_> = batches
            .into_iter()
            .map(|batch| queued(append(&partition, batch)))
            .collect();
        drop(held);
        for (n, pending) in pending.into_iter().enumerate() {
            assert_eq!(first_offset(pending).await, end + n as i64);
        }
        assert_eq!(writes.load(Ordering::SeqCst), rounds);
    }
}

#[tokio::test]
async fn those_who_wait_for_the_disk_share_a_flush_and_leave_the_log_free() {
    let disk = SimDisk::new(1);
    let partition = partition(&disk, &[("flush.messages", "1")]);
    assert_eq!(appended(&partition).await, 0);
    let stall = Stall::new(&disk, SimCall::Sync);
    let waiter = settled(&partition);
    let is_marked = || {
        let mut marked = Vec::new();
        waiter.take_marked(&mut marked);
        !marked.is_empty()
    };
    let first = queued(append(&partition, batch()));
    let stall = stall.stalls().await;
    let more: Vec<_> = (0..5).map(|_| queued(append(&partition, batch()))).collect();
    // They are in the log, which is free; but nobody is told, and nobody sees them.
    assert!(is_free(&partition));
    assert_eq!(partition.log().log_end_offset(), 7);
    assert_eq!((partition.high_watermark(), is_marked()), (1, false));
    let syncs = stall.end();
    assert_eq!(first_offset(first).await, 1);
    for (n, pending) in more.into_iter().enumerate() {
        assert_eq!(first_offset(pending).await, n as i64 + 2);
    }
    assert_eq!(syncs.load(Ordering::SeqCst), 2);
    assert!(is_marked());
    assert_eq!((partition.high_watermark(), partition.log().recovery_point()), (7, 7));
}

#[tokio::test]
async fn what_did_not_reach_the_disk_is_not_acknowledged() {
    let disk = SimDisk::new(1);
    let partition = partition(&disk, &[("flush.messages", "1")]);
    disk.fail_syncs(true);
    let pending = queued(append(&partition, batch()));
    let failure = pending.outcome().await.expect("was made").expect_err("was not flushed");
    assert_eq!(failure.to_code(), ErrorCode::KAFKA_STORAGE_ERROR);
    assert_eq!(partition.high_watermark(), 0);
}

#[tokio::test]
async fn a_slow_directory_is_written_to_by_a_thread_of_its_own_until_it_is_fast_again() {
    let disk = SimDisk::new(1);
    let partition = partition(&disk, &[]);
    partition.writer.slow_down();
    let stall = Stall::new(&disk, SimCall::Write);
    // With one thread that serves all, this test would wait for itself if the write were made by it.
    let pending: Vec<_> = (0..3).map(|_| queued(append(&partition, batch()))).collect();
    let stall = stall.stalls().await;
    let late = queued(append(&partition, batch()));
    // A look at the log by others does not make the append theirs.
    assert!(read(&partition).is_none());
    stall.end();
    for (n, pending) in pending.into_iter().enumerate() {
        assert_eq!(first_offset(pending).await, n as i64);
    }
    assert_eq!(first_offset(late).await, 3);
    let mut next = 4;
    while let Appended::Queued(pending) = append(&partition, batch()) {
        assert_eq!(first_offset(pending).await, next);
        next += 1;
    }
    assert!(next > 4 + 32, "{next}");
}

#[tokio::test]
async fn nobody_waits_for_an_append_that_the_disk_holds_up() {
    let disk = SimDisk::new(1);
    let partition = partition(&disk, &[]);
    assert_eq!(appended(&partition).await, 0);
    let stall = Stall::new(&disk, SimCall::Write);
    let here = partition.clone();
    let stalled = tokio::task::spawn_blocking(move || matches!(append(&here, batch()), Appended::Done(Ok(_))));
    let stall = stall.stalls().await;
    let behind = queued(append(&partition, batch()));
    assert!(read(&partition).is_none(), "to be read where that may wait");
    stall.end();
    assert!(stalled.await.expect("does not panic"));
    assert_eq!(first_offset(behind).await, 2);
    assert!(read(&partition).is_some_and(|read| read.high_watermark == 3));
}

#[tokio::test]
async fn files_of_deleted_segments_go_without_the_log() {
    let disk = SimDisk::new(1);
    let overrides = [
        ("segment.bytes", "100"),
        ("retention.bytes", "0"),
        ("file.delete.delay.ms", "0"),
    ];
    let partition = partition(&disk, &overrides);
    for _ in 0..40 {
        appended(&partition).await;
    }
    assert_eq!(partition.delete_old_segments().expect("deleted"), 40);
    let (removed, was_held) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, held, here) = (removed.clone(), was_held.clone(), Arc::downgrade(&partition));
    disk.set_hook(move |call| {
        if call == SimCall::Remove {
            counted.fetch_add(1, Ordering::SeqCst);
            // Not looked at again once it was: whoever holds it would be waited for each time.
            if !held.load(Ordering::SeqCst) && here.upgrade().is_some_and(|partition| !is_free(&partition)) {
                held.store(true, Ordering::SeqCst);
            }
        }
    });
    partition.remove_deleted_files().expect("removed");
    assert_eq!(removed.load(Ordering::SeqCst), 120);
    assert!(!was_held.load(Ordering::SeqCst));
    // Nor do the flushes that were under way miss them.
    assert_eq!(appended(&partition).await, 40);
}

#[tokio::test]
async fn segments_that_were_rolled_are_flushed_by_one_thread() {
    let disk = SimDisk::new(1);
    let partition = partition(&disk, &[("segment.bytes", "100")]);
    let stall = Stall::new(&disk, SimCall::Sync);
    for _ in 0..2 {
        appended(&partition).await;
    }
    let stall = stall.stalls().await;
    for _ in 0..20 {
        appended(&partition).await;
    }
    // Whatever else would flush has a thread by now.
    for _ in 0..20 {
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)))
            .await
            .expect("does not panic");
    }
    assert_eq!(stall.calls.load(Ordering::SeqCst), 1);
    stall.end();
    let flushed = async {
        while partition.log().recovery_point() < 21 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let flushed = tokio::time::timeout(Duration::from_secs(60), flushed).await;
    flushed.expect("the last one that was rolled, too");
}

#[tokio::test]
async fn an_append_after_the_close_is_sent_elsewhere() {
    let disk = SimDisk::new(1);
    let partition = partition(&disk, &[]);
    appended(&partition).await;
    // One that had queued is no exception.
    let mut held = partition.log();
    let queued = queued(append(&partition, batch()));
    held.plan_close(0).expect("works").expect("something to close");
    drop(held);
    let refused = queued.outcome().await.expect("was looked at").expect_err("refused");
    assert_eq!(refused.to_code(), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let refused = outcome(append(&partition, batch())).await.expect_err("refused");
    assert_eq!(refused.to_code(), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(partition.high_watermark(), 1);
}
