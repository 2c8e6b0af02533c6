//! Several brokers on one ZooKeeper: who leads, who follows, what is lost when brokers die (nothing), and who answers what.

use std::time::Duration;

use integration_tests::batch::Batch;
use integration_tests::brokers::{Brokers, LIMIT};
use integration_tests::child::{await_some, run};
use integration_tests::cluster::sordini_command;
use integration_tests::temp_dir::TempDir;
use integration_tests::tools::{TOOL_LIMIT, java};
use integration_tests::wire::{Body, Connection};

use crate::tree::Tree;

const NOT_LEADER: i16 = 6;
const NOT_ENOUGH_REPLICAS: i16 = 19;
const NOT_CONTROLLER: i16 = 41;
pub(crate) const ALL: i16 = -1;

pub(crate) fn leader(brokers: &Brokers, ask: i32, topic: &str) -> i32 {
    let view = brokers.await_view(ask, topic, "a leader", |view| {
        view.partitions.first().is_some_and(|it| it.leader > 0)
    });
    view.partitions[0].leader
}

pub(crate) fn others(of: i32) -> [i32; 2] {
    match of {
        1 => [2, 3],
        2 => [1, 3],
        _ => [1, 2],
    }
}

/// Writes one record to whoever leads partition 0, as broker `ask` says, until it is acknowledged.
pub(crate) fn write(brokers: &Brokers, ask: i32, topic: &str, acks: i16) {
    let batch = Batch::of(1, 1_700_000_000_000).bytes();
    await_some("an acknowledged record", LIMIT, || {
        let view = brokers.view(ask, topic).ok()?;
        let leader = view
            .partitions
            .first()
            .map(|it| it.leader)
            .filter(|leader| *leader > 0)?;
        let mut client = Connection::open(brokers.get(leader).address()).ok()?;
        let produced = client.produce(topic, 0, acks, &batch).ok()?;
        match produced.error {
            0 => Some(()),
            _ => {
                std::thread::sleep(Duration::from_millis(20));
                None
            }
        }
    });
}

pub(crate) fn count(brokers: &Brokers, ask: i32, topic: &str) -> usize {
    brokers.client(leader(brokers, ask, topic)).read_all(topic, 0).len()
}

#[test]
fn they_know_each_other_and_replicate() {
    let brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 6, 3, &[]);
    let view = brokers.view(1, "t").expect("answered");
    let mut leaders: Vec<i32> = view.partitions.iter().map(|it| it.leader).collect();
    leaders.sort_unstable();
    assert_eq!(leaders, [1, 1, 2, 2, 3, 3], "each leads its share");
    let leader = view.partitions[0].leader;
    let batch = Batch::of(10, 1_700_000_000_000).bytes();
    for acks in [ALL, 1, ALL] {
        let produced = brokers.client(leader).produce("t", 0, acks, &batch).expect("answered");
        assert_eq!(produced.error, 0);
    }
    assert_eq!(brokers.client(leader).read_all("t", 0).len(), 30);
    let follower = others(leader)[0];
    let refused = brokers.client(follower).produce("t", 0, ALL, &batch).expect("answered");
    assert_eq!(refused.error, NOT_LEADER);
    let (code, _) = brokers.try_create_topic(others(view.controller)[0], "u", 1, 1, &[]);
    assert_eq!(code, NOT_CONTROLLER);
    let tree = Tree::open(&brokers.zookeeper.connect());
    assert_eq!(tree.children("/brokers/ids"), ["1", "2", "3"]);
    let state = tree.json("/brokers/topics/t/partitions/0/state");
    assert_eq!(state["isr"].as_array().map(Vec::len), Some(3));
}

