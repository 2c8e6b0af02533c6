//! Starting, stopping and refusing to start. These are about Sordini's own command line, so they run against nothing else.

use integration_tests::batch::{Batch, now_ms};
use integration_tests::child::{Child, await_some, process_one_command, run};
use integration_tests::cluster::{Broker, Target, await_ready_file, free_port, sordini_binary, sordini_command};
use integration_tests::temp_dir::TempDir;
use integration_tests::wire::Connection;
use rustix::process::Signal;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn start(overrides: &[(&str, &str)]) -> Broker {
    Broker::start_target(Target::Sordini, overrides)
}

/// A command on a free port with its data in `directory`.
fn command_in(directory: &Path, overrides: &[(&str, &str)]) -> Command {
    let mut all = vec![
        ("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned()),
        ("log.dirs".to_owned(), directory.display().to_string()),
    ];
    all.extend(
        overrides
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string())),
    );
    sordini_command(&all)
}

/// Runs a command that must refuse to start: status 1, and the lines that say why.
#[track_caller]
fn refused(command: Command) -> Vec<String> {
    let finished = run(command, LIMIT);
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.status.and_then(|status| status.code()), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said.lines().map(str::to_owned).collect()
}

#[track_caller]
fn one_line_with(lines: &[String], parts: &[&str]) {
    let found = lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no line with {parts:?} in {lines:#?}");
}

#[test]
fn every_wrong_key_is_named_at_once() {
    let home = TempDir::new("config");
    let data = home.path().join("data");
    let wrong = [
        ("num.partitions", "many"),
        ("log.segmnet.bytes", "1"),
        ("log.retention.check.interval.ms", "0"),
        ("compression.type", "rar"),
    ];
    let lines = refused(command_in(&data, &wrong));
    one_line_with(&lines, &["num.partitions", "many"]);
    one_line_with(&lines, &["log.segmnet.bytes", "log.segment.bytes"]);
    one_line_with(&lines, &["log.retention.check.interval.ms", "0"]);
    one_line_with(&lines, &["compression.type", "rar", "zstd"]);
    assert!(!data.exists(), "something was touched");
}

#[test]
fn an_unknown_key_of_a_properties_file_is_a_warning() {
    let home = TempDir::new("config");
    let file = home.path().join("server.properties");
    fs::write(
        &file,
        "# as people bring it along\nnum.partitons=3\nzookeeper.connect=localhost:2181\n",
    )
    .expect("write");
    let mut strict = command_in(&home.path().join("data"), &[]);
    strict.arg("--config").arg(&file).arg("--strict");
    one_line_with(&refused(strict), &["num.partitons", "num.partitions"]);
}

#[test]
fn a_yaml_file_is_read() {
    let home = TempDir::new("config");
    let (file, ready) = (home.path().join("sordini.yaml"), home.path().join("ready"));
    fs::write(&file, "num.partitions: 7\nauto.create.topics.enable: true\n").expect("write");
    let mut command = command_in(&home.path().join("data"), &[]);
    command.arg("--config").arg(&file).arg("--ready-file").arg(&ready);
    let mut child = Child::start(command);
    let mut connection = Connection::open(await_ready_file(&mut child, &ready)).expect("connect");
    await_some("a topic by auto-creation", LIMIT, || {
        (connection.partitions("made-by-asking") == 7).then_some(())
    });

    let broken = home.path().join("broken.yaml");
    fs::write(&broken, "num.partitions: [1\nfoo").expect("write");
    let mut command = command_in(&home.path().join("other"), &[]);
    command.arg("--config").arg(&broken);
    one_line_with(&refused(command), &["broken.yaml"]);
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let home = TempDir::new("taken");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = taken.local_addr().expect("address").to_string();
    let lines = refused(command_in(
        &home.path().join("data"),
        &[("listeners", &format!("PLAINTEXT://{address}"))],
    ));
    one_line_with(&lines, &[&address]);
    assert!(lines.len() <= 3, "{lines:#?}");
}

#[test]
fn a_locked_directory_is_one_clear_line() {
    let broker = start(&[]);
    let lines = refused(command_in(&broker.log_dir(), &[]));
    one_line_with(&lines, &[&broker.log_dir().display().to_string(), "lock"]);
    Connection::open(broker.address())
        .expect("connect")
        .api_versions()
        .expect("the first broker serves on");
}

#[test]
fn a_refused_start_leaves_the_ready_file_of_the_broker_that_serves() {
    let home = TempDir::new("ready");
    let (data, ready) = (home.path().join("data"), home.path().join("ready"));
    let with_ready_file = |mut command: Command| {
        command.arg("--ready-file").arg(&ready);
        command
    };
    let mut first = Child::start(with_ready_file(command_in(&data, &[])));
    let address = await_ready_file(&mut first, &ready);
    let taken = format!("PLAINTEXT://{address}");
    let other = home.path().join("other");
    for (directory, overrides) in [(&data, &[][..]), (&other, &[("listeners", taken.as_str())][..])] {
        refused(with_ready_file(command_in(directory, overrides)));
        let said = fs::read_to_string(&ready).expect("the first broker serves on");
        assert_eq!(said.trim(), address.to_string());
    }
}

#[test]
fn an_unwritable_directory_is_one_clear_line() {
    let home = TempDir::new("unwritable");
    let file = home.path().join("file");
    fs::write(&file, "not a directory").expect("write");
    for directory in [Path::new("/proc/sordini"), &file, &file.join("below")] {
        let lines = refused(command_in(directory, &[]));
        one_line_with(&lines, &[&directory.display().to_string()]);
    }
}

#[test]
fn a_foreign_directory_is_one_clear_line() {
    for foreign in [
        "version=1\nnode.id=5\ncluster.id=x\ndirectory.id=y\n",
        "version=0\nbroker.id=4711\ncluster.id=x\n",
    ] {
        let home = TempDir::new("foreign");
        fs::write(home.path().join("meta.properties"), foreign).expect("write");
        let lines = refused(command_in(home.path(), &[("broker.id", "7")]));
        one_line_with(&lines, &["meta.properties"]);
        assert_eq!(
            fs::read_to_string(home.path().join("meta.properties")).expect("read"),
            foreign,
            "left as it was"
        );
    }
}

/// Else all its topics would be gone, and new ones of their names would meet the old logs.
#[test]
fn logs_without_their_metadata_store_are_one_clear_line() {
    let mut broker = start(&[]);
    let mut connection = Connection::open(broker.address()).expect("connect");
    connection.create_topic("t", 2, &[]);
    broker.stop();
    let store = broker.log_dir().join("sordini.metadata");
    let content = fs::read(&store).expect("read");
    let files = || {
        let entries = fs::read_dir(broker.log_dir()).expect("listed");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("listed").file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    fs::write(&store, "").expect("write");
    let lines = refused(command_in(&broker.log_dir(), &[]));
    one_line_with(
        &lines,
        &[&store.display().to_string(), "is empty", "t-0 and 1 more log"],
    );
    assert_eq!((fs::read(&store).expect("read"), files()), (Vec::new(), before));
    fs::remove_file(&store).expect("removed");
    let lines = refused(command_in(&broker.log_dir(), &[]));
    one_line_with(&lines, &["there is no metadata store", "t-0 and 1 more log"]);
    fs::write(&store, content).expect("write");
    broker.restart();
    let mut connection = Connection::open(broker.address()).expect("connect again");
    assert_eq!(connection.list_offset("t", 1, -1), (0, 0));
}

#[test]
fn directories_are_created() {
    let home = TempDir::new("created");
    let ready = home.path().join("ready");
    let metadata = home.path().join("not/yet");
    let mut command = command_in(
        Path::new("bare-name"),
        &[("metadata.log.dir", &metadata.display().to_string())],
    );
    command.current_dir(home.path()).arg("--ready-file").arg(&ready);
    let mut child = Child::start(command);
    await_ready_file(&mut child, &ready);
    assert!(home.path().join("bare-name/meta.properties").exists());
    assert!(metadata.join("sordini.metadata").exists());
}

#[test]
fn twenty_side_by_side() {
    let mut brokers: Vec<Broker> = (0..20).map(|_| start(&[])).collect();
    let mut ports: Vec<u16> = brokers.iter().map(|broker| broker.address().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 20, "each has a port of its own");
    for broker in &brokers {
        let mut connection = Connection::open(broker.address()).expect("connect");
        let told: Vec<i32> = connection.brokers().into_iter().map(|(_, _, port)| port).collect();
        assert_eq!(
            told,
            [i32::from(broker.address().port())],
            "the bound port is the advertised one"
        );
        connection.create_topic("own", 1, &[]);
    }
    brokers.iter_mut().for_each(Broker::stop);
}

#[test]
fn a_log_of_an_old_format_keeps_only_its_own_partition_offline() {
    const KAFKA_STORAGE_ERROR: i16 = 56;
    const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    /// A message of format 0 at offset 0, its checksum right: no key, the value "v".
    const OLD: &[u8] = b"\0\0\0\0\0\0\0\0\0\0\0\x0f\xd2\x0c\xbf\xf5\0\0\xff\xff\xff\xff\0\0\0\x01v";
    let mut broker = start(&[]);
    let mut connection = Connection::open(broker.address()).expect("connect");
    for topic in ["old", "new"] {
        connection.create_topic(topic, 1, &[]);
    }
    broker.kill();
    let file = broker.log_dir().join("old-0/00000000000000000000.log");
    fs::write(&file, OLD).expect("write");
    broker.restart();
    let mut connection = Connection::open(broker.address()).expect("connect again");
    let batch = Batch::of(1, now_ms()).bytes();
    let refused = connection.produce("old", 0, -1, &batch).expect("an answer");
    assert_eq!(refused.error, KAFKA_STORAGE_ERROR, "{refused:?}\n{}", broker.log());
    // A Fetch of version 4: its client would not try again after a code that it does not know.
    assert_eq!(
        connection.fetch("old", 0, 0).expect("an answer").0,
        NOT_LEADER_OR_FOLLOWER
    );
    assert_eq!(connection.produce("new", 0, -1, &batch).expect("an answer").error, 0);
    let log = broker.log();
    for fact in [
        "old-0",
        "00000000000000000000.log",
        "magic 0",
        "byte 0",
        "not supported yet",
    ] {
        assert!(log.contains(fact), "{fact:?} is not in:\n{log}");
    }
    broker.stop();
    assert_eq!(fs::read(&file).expect("read"), OLD);
}

#[test]
fn signals_stop_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut broker = start(&[]);
        let mut connection = Connection::open(broker.address()).expect("connect");
        connection.create_topic("kept", 1, &[]);
        assert!(broker.stop_by(signal).success(), "{signal:?}:\n{}", broker.log());
        assert!(
            broker.log_dir().join(".kafka_cleanshutdown").exists(),
            "{signal:?}: no mark of a clean stop"
        );
        broker.restart();
        let mut connection = Connection::open(broker.address()).expect("connect again");
        assert_eq!(connection.list_offset("kept", 0, -1), (0, 0));
    }
}

