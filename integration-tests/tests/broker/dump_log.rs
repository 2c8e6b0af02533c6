//! Kafka's dump-log reads what a broker leaves behind after a clean stop, and finds nothing to complain about.

use integration_tests::child::{await_some, run};
use integration_tests::client::Client;
use integration_tests::cluster::Broker;
use integration_tests::tools::{TOOL_LIMIT, Tools};
use integration_tests::wire::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const VERSIONS: [&str; 2] = ["3.9.1", "4.3.1"];
const NOT_CONSECUTIVE: &str = "Non-consecutive offsets in";
/// What dump-log says when it does not like a file.
const COMPLAINTS: [&str; 9] = [
    "Exception",
    "Mismatches in :",
    "Index offset:",
    NOT_CONSECUTIVE,
    "Found timestamp mismatch",
    "Found out of order timestamp",
    "isvalid: false",
    "is corrupt",
    "Found invalid",
];

/// A directory with real work in it, closed cleanly.
fn closed_broker() -> Broker {
    let mut broker = Broker::start_with(&[("log.segment.bytes", "30000"), ("log.index.interval.bytes", "1000")]);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    let acks = ["0", "1", "all"];
    let checks: Vec<String> = codecs
        .iter()
        .flat_map(|codec| acks.map(|acks| format!("codec/{codec}/acks={acks}")))
        .collect();
    Client::FranzGo.expect(
        &broker,
        "codecs",
        &checks.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    Client::FranzGo.expect(&broker, "idempotent", &["idempotent"]);
    let group = ["alone", "shared", "all-records", "takeover"].map(|check| format!("group/{check}"));
    Client::FranzGo.expect(&broker, "group", &group.each_ref().map(String::as_str));
    Client::Confluent.expect(
        &broker,
        "commit-resume",
        &["commit-resume/commit", "commit-resume/resume"],
    );
    broker.stop();
    broker
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("read {}: {error}", directory.display()));
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}

/// The directories of all partitions of the topics whose names start with `prefix`.
fn partitions(broker: &Broker, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(broker.log_dir()).expect("read the log directory");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| {
            path.is_dir()
                && path
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        })
        .filter(|path| !path.ends_with("__cluster_metadata-0"))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no partition of {prefix}");
    found
}

#[track_caller]
fn dump(version: &str, files: &[PathBuf], arguments: &[&str]) -> String {
    assert!(!files.is_empty(), "nothing to dump with {arguments:?}");
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut command = Tools::new(version, "").command("kafka-dump-log");
    command.args(["--files", &list.join(",")]).args(arguments);
    let finished = run(command, TOOL_LIMIT);
    let stderr = finished.stderr.clone();
    let said = finished.expect_success("kafka-dump-log");
    for complaint in COMPLAINTS {
        // 4.3 says this of every segment that does not begin at offset 0, in Kafka's own directories as well.
        if complaint == NOT_CONSECUTIVE && version.starts_with('4') {
            continue;
        }
        let line = said.lines().chain(stderr.lines()).find(|line| line.contains(complaint));
        assert_eq!(line, None, "dump-log {version} complains about {list:?}");
    }
    said
}

fn all(broker: &Broker, prefix: &str, extension: &str) -> Vec<PathBuf> {
    partitions(broker, prefix)
        .iter()
        .flat_map(|partition| files(partition, extension))
        .collect()
}

#[test]
fn after_a_clean_stop() {
    let broker = closed_broker();
    for version in VERSIONS {
        logs_and_indexes(&broker, version);
        snapshots(&broker, version);
        offsets_topic(&broker, version);
    }
}

fn logs_and_indexes(broker: &Broker, version: &str) {
    let said = dump(
        version,
        &all(broker, "codecs", "log"),
        &["--deep-iteration", "--print-data-log"],
    );
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        assert!(said.contains(&format!("compresscodec: {codec}")), "no batch of {codec}");
    }
    assert_eq!(
        said.matches(" payload: value-").count(),
        5 * 3 * 60,
        "records of the codecs scenario"
    );
    let rolled = all(broker, "idempotent", "log");
    assert!(rolled.len() > 3, "the segments were to roll: {rolled:?}");
    let said = dump(version, &rolled, &["--deep-iteration", "--print-data-log"]);
    assert_eq!(
        said.matches(" payload: value-").count(),
        1000,
        "records of the idempotent scenario"
    );
    dump(version, &all(broker, "", "index"), &["--index-sanity-check"]);
    dump(version, &all(broker, "", "index"), &["--verify-index-only"]);
    dump(version, &all(broker, "", "timeindex"), &[]);
}

fn snapshots(broker: &Broker, version: &str) {
    let said = dump(version, &all(broker, "idempotent", "snapshot"), &[]);
    assert!(
        said.contains("producerId: ") && said.contains("lastSequence: "),
        "{said}"
    );
}

fn offsets_topic(broker: &Broker, version: &str) {
    let said = dump(
        version,
        &all(broker, "__consumer_offsets", "log"),
        &["--offsets-decoder"],
    );
    assert!(said.contains("commit-resume-"), "no commit in {said}");
    // 3.9 prints `offset_commit::group=…`, 4.x JSON.
    assert!(
        said.contains("offset_commit::") || said.contains(r#""offset":50"#),
        "no decoded commit in {said}"
    );
    assert!(
        said.contains("group_metadata::") || said.contains(r#""protocolType":"consumer""#),
        "no group in {said}"
    );
}

#[test]
fn after_kills() {
    let mut broker = Broker::start_with(&[("log.segment.bytes", "30000"), ("log.index.interval.bytes", "1000")]);
    for round in 0..3 {
        Client::FranzGo.expect(&broker, "idempotent", &["idempotent"]);
        broker.kill();
        broker.restart();
        await_some(
            &format!("the broker is back, round {round}"),
            Duration::from_secs(60),
            || Connection::open(broker.address()).ok()?.api_versions().ok(),
        );
    }
    broker.stop();
    for version in VERSIONS {
        let said = dump(
            version,
            &all(&broker, "idempotent", "log"),
            &["--deep-iteration", "--print-data-log"],
        );
        assert_eq!(said.matches(" payload: value-").count(), 3000, "records of all rounds");
        dump(version, &all(&broker, "idempotent", "index"), &["--index-sanity-check"]);
        dump(version, &all(&broker, "idempotent", "timeindex"), &[]);
        dump(version, &all(&broker, "idempotent", "snapshot"), &[]);
    }
}
