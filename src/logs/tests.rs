//! Logs that cannot be used, beside those that can.

use std::path::Path;

use controller::Store;
use controller::store_embedded::EmbeddedStore;
use protocol::wire::Uuid;

use super::*;
use crate::metadata_store;
use crate::open_files::OpenFileLimit;

const ID: TopicId = Uuid([3; 16]);

fn config(dir: &Path) -> Arc<BrokerConfig> {
    Arc::new(BrokerConfig {
        log_dirs: vec![dir.to_path_buf()],
        metadata_log_dir: dir.to_path_buf(),
        ..BrokerConfig::default()
    })
}

fn loaded(dir: &Path) -> Arc<Logs> {
    let config = config(dir);
    let dirs = LogDirs::open(&config, OpenFileLimit::raise()).expect("a usable directory");
    Logs::load(config, dirs, &BTreeMap::new(), &AtomicBool::new(false)).expect("opens")
}

/// A whole message of format 0: offset, size, checksum, magic and attributes, no key, the value "v".
fn old_message() -> Vec<u8> {
    const CRC: u32 = 0xd20cbff5;
    let checked = [&[0, 0][..], &[0xff; 4], &1_i32.to_be_bytes(), b"v"].concat();
    let size = (checked.len() + 4) as u32;
    [&[0; 8][..], &size.to_be_bytes(), &CRC.to_be_bytes(), &checked].concat()
}

/// Logs of `new-0` and `old-0`, the latter with a record of an old format, both closed.
fn written(dir: &Path) -> (TopicPartition, TopicPartition) {
    let partitions = ["new", "old"].map(|topic| TopicPartition::new(topic, 0));
    let logs = loaded(dir);
    for partition in &partitions {
        let config = PartitionConfig::new(logs.broker_config(), &partition.topic, &ConfigMap::new());
        let (mut log, _) = logs.open_or_create(partition, ID, &config, true).expect("created");
        log.close(0).expect("closed");
    }
    std::fs::write(dir.join("old-0/00000000000000000000.log"), old_message()).expect("written");
    for name in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"] {
        std::fs::write(dir.join(name), "0\n1\nold 0 1\n").expect("written");
    }
    let [new, old] = partitions;
    (new, old)
}

fn open(logs: &Logs, partition: &TopicPartition) -> Result<(Log, i64), LogsError> {
    let config = PartitionConfig::new(logs.broker_config(), &partition.topic, &ConfigMap::new());
    logs.open_or_create(partition, ID, &config, false)
}

#[test]
fn a_log_of_an_old_format_keeps_its_partition_offline_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let (new, old) = written(dir.path());
    let logs = loaded(dir.path());
    let refused = open(&logs, &old).expect_err("refused").to_string();
    assert!(refused.contains("old-0") && refused.contains("magic 0"), "{refused}");
    assert!(logs.any_refused() && !logs.any_offline());
    open(&logs, &new).expect("is not concerned");
    // It stays refused; no empty log comes in its place.
    open(&logs, &old).expect_err("refused");
    assert_eq!(
        std::fs::read(dir.path().join("old-0/00000000000000000000.log")).expect("there"),
        old_message()
    );
}

#[test]
fn what_is_known_of_a_refused_log_stays_in_the_checkpoints() {
    let dir = tempfile::tempdir().expect("a directory");
    written(dir.path());
    let logs = loaded(dir.path());
    logs.close(&[]).expect("closed");
    for name in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"] {
        let text = std::fs::read_to_string(dir.path().join(name)).expect("there");
        assert!(text.contains("old 0 1"), "{name}: {text}");
    }
}

#[test]
fn a_log_that_was_never_recovered_is_not_vouched_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let (_, old) = written(dir.path());
    let mark = dir.path().join(".kafka_cleanshutdown");
    assert!(!mark.exists());
    loaded(dir.path()).close(&[]).expect("closed");
    assert!(!mark.exists(), "old-0 was not recovered");
    // One that needed no recovery is as good as it was.
    std::fs::write(&mark, "").expect("written");
    loaded(dir.path()).close(&[]).expect("closed");
    assert!(mark.exists());
    // Deleting its topic ends it.
    std::fs::remove_file(&mark).expect("removed");
    let logs = loaded(dir.path());
    logs.delete(&old, None).expect("deleted");
    assert!(!logs.any_refused() && !dir.path().join("old-0").exists());
    logs.close(&[]).expect("closed");
    assert!(mark.exists());
}

