//! One broker on a real ZooKeeper: what it registers, what it does when ZooKeeper or it itself goes away, and what it refuses.

use std::time::Duration;

use integration_tests::batch::Batch;
use integration_tests::child::{await_some, run};
use integration_tests::cluster::{Broker, sordini_command};
use integration_tests::temp_dir::TempDir;
use integration_tests::wire::Connection;
use integration_tests::zookeeper::ZooKeeper;

use crate::tree::Tree;

const LIMIT: Duration = Duration::from_secs(60);

fn broker_on(connect: &str, overrides: &[(&str, &str)]) -> Broker {
    let mut all = vec![("broker.id", "1"), ("zookeeper.connect", connect)];
    all.extend_from_slice(overrides);
    Broker::start_with(&all)
}

fn client(broker: &Broker) -> Connection {
    Connection::open(broker.address()).expect("connect")
}

fn write(broker: &Broker, topic: &str, count: i32) {
    let batch = Batch::of(count, 1_700_000_000_000).bytes();
    let produced = client(broker).produce(topic, 0, -1, &batch).expect("answered");
    assert_eq!(produced.error, 0);
}

#[test]
fn it_keeps_kafkas_znodes() {
    let server = ZooKeeper::start();
    let connect = format!("{}/kafka", server.connect());
    let mut broker = broker_on(&connect, &[("broker.rack", "r1")]);
    client(&broker).create_topic("t", 2, &[("retention.ms", "3600000")]);
    client(&broker).init_producer_id();
    let tree = Tree::open(&connect);

    let registration = tree.json("/brokers/ids/1");
    let port = broker.address().port();
    assert_eq!(registration["version"], 5);
    assert_eq!(registration["host"], "127.0.0.1");
    assert_eq!(registration["port"], port);
    assert_eq!(registration["endpoints"][0], format!("PLAINTEXT://127.0.0.1:{port}"));
    assert_eq!(registration["listener_security_protocol_map"]["PLAINTEXT"], "PLAINTEXT");
    assert_eq!(registration["rack"], "r1");
    assert_eq!(registration["features"], serde_json::json!({}));
    assert!(registration["sordini"].is_string(), "our mark");
    assert_eq!(tree.stat("/brokers/ids/1").version, 1, "created empty, then set");
    assert_eq!(tree.json("/controller")["brokerid"], 1);
    assert_eq!(tree.text("/controller_epoch"), "1");
    let topic = tree.json("/brokers/topics/t");
    assert_eq!(topic["partitions"], serde_json::json!({"0": [1], "1": [1]}));
    let state = tree.json("/brokers/topics/t/partitions/1/state");
    assert_eq!(
        (&state["leader"], &state["leader_epoch"], &state["controller_epoch"]),
        (&1.into(), &0.into(), &1.into())
    );
    assert_eq!(tree.json("/config/topics/t")["config"]["retention.ms"], "3600000");
    assert_eq!(tree.json("/latest_producer_id_block")["block_end"], "999");
    let mut top = tree.children("/");
    top.retain(|name| name != "controller");
    let expected = "admin,brokers,cluster,config,consumers,controller_epoch,feature,isr_change_notification,\
                    latest_producer_id_block,log_dir_event_notification";
    assert_eq!(top.join(","), expected);

    // ZooKeeper's own shell reads them, too.
    let said = server
        .shell(&["get", "/kafka/brokers/ids/1"])
        .expect_success("zookeeper-shell get");
    assert!(said.contains("\"listener_security_protocol_map\""), "{said}");

    broker.stop();
    assert_eq!(
        tree.children("/brokers/ids"),
        [""; 0],
        "it has taken its registration back"
    );
    assert!(!tree.exists("/controller"));
}

#[test]
fn it_comes_back_before_its_old_session_is_over() {
    let server = ZooKeeper::start();
    let connect = server.connect();
    let mut broker = broker_on(&connect, &[("zookeeper.session.timeout.ms", "60000")]);
    client(&broker).create_topic("t", 1, &[]);
    write(&broker, "t", 3);
    let tree = Tree::open(&connect);
    let epoch = tree.stat("/brokers/ids/1").czxid;
    broker.kill();
    assert!(tree.exists("/brokers/ids/1"), "its session outlives it");
    broker.restart();
    assert!(tree.stat("/brokers/ids/1").czxid > epoch, "another broker epoch");
    write(&broker, "t", 3);
    assert_eq!(client(&broker).read_all("t", 0).len(), 6);
    assert_eq!(tree.text("/controller_epoch"), "2");
}