#[test]
fn what_is_acknowledged_outlives_its_leader() {
    let mut brokers = Brokers::start(3, &[("min.insync.replicas", "2")]);
    brokers.create_topic("t", 1, 3, &[]);
    let first = leader(&brokers, 1, "t");
    let [second, third] = others(first);
    (0..20).for_each(|_| write(&brokers, second, "t", ALL));
    brokers.get_mut(first).kill();
    write(&brokers, second, "t", ALL);
    assert_eq!(count(&brokers, third, "t"), 21, "all of them, and the one since");
    let now = leader(&brokers, second, "t");
    assert_ne!(now, first);

    // With one of three left nothing is acknowledged by all, but by one.
    let last = if now == second { third } else { second };
    brokers.get_mut(last).kill();
    brokers.await_isr(now, "t", &[now]);
    let batch = Batch::of(1, 1_700_000_000_000).bytes();
    let refused = brokers.client(now).produce("t", 0, ALL, &batch).expect("answered");
    assert_eq!(refused.error, NOT_ENOUGH_REPLICAS, "{refused:?}");
    write(&brokers, now, "t", 1);

    brokers.get_mut(first).restart();
    brokers.get_mut(last).restart();
    for id in 1..=3 {
        brokers.await_isr(id, "t", &[1, 2, 3]);
    }
    write(&brokers, first, "t", ALL);
    assert_eq!(count(&brokers, last, "t"), 23);
}

#[test]
fn another_broker_becomes_controller() {
    let mut brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 3, 3, &[]);
    let first = brokers.view(1, "").expect("answered").controller;
    let [second, third] = others(first);
    brokers.get_mut(first).kill();
    for id in [second, third] {
        brokers.await_view(id, "t", "another controller", |view| {
            let is_led = |leader: i32| leader > 0 && leader != first;
            view.controller > 0 && view.controller != first && view.partitions.iter().all(|it| is_led(it.leader))
        });
    }
    brokers.create_topic("u", 3, 2, &[]);
    brokers.get_mut(first).restart();
    brokers.await_isr(first, "t", &[1, 2, 3]);

    // A process that hangs is as good as dead to the others, and comes back without help.
    let controller = brokers.view(second, "").expect("answered").controller;
    let [one, other] = others(controller);
    brokers.pause(controller);
    brokers.await_view(one, "t", "another controller", |view| {
        view.controller > 0 && view.controller != controller && view.partitions.iter().all(|it| it.leader != controller)
    });
    write(&brokers, one, "t", ALL);
    std::thread::sleep(Duration::from_secs(8));
    brokers.resume(controller);
    for id in [one, other, controller] {
        brokers.await_isr(id, "t", &[1, 2, 3]);
    }
}

#[test]
fn a_broker_that_stops_hands_over() {
    let mut brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 3, 3, &[]);
    for id in 1..=3 {
        let other = others(id)[0];
        brokers.get_mut(id).stop();
        let view = brokers.await_view(other, "t", "others lead", |view| {
            view.partitions.iter().all(|it| it.leader > 0 && it.leader != id)
        });
        assert!(view.partitions.iter().all(|it| it.isr.len() == 2), "{view:?}");
        write(&brokers, other, "t", ALL);
        brokers.get_mut(id).restart();
        brokers.await_isr(other, "t", &[1, 2, 3]);
    }
    assert_eq!(count(&brokers, 1, "t"), 3);
}

#[test]
fn a_deleted_topic_is_gone_everywhere() {
    let mut brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 2, 3, &[]);
    let controller = brokers.view(1, "").expect("answered").controller;
    // Whose replica is not there deletes it when it comes back.
    let away = others(controller)[0];
    brokers.get_mut(away).kill();
    brokers.await_view(controller, "t", "it is gone", |view| view.brokers.len() == 2);
    let body = Body::new().i32(1).string("t").i32(1_000);
    brokers.client(controller).ask(20, 1, &body).expect("DeleteTopics");
    let tree = Tree::open(&brokers.zookeeper.connect());
    assert!(tree.exists("/admin/delete_topics/t"), "one replica is left");
    brokers.get_mut(away).restart();
    await_some("the topic is gone", LIMIT, || {
        (!tree.exists("/brokers/topics/t")).then_some(())
    });
    for id in 1..=3 {
        let names = std::fs::read_dir(brokers.get(id).log_dir()).expect("a directory");
        let left = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let left: Vec<String> = left
            .filter(|name| name.starts_with("t-") && !name.ends_with("-delete"))
            .collect();
        assert_eq!(left, [""; 0], "broker {id}");
    }
    brokers.create_topic("t", 2, 3, &[]);
}

