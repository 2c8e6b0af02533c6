//! A log directory: its lock, whose it is, its checkpoints and its many partitions.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::wire::TopicId;
use storage::checkpoint::{MetaProperties, OffsetCheckpoint};
use storage::{LogConfig, LogDir, LogDirError, OpenFiles, RealDisk, SimCall, SimDisk, TopicPartition};
use support::{Spec, TempDir};

fn log_dir(path: &Path) -> Result<LogDir, LogDirError> {
    LogDir::open(path, Arc::new(RealDisk), OpenFiles::new(100))
}

fn id(n: u8) -> TopicId {
    protocol::wire::Uuid([n; 16])
}

fn config() -> Arc<LogConfig> {
    Arc::new(LogConfig::default())
}

fn append(log: &mut storage::Log) {
    support::append(log, Spec::default(), 0);
}

#[test]
fn one_broker_at_a_time() {
    let dir = TempDir::new();
    let path = dir.0.join("logs");
    let first = log_dir(&path).unwrap();
    assert!(matches!(log_dir(&path), Err(LogDirError::Locked { .. })));
    drop(first);
    log_dir(&path).unwrap();
}

#[test]
fn a_lock_of_java_counts() {
    let dir = TempDir::new();
    let _ours = log_dir(&dir.0).unwrap();
    // What Java's FileChannel.tryLock does, asked from another process: fcntl with F_SETLK.
    let script = "import fcntl, sys\nfcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)";
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(dir.0.join(".lock"))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("BlockingIOError"), "{error}");
}

#[test]
fn foreign_and_unusable_directories_are_refused_untouched() {
    let dir = TempDir::new();
    std::fs::create_dir(dir.0.join("Documents")).unwrap();
    match log_dir(&dir.0) {
        Err(LogDirError::Foreign { name, .. }) => assert_eq!(name, "Documents"),
        other => panic!("{other:?}"),
    }
    assert!(!dir.0.join(".lock").exists());
    let file = dir.0.join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(log_dir(&file), Err(LogDirError::Unusable { .. })));
    assert!(matches!(
        log_dir(&file.join("below")),
        Err(LogDirError::Unusable { .. })
    ));
    let kraft = dir.0.join("kraft");
    std::fs::create_dir(&kraft).unwrap();
    std::fs::write(kraft.join("meta.properties"), "version=1\nnode.id=1\ncluster.id=x\n").unwrap();
    assert!(matches!(log_dir(&kraft), Err(LogDirError::MetaProperties { .. })));
}

#[test]
fn a_clean_stop_is_noted_and_used_once() {
    let dir = TempDir::new();
    let meta = MetaProperties {
        broker_id: 3,
        cluster_id: "abc".into(),
    };
    let partition = TopicPartition::new("a", 0);
    {
        let mut logs = log_dir(&dir.0).unwrap();
        assert_eq!(logs.meta_properties(), None);
        logs.write_meta_properties(&meta).unwrap();
        let mut log = logs.create_log(&partition, Some(id(1)), config(), 0).unwrap();
        append(&mut log);
        log.close(0).unwrap();
        logs.write_checkpoint(OffsetCheckpoint::RecoveryPoint, [(&partition, 1)].into_iter())
            .unwrap();
        logs.write_checkpoint(OffsetCheckpoint::Replication, [(&partition, 1)].into_iter())
            .unwrap();
        logs.mark_clean_shutdown(17).unwrap();
    }
    {
        let logs = log_dir(&dir.0).unwrap();
        assert_eq!(logs.meta_properties(), Some(&meta));
        assert_eq!(logs.clean_shutdown().unwrap().broker_epoch, Some(17));
        assert_eq!(
            logs.read_checkpoint(OffsetCheckpoint::Replication).unwrap(),
            BTreeMap::from([(partition.clone(), 1)])
        );
        let opened = logs.load_logs(|_| config(), 2, 0, || true).unwrap().logs;
        assert_eq!(opened.len(), 1);
        assert_eq!(
            (
                opened[0].topic_id(),
                opened[0].log_end_offset(),
                opened[0].recovery_point()
            ),
            (Some(id(1)), 1, 1)
        );
    }
    assert_eq!(log_dir(&dir.0).unwrap().clean_shutdown(), None);
}