#[test]
fn a_log_of_another_topic_of_that_name_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let (new, _) = written(dir.path());
    let logs = loaded(dir.path());
    let config = PartitionConfig::new(logs.broker_config(), &new.topic, &ConfigMap::new());
    let other = Uuid([4; 16]);
    for _ in 0..2 {
        let refused = logs.open_or_create(&new, other, &config, false);
        assert!(matches!(refused, Err(LogsError::TopicId { .. })), "{refused:?}");
    }
    open(&logs, &new).expect("its own topic still has it");
}

#[test]
fn logs_without_the_store_that_knows_their_topics_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("sordini.metadata");
    let dirs = LogDirs::open(&config(dir.path()), OpenFileLimit::raise()).expect("a usable directory");
    dirs.require_metadata_store(&store).expect("a new broker");
    drop(dirs);
    written(dir.path());
    let dirs = LogDirs::open(&config(dir.path()), OpenFileLimit::raise()).expect("a usable directory");
    let refused = dirs.require_metadata_store(&store).expect_err("refused").to_string();
    assert!(refused.contains("new-0") && refused.contains("1 more"), "{refused}");
    std::fs::remove_dir_all(dir.path().join("old-0")).expect("removed");
    let refused = dirs.require_metadata_store(&store).expect_err("refused").to_string();
    assert!(refused.contains("new-0 lies in log.dirs"), "{refused}");
    std::fs::write(&store, "").expect("written");
    let refused = dirs.require_metadata_store(&store).expect_err("refused").to_string();
    let expected = format!("the metadata store at {} is empty, but ", store.display());
    assert!(
        refused.starts_with(&expected) && !refused.contains("one lies at"),
        "{refused}"
    );
    std::fs::write(&store, "a store").expect("written");
    dirs.require_metadata_store(&store).expect("there it is");
}

/// A whole store, but one that nothing was written in.
#[tokio::test]
async fn logs_beside_a_store_that_knows_no_cluster_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let new_store = EmbeddedStore::open(dir.path()).expect("made");
    new_store.close().await.expect("closed");
    drop(new_store);
    let config = config(dir.path());
    let dirs = LogDirs::open(&config, OpenFileLimit::raise()).expect("a usable directory");
    let sessions = metadata_store::open(&config, &dirs)
        .await
        .expect("a first start goes on");
    sessions.close().await.expect("closed");
    drop((sessions, dirs));
    written(dir.path());
    let dirs = LogDirs::open(&config, OpenFileLimit::raise()).expect("a usable directory");
    let refused = metadata_store::open(&config, &dirs)
        .await
        .err()
        .expect("refused")
        .to_string();
    assert!(
        refused.contains("sordini.metadata is empty, but ") && refused.contains("1 more"),
        "{refused}"
    );
}

#[test]
fn a_metadata_store_that_cannot_be_looked_for_is_not_called_missing() {
    let dir = tempfile::tempdir().expect("a directory");
    let dirs = LogDirs::open(&config(dir.path()), OpenFileLimit::raise()).expect("a usable directory");
    // Permissions would not stop root; a link to itself stops everybody.
    let store = dir.path().join("sordini.metadata");
    std::os::unix::fs::symlink(&store, &store).expect("linked");
    let refused = dirs.require_metadata_store(&store).expect_err("refused").to_string();
    let expected = format!("cannot look for the metadata store at {}: ", store.display());
    assert!(refused.starts_with(&expected), "{refused}");
}

#[test]
fn one_directory_under_two_names_is_called_that() {
    let dir = tempfile::tempdir().expect("a directory");
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    std::fs::create_dir(&real).expect("created");
    std::os::unix::fs::symlink(&real, &link).expect("linked");
    let config = BrokerConfig {
        log_dirs: vec![real, link],
        ..BrokerConfig::default()
    };
    let refused = LogDirs::open(&config, OpenFileLimit::raise())
        .err()
        .expect("refused")
        .to_string();
    assert!(refused.contains("log.dirs names one directory twice"), "{refused}");
}