/// Who coordinates group `g`.
fn coordinator(brokers: &Brokers) -> i32 {
    await_some("a coordinator", LIMIT, || {
        let mut answer = brokers.client(1).ask(10, 1, &Body::new().string("g").i8(0)).ok()?;
        answer.i32();
        let code = answer.i16();
        answer.string();
        (code == 0).then(|| answer.i32())
    })
}

#[test]
fn groups_go_on_with_another_coordinator() {
    let mut brokers = Brokers::start(3, &[("offsets.topic.num.partitions", "1")]);
    brokers.create_topic("t", 1, 3, &[]);
    let coordinator = coordinator(&brokers);
    brokers.client(coordinator).commit_offset("g", "t", 0, 7);
    brokers.await_isr(coordinator, "__consumer_offsets", &[1, 2, 3]);
    let other = others(coordinator)[0];
    brokers.get_mut(coordinator).kill();
    let next = await_some("another coordinator", LIMIT, || {
        let view = brokers.view(other, "__consumer_offsets").ok()?;
        let leader = view.partitions.first()?.leader;
        (leader > 0 && leader != coordinator).then_some(leader)
    });
    assert_eq!(brokers.client(next).committed_offset("g", "t", 0), 7);
}

/// The broker that coordinates a group is told to delete its replica both times; once the topic stays.
#[test]
fn committed_offsets_stay_when_a_replica_moves_and_go_with_their_topic() {
    let brokers = Brokers::start(3, &[("offsets.topic.num.partitions", "1")]);
    brokers.create_topic("t", 1, 3, &[]);
    let coordinator = coordinator(&brokers);
    brokers.client(coordinator).commit_offset("g", "t", 0, 7);
    let replicas = others(coordinator);
    let controller = brokers.view(1, "").expect("answered").controller;
    let partition = Body::new()
        .i32(0)
        .uvarint(3)
        .i32(replicas[0])
        .i32(replicas[1])
        .uvarint(0);
    let topic = Body::new().uvarint(2).raw(b"t").uvarint(2).append(partition).uvarint(0);
    let request = Body::new().i32(10_000).uvarint(2).append(topic).uvarint(0);
    let mut client = brokers.client(controller);
    client.send(45, 0, true, &request).expect("sent");
    client.receive().expect("AlterPartitionReassignments");
    brokers.await_view(coordinator, "t", "other replicas", |view| {
        view.partitions[0].replicas == replicas
    });
    let log = brokers.get(coordinator).log_dir().join("t-0");
    await_some("the replica is deleted", LIMIT, || (!log.exists()).then_some(()));
    assert_eq!(brokers.client(coordinator).committed_offset("g", "t", 0), 7);

    let deletion = Body::new().i32(1).string("t").i32(10_000);
    brokers.client(controller).ask(20, 1, &deletion).expect("DeleteTopics");
    await_some("the offset goes with its topic", LIMIT, || {
        (brokers.client(coordinator).committed_offset("g", "t", 0) == -1).then_some(())
    });
}