#[test]
fn it_stops_while_clients_wait() {
    let mut broker = start(&[]);
    let mut connection = Connection::open(broker.address()).expect("connect");
    connection.create_topic("quiet", 1, &[]);
    connection.begin_long_fetch("quiet").expect("send");
    let _idle: Vec<Connection> = (0..20)
        .map(|_| Connection::open(broker.address()).expect("connect"))
        .collect();
    broker.stop();
}

#[test]
fn one_line_says_where_it_serves() {
    let broker = start(&[]);
    let (address, directory) = (broker.bootstrap(), broker.log_dir().display().to_string());
    let lines: Vec<String> = broker.log().lines().map(str::to_owned).collect();
    one_line_with(&lines, &[&address, &directory, " ms"]);
}

#[test]
fn process_one_stops_on_a_signal() {
    let home = TempDir::new("process-one");
    let ready = home.path().join("ready");
    let mut command = process_one_command(sordini_binary());
    for (key, value) in [
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("log.dirs", &home.path().join("data").to_string_lossy()),
    ] {
        command.arg("--override").arg(format!("{key}={value}"));
    }
    command.arg("--ready-file").arg(&ready);
    let mut unshare = Child::start(command);
    let address = await_ready_file(&mut unshare, &ready);
    Connection::open(address)
        .expect("connect")
        .api_versions()
        .expect("ApiVersions");
    unshare.signal_only_child(Signal::TERM);
    let status = unshare.wait(LIMIT).expect("process 1 stops on SIGTERM");
    assert!(status.success(), "{status}: {}", unshare.stderr());
}