#[test]
fn a_directory_of_another_topic_of_the_same_name_is_refused() {
    let dir = TempDir::new();
    let logs = log_dir(&dir.0).unwrap();
    let partition = TopicPartition::new("a", 0);
    logs.create_log(&partition, Some(id(1)), config(), 0).unwrap();
    let error = logs.create_log(&partition, Some(id(2)), config(), 0).unwrap_err();
    assert!(
        matches!(error, storage::OpenError::InconsistentTopicId { .. }),
        "{error}"
    );
}

#[test]
fn deleted_partitions_free_their_name_and_go() {
    let dir = TempDir::new();
    {
        let logs = log_dir(&dir.0).unwrap();
        let partition = TopicPartition::new("a", 0);
        let mut log = logs.create_log(&partition, Some(id(1)), config(), 0).unwrap();
        append(&mut log);
        let request = storage::ReadRequest {
            offset: 0,
            max_bytes: 100,
            min_one_message: true,
            max_offset: 1,
            from_segment: None,
        };
        let plan = log.locate(&request).unwrap();
        let renamed = logs.delete_log(&log, 5).unwrap();
        assert!(renamed.exists());
        // A read that was under way goes on.
        assert!(matches!(
            plan.run(storage::ReadMode::Blocking, 1000).unwrap(),
            storage::ReadOutcome::Data(_)
        ));
        let again = logs.create_log(&partition, Some(id(2)), config(), 0).unwrap();
        assert_eq!(again.log_end_offset(), 0);
    }
    let logs = log_dir(&dir.0).unwrap();
    assert_eq!(logs.partitions().len(), 1);
    let [deleted] = logs.deleted_dirs() else {
        panic!("{:?}", logs.deleted_dirs())
    };
    logs.remove_dir(deleted).unwrap();
    assert!(!deleted.exists());
}

#[test]
fn a_flush_that_meets_the_deletion_of_its_partition_takes_nothing_offline() {
    let dir = TempDir::new();
    let log_dir = log_dir(&dir.0).unwrap();
    let mut log = log_dir
        .create_log(&TopicPartition::new("going", 0), Some(id(1)), config(), 0)
        .unwrap();
    append(&mut log);
    let plan = log.plan_flush(i64::MAX).expect("there is something to flush");
    let renamed = log_dir.delete_log(&log, 1).unwrap();
    log_dir.remove_dir(&renamed).unwrap();
    assert!(plan.run().is_err(), "the files are gone");
    assert!(log_dir.health().failure().is_none(), "and the directory still works");
}

#[test]
fn a_thousand_partitions_open_without_as_many_open_files() {
    let dir = TempDir::new();
    {
        let logs = log_dir(&dir.0).unwrap();
        for n in 0..1000 {
            let mut log = logs
                .create_log(&TopicPartition::new("many", n), Some(id(1)), config(), 0)
                .unwrap();
            append(&mut log);
        }
        logs.mark_clean_shutdown(-1).unwrap();
    }
    let logs = log_dir(&dir.0).unwrap();
    let opened = logs.load_logs(|_| config(), 2, 0, || true).unwrap().logs;
    assert_eq!(opened.len(), 1000);
    assert!(opened.iter().all(|log| log.log_end_offset() == 1));
    let open_files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(open_files < 400, "{open_files} open files");
}

#[test]
fn whoever_stops_the_loading_finds_the_rest_untouched() {
    let dir = TempDir::new();
    let garbage = |n: i32| dir.0.join(format!("many-{n}/00000000000000000000.log"));
    {
        let logs = log_dir(&dir.0).unwrap();
        for n in 0..6 {
            let partition = TopicPartition::new("many", n);
            drop(logs.create_log(&partition, Some(id(1)), config(), 0).unwrap());
            std::fs::write(garbage(n), [1; 100]).unwrap();
        }
    }
    let asked = AtomicUsize::new(0);
    let logs = log_dir(&dir.0).unwrap();
    let stopped = logs
        .load_logs(|_| config(), 1, 0, || asked.fetch_add(1, Ordering::Relaxed) < 4)
        .unwrap();
    assert!(!stopped.complete);
    assert_eq!((stopped.logs.len(), asked.into_inner()), (4, 5));
    let sizes = (0..6).map(|n| std::fs::metadata(garbage(n)).unwrap().len());
    assert_eq!(
        sizes.filter(|size| *size == 100).count(),
        2,
        "recovery cuts garbage off"
    );
}