#[test]
fn any_broker_changes_a_topics_configuration() {
    let brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 3, 3, &[]);
    let set = |id: i32, key: &str, value: &str| {
        let head = Body::new()
            .i32(1)
            .i8(2)
            .string("t")
            .i32(1)
            .string(key)
            .i8(0)
            .string(value);
        let mut answer = brokers
            .client(id)
            .ask(44, 0, &head.i8(0))
            .expect("IncrementalAlterConfigs");
        answer.i32();
        answer.i32();
        assert_eq!(answer.i16(), 0, "{:?}", answer.string());
    };
    for id in 1..=3 {
        set(
            id,
            ["retention.ms", "segment.ms", "max.message.bytes"][id as usize - 1],
            "3600000",
        );
    }
    let tree = Tree::open(&brokers.zookeeper.connect());
    let config = tree.json("/config/topics/t");
    assert_eq!(
        config["config"].as_object().map(serde_json::Map::len),
        Some(3),
        "{config}"
    );
    let described = |id: i32| {
        let body = Body::new().i32(1).i8(2).string("t").i32(1).string("retention.ms");
        let mut answer = brokers.client(id).ask(32, 0, &body).expect("DescribeConfigs");
        answer.i32();
        answer.i32();
        answer.i16();
        answer.string();
        answer.i8();
        answer.string();
        answer.i32();
        answer.string();
        answer.string()
    };
    for id in 1..=3 {
        await_some("all brokers have heard", LIMIT, || {
            (described(id)? == "3600000").then_some(())
        });
    }
}

