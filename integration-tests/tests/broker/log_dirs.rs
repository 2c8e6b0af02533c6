//! Several log directories, one of which fails while the broker runs.

use integration_tests::batch::{Batch, now_ms};
use integration_tests::child::{Child, await_some, bound_command};
use integration_tests::cluster::{Broker, Target, await_ready_file, sordini_binary};
use integration_tests::temp_dir::TempDir;
use integration_tests::wire::{Answer, Body, Connection};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const METADATA: i16 = 3;
const OFFSET_FETCH: i16 = 9;
const FIND_COORDINATOR: i16 = 10;
const NONE: i16 = 0;
const LEADER_NOT_AVAILABLE: i16 = 5;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const POLICY_VIOLATION: i16 = 44;
const KAFKA_STORAGE_ERROR: i16 = 56;

/// Error, leader and offline replicas of each partition.
type Seen = BTreeMap<i32, (i16, i32, Vec<i32>)>;

fn metadata(connection: &mut Connection, topic: &str) -> Seen {
    let body = Body::new().i32(1).string(topic).i8(0);
    let mut answer = connection.ask(METADATA, 5, &body).expect("Metadata");
    answer.take(4);
    for _ in 0..answer.i32() {
        answer.take(4);
        answer.string();
        answer.take(4);
        answer.string();
    }
    answer.string();
    answer.take(4);
    assert_eq!((answer.i32(), answer.i16()), (1, NONE));
    answer.string();
    answer.take(1);
    let ids = |answer: &mut Answer| (0..answer.i32()).map(|_| answer.i32()).collect::<Vec<_>>();
    (0..answer.i32())
        .map(|_| {
            let (error, partition, leader) = (answer.i16(), answer.i32(), answer.i32());
            ids(&mut answer);
            ids(&mut answer);
            (partition, (error, leader, ids(&mut answer)))
        })
        .collect()
}

/// What is said of who coordinates a group.
fn coordinator_error(connection: &mut Connection, group: &str) -> i16 {
    let answer = connection.ask(FIND_COORDINATOR, 0, &Body::new().string(group));
    answer.expect("FindCoordinator").i16()
}

fn partitions_in(directory: &Path, topic: &str) -> Vec<i32> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let numbers = names.filter_map(|name| name.strip_prefix(&format!("{topic}-"))?.parse().ok());
    numbers.collect()
}

/// A directory that is gone: no segment can be made in it, which is an error of the disk to whoever tries.
#[test]
fn a_directory_that_fails_takes_its_partitions_offline_for_everybody() {
    let home = TempDir::new("log-dirs");
    let [good, bad] = ["good", "bad"].map(|name| home.path().join(name));
    let dirs = format!("{},{}", good.display(), bad.display());
    let broker = Broker::start_target(
        Target::Sordini,
        &[("log.dirs", &dirs), ("offsets.topic.num.partitions", "2")],
    );
    let mut connection = Connection::open(broker.address()).expect("connect");
    connection.create_topic("t", 4, &[("segment.bytes", "200")]);
    // With two partitions of the groups, group "a" (97) is in partition 1 and group "b" (98) in partition 0.
    await_some("the topic of the groups", Duration::from_secs(20), || {
        (coordinator_error(&mut connection, "a") == NONE).then_some(())
    });
    let lost = partitions_in(&bad, "__consumer_offsets");
    assert_eq!(lost.len(), 1, "{lost:?}");
    let (here, gone) = (partitions_in(&good, "t"), partitions_in(&bad, "t"));
    assert_eq!((here.len(), gone.len()), (2, 2), "{here:?} {gone:?}");

    fs::rename(&bad, home.path().join("elsewhere")).expect("take it away");
    let batch = Batch::of(3, now_ms()).bytes();
    let mut produce = |partition| connection.produce("t", partition, -1, &batch).expect("Produce").error;
    let failed = (0..10).map(|_| produce(gone[0])).find(|error| *error != NONE);
    assert_eq!(failed, Some(KAFKA_STORAGE_ERROR), "{}", broker.log());
    assert_eq!(produce(gone[1]), KAFKA_STORAGE_ERROR, "nobody else has met it");
    assert_eq!(produce(here[0]), NONE);

    // The only broker gives itself the first id that Kafka gives away.
    let me = 1001;
    let told = || {
        let seen = metadata(&mut Connection::open(broker.address()).expect("connect"), "t");
        gone.iter()
            .all(|partition| seen[partition] == (LEADER_NOT_AVAILABLE, -1, vec![me]))
            .then_some(seen)
    };
    let seen = await_some("the controller knows", Duration::from_secs(20), told);
    for partition in &here {
        assert_eq!(seen[partition], (NONE, me, Vec::new()));
    }
    let mut connection = Connection::open(broker.address()).expect("connect");
    for (partition, group) in [(1, "a"), (0, "b")] {
        let expected = match lost.contains(&partition) {
            true => COORDINATOR_NOT_AVAILABLE,
            false => NONE,
        };
        assert_eq!(coordinator_error(&mut connection, group), expected, "group {group}");
    }
}

/// It starts all the same, as Kafka does.
#[test]
fn a_partition_whose_log_is_gone_is_named() {
    let mut broker = Broker::start_target(Target::Sordini, &[]);
    let mut connection = Connection::open(broker.address()).expect("connect");
    connection.create_topic("t", 2, &[]);
    assert!(!broker.log().contains("begin"), "{}", broker.log());
    broker.stop();
    fs::remove_dir_all(broker.log_dir().join("t-0")).expect("removed");
    broker.restart();
    let log = broker.log();
    let named: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("had a log here before"))
        .collect();
    assert_eq!(named.len(), 1, "{log}");
    assert!(named[0].contains("ERROR") && named[0].contains("t-0 "), "{log}");
    let mut connection = Connection::open(broker.address()).expect("connect again");
    assert_eq!(connection.list_offset("t", 0, -1), (0, 0));
}