/// What makes a thousand partitions open in milliseconds; how long it takes is for the benchmark to say.
#[test]
fn opening_a_closed_log_looks_into_few_files() {
    const LOGS: usize = 20;
    let disk = SimDisk::new(6);
    let open = || LogDir::open(Path::new("/logs"), Arc::new(disk.clone()), OpenFiles::new(100)).unwrap();
    {
        let logs = open();
        let mut closed = Vec::new();
        for n in 0..LOGS as i32 {
            let partition = TopicPartition::new("many", n);
            let mut log = logs.create_log(&partition, Some(id(1)), config(), 0).unwrap();
            append(&mut log);
            log.close(0).unwrap();
            closed.push(log);
        }
        let points = closed.iter().map(|log| (log.partition(), log.recovery_point()));
        logs.write_checkpoint(OffsetCheckpoint::RecoveryPoint, points).unwrap();
        logs.mark_clean_shutdown(-1).unwrap();
    }
    let logs = open();
    let (opens, reads) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    disk.set_hook({
        let (opens, reads) = (opens.clone(), reads.clone());
        move |call| match call {
            SimCall::Open => drop(opens.fetch_add(1, Ordering::Relaxed)),
            SimCall::Read => drop(reads.fetch_add(1, Ordering::Relaxed)),
            SimCall::Write | SimCall::Sync => panic!("opening a closed log changes nothing"),
            SimCall::Remove => {}
        }
    });
    let opened = logs.load_logs(|_| config(), 1, 0, || true).unwrap().logs;
    assert_eq!(opened.len(), LOGS);
    assert!(opened.iter().all(|log| log.log_end_offset() == 1));
    let (opens, reads) = (opens.load(Ordering::Relaxed), reads.load(Ordering::Relaxed));
    // The checkpoints of the directory are read once for all.
    assert!(
        opens <= 6 * LOGS + 4 && reads <= 7 * LOGS + 4,
        "{opens} opens and {reads} reads for {LOGS} logs"
    );
}

#[test]
fn many_logs_are_closed_together() {
    let disk = SimDisk::new(5);
    let open = || LogDir::open(Path::new("/logs"), Arc::new(disk.clone()), OpenFiles::new(100)).unwrap();
    {
        let logs = open();
        let partitions: Vec<_> = (0..20).map(|n| TopicPartition::new("many", n)).collect();
        let create = |partition| logs.create_log(partition, Some(id(1)), config(), 0).unwrap();
        let mut opened: Vec<_> = partitions.iter().map(create).collect();
        opened.iter_mut().for_each(append);
        let plans: Vec<_> = opened
            .iter_mut()
            .map(|log| log.plan_close(0).unwrap().unwrap())
            .collect();
        logs.flush_together(&plans).unwrap();
        opened
            .iter_mut()
            .zip(&plans)
            .for_each(|(log, plan)| log.note_closed(plan, 0));
        assert!(
            opened
                .iter_mut()
                .all(|log| log.recovery_point() == 1 && log.plan_close(0).unwrap().is_none())
        );
        let points = opened.iter().map(|log| (log.partition(), log.recovery_point()));
        logs.write_checkpoint(OffsetCheckpoint::RecoveryPoint, points).unwrap();
        logs.mark_clean_shutdown(-1).unwrap();
    }
    disk.crash();
    let logs = open();
    assert!(logs.clean_shutdown().is_some());
    let opened = logs.load_logs(|_| config(), 3, 0, || true).unwrap().logs;
    assert_eq!(opened.iter().map(|log| log.log_end_offset()).sum::<i64>(), 20);
    assert!(
        opened
            .iter()
            .all(|log| log.latest_epoch() == Some(0) && log.topic_id() == Some(id(1)))
    );
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_no_empty_one() {
    let dir = TempDir::new();
    let logs = log_dir(&dir.0).unwrap();
    assert_eq!(
        logs.read_checkpoint(OffsetCheckpoint::LogStartOffset).unwrap(),
        BTreeMap::new()
    );
    // What reading it gives is neither its content nor that it is missing.
    std::fs::create_dir(dir.0.join("log-start-offset-checkpoint")).unwrap();
    let failure = logs.load_logs(|_| config(), 1, 0, || true).unwrap_err();
    assert!(failure.action.contains("log-start-offset-checkpoint"), "{failure}");
    assert!(failure.error.contains("directory"), "{failure}");
    assert!(logs.health().failure().is_some());
}