#[test]
fn an_id_is_only_one_brokers() {
    let brokers = Brokers::start(1, &[]);
    let home = TempDir::new("second");
    let overrides = [
        ("broker.id".to_owned(), "1".to_owned()),
        ("zookeeper.connect".to_owned(), brokers.zookeeper.connect()),
        ("log.dirs".to_owned(), home.path().join("data").display().to_string()),
        ("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned()),
    ];
    let refused = run(sordini_command(&overrides), LIMIT);
    assert!(!refused.succeeded(), "{refused:?}");
    assert!(
        format!("{refused:?}").contains("a broker with the id 1 is registered already"),
        "{refused:?}"
    );
    assert_eq!(brokers.view(1, "").expect("answered").brokers, [1]);
}

/// Kafka's own tools, from the jars of 3.9.1.
fn tool(brokers: &Brokers, class: &str, words: &[&str]) -> String {
    let mut command = java("3.9.1", class);
    let bootstrap = brokers.get(1).bootstrap();
    command.args(["--bootstrap-server", &bootstrap]).args(words);
    run(command, TOOL_LIMIT).expect_success(class)
}

#[test]
fn kafkas_tools_move_partitions_and_elect_leaders() {
    let mut brokers = Brokers::start(3, &[("auto.leader.rebalance.enable", "false")]);
    brokers.create_topic("t", 1, 2, &[]);
    (0..10).for_each(|_| write(&brokers, 1, "t", ALL));
    let before = brokers.view(1, "t").expect("answered").partitions[0].replicas.clone();
    let [first, second] = before[..] else {
        panic!("{before:?}")
    };
    let third = 6 - first - second;
    let home = TempDir::new("plan");
    let plan = home.path().join("plan.json");
    let json = format!(r#"{{"version":1,"partitions":[{{"topic":"t","partition":0,"replicas":[{third},{second}]}}]}}"#);
    std::fs::write(&plan, json).expect("written");
    let plan = plan.display().to_string();
    let reassign = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
    tool(&brokers, reassign, &["--reassignment-json-file", &plan, "--execute"]);
    await_some("the partition has moved", LIMIT, || {
        let said = tool(&brokers, reassign, &["--reassignment-json-file", &plan, "--verify"]);
        said.contains("is completed").then_some(())
    });
    let view = brokers.await_view(1, "t", "other replicas", |view| {
        view.partitions[0].replicas == [third, second]
    });
    assert_eq!(view.partitions[0].leader, third, "the first of those that are wanted");
    assert_eq!(count(&brokers, 1, "t"), 10);
    write(&brokers, 1, "t", ALL);
    let log_dir = brokers.get(first).log_dir();
    await_some("the old replica is gone", LIMIT, || {
        (!log_dir.join("t-0").exists()).then_some(())
    });

    // Leadership goes elsewhere with a restart, and back when it is asked for.
    brokers.get_mut(third).stop();
    brokers.await_view(second, "t", "another leader", |view| {
        view.partitions[0].leader == second
    });
    brokers.get_mut(third).restart();
    let mut both = [second, third];
    both.sort_unstable();
    brokers.await_isr(second, "t", &both);
    let elect = "org.apache.kafka.tools.LeaderElectionCommand";
    tool(
        &brokers,
        elect,
        &["--election-type", "PREFERRED", "--all-topic-partitions"],
    );
    brokers.await_view(second, "t", "the preferred leader", |view| {
        view.partitions[0].leader == third
    });
    assert_eq!(count(&brokers, 1, "t"), 11);
}

#[test]
fn leadership_goes_back_to_preferred_replicas() {
    let mut brokers = Brokers::start(3, &[("leader.imbalance.check.interval.seconds", "1")]);
    brokers.create_topic("t", 3, 3, &[]);
    brokers.get_mut(2).stop();
    brokers.await_isr(1, "t", &[1, 3]);
    brokers.get_mut(2).restart();
    brokers.await_view(1, "t", "each leads what it is preferred for", |view| {
        view.partitions.iter().all(|it| it.leader == it.replicas[0])
    });
}

#[test]
fn consumers_read_from_the_follower_in_their_rack() {
    let brokers = Brokers::start_each(3, |id| {
        let rack = ["a", "b", "c"][id as usize - 1];
        vec![
            ("broker.rack", rack),
            (
                "replica.selector.class",
                "org.apache.kafka.common.replica.RackAwareReplicaSelector",
            ),
        ]
    });
    brokers.create_topic("t", 1, 3, &[]);
    (0..5).for_each(|_| write(&brokers, 1, "t", ALL));
    let first = leader(&brokers, 1, "t");
    let near = others(first)[0];
    let rack = ["a", "b", "c"][near as usize - 1];
    let fetch = |id: i32, rack: &str| {
        let head = Body::new().i32(-1).i32(500).i32(1).i32(1 << 20).i8(0).i32(0).i32(-1);
        let partition = head
            .i32(1)
            .string("t")
            .i32(1)
            .i32(0)
            .i32(-1)
            .i64(0)
            .i64(-1)
            .i32(1 << 20);
        let body = partition.i32(0).string(rack);
        let mut answer = brokers.client(id).ask(1, 11, &body).expect("Fetch");
        answer.take(4 + 2 + 4 + 4);
        answer.string();
        answer.take(4 + 4);
        let code = answer.i16();
        answer.take(24);
        let aborted = answer.i32().max(0) as usize;
        answer.take(aborted * 16);
        (code, answer.i32(), answer.i32())
    };
    let (code, preferred, bytes) = await_some("the follower to read from", LIMIT, || {
        let answer = fetch(first, rack);
        (answer.1 == near).then_some(answer)
    });
    assert_eq!((code, preferred, bytes), (0, near, 0), "nothing comes from the leader");
    let (code, preferred, bytes) = await_some("the follower's records", LIMIT, || {
        let answer = fetch(near, rack);
        (answer.2 > 0).then_some(answer)
    });
    assert!(code == 0 && preferred == -1 && bytes > 0);
    let (code, preferred, bytes) = fetch(first, "nowhere");
    assert!(
        code == 0 && preferred == -1 && bytes > 0,
        "the leader serves who has nobody near"
    );
}

#[test]
fn records_are_deleted_on_all_replicas() {
    let brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 1, 3, &[]);
    (0..5).for_each(|_| write(&brokers, 1, "t", ALL));
    let first = leader(&brokers, 1, "t");
    let body = Body::new().i32(1).string("t").i32(1).i32(0).i64(3).i32(30_000);
    let mut answer = brokers.client(first).ask(21, 1, &body).expect("DeleteRecords");
    answer.take(4 + 4);
    answer.string();
    answer.take(4 + 4);
    assert_eq!((answer.i64(), answer.i16()), (3, 0), "low watermark and code");
    assert_eq!(count(&brokers, 1, "t"), 2);
}