#[test]
fn it_serves_while_zookeeper_is_away_and_registers_anew() {
    let mut server = ZooKeeper::start();
    let connect = server.connect();
    let mut broker = broker_on(&connect, &[("zookeeper.session.timeout.ms", "2000")]);
    client(&broker).create_topic("t", 1, &[]);
    let before = Tree::open(&connect).stat("/brokers/ids/1").czxid;

    server.pause();
    await_some("the session is over", LIMIT, || {
        write(&broker, "t", 1);
        // What it noticed first – its place, configurations, log directories – differs; that it cannot join again it says in any case.
        broker
            .log()
            .contains("this broker is no member of its cluster")
            .then_some(())
    });
    let (code, message) = client(&broker).try_create_topic("u", 1, &[]);
    assert_eq!(code, 41, "NOT_CONTROLLER: {message:?}");
    write(&broker, "t", 1);
    server.resume();
    await_some("it is the controller again", LIMIT, || {
        let (code, _) = client(&broker).try_create_topic("u", 1, &[]);
        (code == 0).then_some(())
    });
    let after = Tree::open(&connect).stat("/brokers/ids/1").czxid;
    assert!(after > before, "another registration");
    write(&broker, "u", 1);

    // A server that is back within the session's time has lost nothing, and is hardly noticed.
    server.kill();
    write(&broker, "t", 1);
    server.restart();
    await_some("topics can be created again", LIMIT, || {
        let (code, _) = client(&broker).try_create_topic("v", 1, &[]);
        (code == 0 || code == 36).then_some(())
    });

    // Away while it stops: it does not wait for ever.
    server.pause();
    broker.stop();
}

#[test]
fn somebody_takes_its_place_away() {
    let server = ZooKeeper::start();
    let broker = broker_on(&server.connect(), &[]);
    let tree = Tree::open(&server.connect());
    tree.delete("/controller");
    await_some("a new election", LIMIT, || {
        (tree.text("/controller_epoch") == "2").then_some(())
    });
    await_some("topics can be created", LIMIT, || {
        let (code, _) = client(&broker).try_create_topic("t", 1, &[]);
        (code == 0).then_some(())
    });
    write(&broker, "t", 1);
}

/// What a broker says that ends at once with status 1: one line.
#[track_caller]
fn refusal(overrides: &[(&str, &str)]) -> String {
    let home = TempDir::new("refused");
    let mut all = vec![
        ("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned()),
        ("log.dirs".to_owned(), home.path().join("data").display().to_string()),
        ("zookeeper.connection.timeout.ms".to_owned(), "5000".to_owned()),
    ];
    all.extend(
        overrides
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string())),
    );
    let finished = run(sordini_command(&all), LIMIT);
    assert_eq!(
        finished.status.and_then(|status| status.code()),
        Some(1),
        "{}",
        finished.stderr
    );
    let lines: Vec<&str> = finished.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(lines.len(), 1, "{}", finished.stderr);
    lines[0].to_owned()
}

#[test]
fn what_cannot_be_is_refused_with_one_line() {
    let server = ZooKeeper::start();
    let connect = server.connect();
    let said = refusal(&[
        ("zookeeper.connect", "127.0.0.1:1"),
        ("zookeeper.connection.timeout.ms", "500"),
    ]);
    assert!(
        said.contains("no ZooKeeper server of zookeeper.connect 127.0.0.1:1 has answered within 500 ms"),
        "{said}"
    );

    let broker = broker_on(&connect, &[]);
    let said = refusal(&[("zookeeper.connect", &connect), ("broker.id", "1")]);
    assert!(said.contains("a broker with the id 1 is registered already"), "{said}");
    client(&broker).create_topic("t", 1, &[]);
    write(&broker, "t", 1);

    // Somebody else has the id, though nobody is controller.
    let taken = format!("{connect}/taken");
    let tree = Tree::open(&taken);
    for path in ["/brokers", "/brokers/ids"] {
        tree.create(path, "");
    }
    tree.create_ephemeral("/brokers/ids/7");
    let said = refusal(&[("zookeeper.connect", &taken), ("broker.id", "7")]);
    assert!(said.contains("a broker with the id 7 is registered already"), "{said}");
    assert!(!tree.exists("/controller"), "it has not stood for election");

    let tree = Tree::open(&format!("{connect}/garbage"));
    tree.create("/cluster", "");
    tree.create("/cluster/id", "not JSON");
    let garbage = format!("{connect}/garbage");
    let said = refusal(&[("zookeeper.connect", &garbage)]);
    assert!(said.contains("znode /cluster/id cannot be understood"), "{said}");
    assert_eq!(tree.text("/cluster/id"), "not JSON", "nothing is mended");
}