#[test]
fn a_stdout_that_nobody_reads_keeps_nobody_from_being_served() {
    let home = TempDir::new("unread");
    let ready = home.path().join("ready");
    let mut command = command_in(&home.path().join("data"), &[]);
    command.arg("--ready-file").arg(&ready);
    let (unread, stdout) = std::io::pipe().expect("a pipe");
    drop(unread);
    let mut child = Child::start_with_stdout(command, stdout);
    let mut connection = Connection::open(await_ready_file(&mut child, &ready)).expect("connect");
    connection.api_versions().expect("ApiVersions");
    child.signal(Signal::TERM);
    let status = child.wait(LIMIT).expect("stops");
    assert!(status.success(), "{status}: {}", child.stderr());
    assert!(child.stderr().contains("stdout"), "{}", child.stderr());
}

#[test]
fn a_ready_file_that_cannot_be_written_is_one_clear_line() {
    let home = TempDir::new("ready");
    let data = home.path().join("data");
    let missing = home.path().join("missing").join("ready");
    for ready in [&missing, &home.path().to_path_buf()] {
        let mut command = command_in(&data, &[]);
        command.arg("--ready-file").arg(ready);
        one_line_with(&refused(command), &["--ready-file", &ready.display().to_string()]);
        assert!(!data.exists(), "something was touched");
    }
}