#[test]
fn the_last_line_names_what_took_the_last_directory() {
    let mut broker = Broker::start_target(Target::Sordini, &[]);
    let mut connection = Connection::open(broker.address()).expect("connect");
    connection.create_topic("t", 1, &[("segment.bytes", "200")]);
    let gone = broker.log_dir().with_extension("gone");
    fs::rename(broker.log_dir(), &gone).expect("take it away");
    let batch = Batch::of(3, now_ms()).bytes();
    await_some("the end of the broker", Duration::from_secs(60), || {
        // Until a segment is to be made.
        drop(connection.produce("t", 0, -1, &batch));
        (!broker.is_running()).then_some(())
    });
    let log = broker.log();
    let last = log.lines().last().unwrap_or_default();
    assert!(
        last.contains("every log directory is offline: ") && last.contains("No such file"),
        "{log}"
    );
}

/// A broker that may open 200 files: 100 connections, 50 partitions.
fn with_few_files(home: &TempDir) -> (Child, SocketAddr) {
    let ready = home.path().join("ready");
    let mut command = bound_command(Path::new("bash"));
    command.args(["-c", r#"ulimit -n 200; exec "$0" "$@""#]);
    command.arg(sordini_binary()).arg("--ready-file").arg(&ready);
    let data = home.path().join("data");
    for (key, value) in [
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("log.dirs", &data.to_string_lossy()),
    ] {
        command.arg("--override").arg(format!("{key}={value}"));
    }
    let mut broker = Child::start(command);
    let address = await_ready_file(&mut broker, &ready);
    assert!(broker.stderr().contains("only 200 files"), "{}", broker.stderr());
    (broker, address)
}

/// A broker that runs out of files loses a log directory, and with it all that is in it.
#[test]
fn partitions_that_files_would_not_do_for_are_refused() {
    let home = TempDir::new("few-files");
    let (_broker, address) = with_few_files(&home);
    let mut connection = Connection::open(address).expect("connect");
    let (error, message) = connection.try_create_topic("many", 51, &[]);
    assert_eq!(error, POLICY_VIOLATION, "{message:?}");
    assert!(message.is_some_and(|message| message.contains("files")));
    connection.create_topic("few", 50, &[]);
    let batch = Batch::of(3, now_ms()).bytes();
    for partition in 0..50 {
        let produced = connection.produce("few", partition, -1, &batch).expect("Produce");
        assert_eq!(produced.error, NONE);
    }
    assert_eq!(connection.try_create_topic("more", 1, &[]).0, POLICY_VIOLATION);
}

#[test]
fn connections_leave_the_logs_their_files() {
    let home = TempDir::new("many-connections");
    let (broker, address) = with_few_files(&home);
    let mut connection = Connection::open(address).expect("connect");
    connection.create_topic("t", 1, &[("segment.bytes", "200")]);
    let idle: Vec<Connection> = (0..200).filter_map(|_| Connection::open(address).ok()).collect();
    await_some("those that are too many are refused", Duration::from_secs(20), || {
        broker
            .stderr()
            .contains("100 connections are open already")
            .then_some(())
    });
    let batch = Batch::of(3, now_ms()).bytes();
    for _ in 0..20 {
        let produced = connection.produce("t", 0, -1, &batch).expect("Produce");
        assert_eq!(produced.error, NONE, "{}", broker.stderr());
    }
    drop(idle);
}

#[test]
fn groups_whose_offsets_are_damaged_say_so_and_others_go_on() {
    let mut broker = Broker::start_target(Target::Sordini, &[]);
    let mut connection = Connection::open(broker.address()).expect("connect");
    connection.create_topic("t", 1, &[]);
    connection.commit_offset("damaged", "t", 0, 3);
    let is_used = |partition: &i32| {
        let file = broker
            .log_dir()
            .join(format!("__consumer_offsets-{partition}/00000000000000000000.log"));
        fs::metadata(file).is_ok_and(|file| file.len() > 0)
    };
    let used: Vec<i32> = (0..50).filter(is_used).collect();
    connection.commit_offset("sound", "t", 0, 4);
    broker.stop();
    let file = broker
        .log_dir()
        .join(format!("__consumer_offsets-{}/00000000000000000000.log", used[0]));
    let mut bytes = fs::read(&file).expect("the records");
    bytes[61..71].fill(0xee);
    fs::write(&file, bytes).expect("damage them");
    broker.restart();
    let mut connection = Connection::open(broker.address()).expect("connect");
    assert_eq!(connection.committed_offset("sound", "t", 0), 4);
    let body = Body::new().string("damaged").i32(1).string("t").i32(1).i32(0);
    await_some("the group is refused", Duration::from_secs(60), || {
        let mut answer = connection.ask(OFFSET_FETCH, 2, &body).expect("OffsetFetch");
        assert_eq!(answer.i32(), 0, "no offset is made up");
        (answer.i16() == COORDINATOR_NOT_AVAILABLE).then_some(())
    });
    let log = broker.log();
    assert!(log.contains("corrupt batch at byte 0"), "{log}");
    assert!(
        log.contains("its groups are not available: its records are damaged"),
        "{log}"
    );
}