#[test]
fn an_override_for_a_host_that_does_not_resolve_is_one_clear_line() {
    let home = TempDir::new("overrides");
    let data = home.path().join("data");
    let overrides = [("max.connections.per.ip.overrides", "127.0.0.1:7,nowhere.invalid:5")];
    let lines = refused(command_in(&data, &overrides));
    one_line_with(
        &lines,
        &["max.connections.per.ip.overrides", "nowhere.invalid:5", "resolve"],
    );
    assert!(!data.exists(), "something was touched");
}

#[test]
fn an_ephemeral_broker_leaves_nothing() {
    let home = TempDir::new("ephemeral");
    let (temporary, ready) = (home.path().join("tmp"), home.path().join("ready"));
    fs::create_dir(&temporary).expect("create");
    let mut command = sordini_command(&[("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned())]);
    command
        .arg("--ephemeral")
        .arg("--ready-file")
        .arg(&ready)
        .env("TMPDIR", &temporary);
    let mut child = Child::start(command);
    let mut connection = Connection::open(await_ready_file(&mut child, &ready)).expect("connect");
    connection.create_topic("gone-tomorrow", 3, &[]);
    let count = || fs::read_dir(&temporary).expect("read").count();
    assert_eq!(count(), 1, "its directory lies in the temporary one");
    child.signal(Signal::TERM);
    assert!(
        child.wait(LIMIT).is_some_and(|status| status.success()),
        "{}",
        child.stderr()
    );
    assert_eq!(count(), 0, "it removes what it made");
}

#[test]
fn a_temporary_directory_that_is_not_there_is_named() {
    let mut command = sordini_command(&[]);
    command.arg("--ephemeral").env("TMPDIR", "/nowhere/at/all");
    one_line_with(&refused(command), &["--ephemeral", "/nowhere/at/all"]);
}

#[test]
fn clients_are_told_the_address_that_they_came_by() {
    let home = TempDir::new("listeners");
    let ready = home.path().join("ready");
    let (first, second, third) = (free_port(), free_port(), free_port());
    let listeners = format!("PLAINTEXT://0.0.0.0:{first},SIX://[::1]:{second},FAR://127.0.0.1:{third}");
    let map = "PLAINTEXT:PLAINTEXT,SIX:PLAINTEXT,FAR:PLAINTEXT";
    let data = home.path().join("data");
    let mut command = command_in(
        &data,
        &[("listeners", &listeners), ("listener.security.protocol.map", map)],
    );
    command.arg("--ready-file").arg(&ready);
    let mut child = Child::start(command);
    await_some("the ready file", LIMIT, || {
        assert!(child.ended().is_none(), "{}", child.stderr());
        fs::read_to_string(&ready).ok().filter(|text| !text.is_empty())
    });
    for (ip, port) in [
        ("127.0.0.1", first),
        ("127.0.0.2", first),
        ("::1", second),
        ("127.0.0.1", third),
    ] {
        let address = SocketAddr::new(ip.parse().expect("an address"), port);
        let told = Connection::open(address).expect("connect").brokers();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(
            (told[0].1.as_str(), told[0].2),
            (ip, i32::from(port)),
            "told on {address}"
        );
    }
}

#[test]
fn an_advertised_address_is_told() {
    let broker = start(&[("advertised.listeners", "PLAINTEXT://broker.example:9999")]);
    let told = Connection::open(broker.address()).expect("connect").brokers();
    assert_eq!((told[0].1.as_str(), told[0].2), ("broker.example", 9999));
}

#[test]
fn help_version_and_keys() {
    let sordini = |argument: &str| {
        let mut command = Command::new(sordini_binary());
        command.arg(argument);
        run(command, LIMIT).expect_success(argument)
    };
    assert!(sordini("--help").contains("--override"));
    assert!(sordini("--version").starts_with("sordini "));
    let keys = sordini("config");
    for key in [
        "num.partitions",
        "log.retention.ms",
        "connections.max.idle.ms",
        "cleanup.policy",
    ] {
        assert!(keys.contains(key), "{key} is missing");
    }
}

#[test]
fn log_lines_for_machines() {
    let home = TempDir::new("json");
    let ready = home.path().join("ready");
    let mut command = command_in(&home.path().join("data"), &[]);
    command.args(["--log-format", "json", "--ready-file"]).arg(&ready);
    let mut child = Child::start(command);
    await_ready_file(&mut child, &ready);
    child.signal(Signal::TERM);
    assert!(
        child.wait(LIMIT).is_some_and(|status| status.success()),
        "{}",
        child.stderr()
    );
    let said = child.stderr();
    assert!(!said.is_empty(), "nothing was logged");
    for line in said.lines() {
        let object = line.starts_with('{') && line.ends_with('}') && line.contains("\"level\":");
        assert!(object, "not a JSON object: {line}");
    }
}
