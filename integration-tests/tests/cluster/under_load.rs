//! What happens to those who write and read while brokers and ZooKeeper die, hang, stop and come back: nothing but a pause.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use integration_tests::brokers::{Brokers, LIMIT};
use integration_tests::child::await_some;
use integration_tests::numbered::Numbered;
use integration_tests::wire::Body;

use crate::several_brokers::{ALL, count, leader, others, write};
use crate::tree::Tree;

const IDS: [i32; 3] = [1, 2, 3];

fn three(partitions: i32) -> Brokers {
    let brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", partitions, 3, &[("min.insync.replicas", "2")]);
    brokers
}

fn controller(brokers: &Brokers, ask: i32) -> i32 {
    let view = brokers.await_view(ask, "", "a controller", |view| view.controller > 0);
    view.controller
}

fn await_all_in_sync(brokers: &Brokers, topic: &str) {
    for id in IDS {
        brokers.await_isr(id, topic, &IDS);
    }
}

#[test]
fn brokers_are_killed_one_after_the_other() {
    let mut brokers = three(6);
    let mut numbered = Numbered::start(&brokers, "t", 6);
    let mut killed: Vec<i32> = IDS.to_vec();
    // Whoever is the controller goes first, and again at the end.
    let first = controller(&brokers, 1);
    killed.sort_by_key(|id| *id != first);
    for id in killed {
        brokers.get_mut(id).kill();
        numbered.await_more("with one broker dead");
        brokers.get_mut(id).restart();
        await_all_in_sync(&brokers, "t");
    }
    let last = controller(&brokers, 1);
    brokers.get_mut(last).kill();
    // Without a pause it is back before anybody has missed it.
    brokers.get_mut(last).restart();
    await_all_in_sync(&brokers, "t");
    numbered.await_more("with all back");
    println!("{}", numbered.finish());
}

#[test]
fn brokers_are_restarted_one_after_the_other() {
    let mut brokers = three(6);
    let mut numbered = Numbered::start(&brokers, "t", 6);
    for id in IDS {
        brokers.get_mut(id).stop();
        numbered.await_more("with one broker stopped");
        brokers.get_mut(id).restart();
        await_all_in_sync(&brokers, "t");
    }
    println!("{}", numbered.finish());
}

#[test]
fn a_partition_is_never_without_a_leader_while_a_broker_stops() {
    let mut brokers = three(6);
    for id in IDS {
        let [one, _] = others(id);
        let stopped = AtomicBool::new(false);
        let address = brokers.get(one).address();
        thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut seen = Vec::new();
                while !stopped.load(Ordering::SeqCst) {
                    let view = Brokers::view_at(address, "t").expect("the others answer");
                    seen.extend(view.partitions.into_iter().filter(|it| it.leader < 0 || it.error != 0));
                }
                seen
            });
            brokers.get_mut(id).stop();
            stopped.store(true, Ordering::SeqCst);
            let seen = watching.join().expect("the watch ends");
            assert!(seen.is_empty(), "while broker {id} stopped: {seen:?}");
        });
        brokers.get_mut(id).restart();
        await_all_in_sync(&brokers, "t");
    }
}

#[test]
fn only_the_controller_says_that_a_topic_is_unknown() {
    let mut brokers = three(1);
    let first = controller(&brokers, 1);
    let [id, _] = others(first);
    // Nobody tells it anything: it knows of no topic when it comes back.
    brokers.get_mut(id).kill();
    brokers.await_view(first, "", "it is gone", |view| !view.brokers.contains(&id));
    brokers.pause(first);
    brokers.get_mut(id).restart();
    let mut answer = brokers
        .client(id)
        .ask(20, 1, &Body::new().i32(1).string("t").i32(1_000))
        .expect("DeleteTopics");
    answer.take(4 + 4);
    assert_eq!(answer.string().as_deref(), Some("t"));
    // It may have become the controller by now. That the topic is not there nobody is to say.
    let code = answer.i16();
    assert!(matches!(code, 0 | 41), "{code}");
    brokers.resume(first);
    if code != 0 {
        await_all_in_sync(&brokers, "t");
    }
}

#[test]
fn brokers_hang_for_longer_than_their_session() {
    let mut brokers = three(6);
    let tree = Tree::open(&brokers.zookeeper.connect());
    let mut numbered = Numbered::start(&brokers, "t", 6);
    let first = controller(&brokers, 1);
    for id in [first, others(first)[0]] {
        let session = tree.stat(&format!("/brokers/ids/{id}")).ephemeral_owner;
        brokers.pause(id);
        numbered.await_more("while one broker hangs");
        await_some("the session of the broker that hangs is over", LIMIT, || {
            (!brokers.zookeeper.has_session(session)).then_some(())
        });
        brokers.resume(id);
        await_all_in_sync(&brokers, "t");
        assert_ne!(tree.stat(&format!("/brokers/ids/{id}")).ephemeral_owner, session);
    }
    numbered.await_more("with all back");
    println!("{}", numbered.finish());
}

#[test]
fn zookeeper_hangs_and_dies_and_comes_back() {
    let mut brokers = three(3);
    let mut numbered = Numbered::start(&brokers, "t", 3);
    brokers.zookeeper.pause();
    numbered.await_more("while ZooKeeper hangs");
    brokers.zookeeper.resume();
    brokers.create_topic("u", 3, 3, &[]);
    brokers.zookeeper.kill();
    numbered.await_more("without ZooKeeper");
    brokers.zookeeper.restart();
    brokers.create_topic("v", 3, 3, &[]);
    await_all_in_sync(&brokers, "t");
    numbered.await_more("with all back");
    println!("{}", numbered.finish());
}

#[test]
fn all_brokers_are_killed_at_once() {
    let mut brokers = Brokers::start(3, &[("offsets.topic.num.partitions", "1")]);
    brokers.create_topic("t", 3, 3, &[("min.insync.replicas", "2"), ("retention.ms", "3600000")]);
    (0..50).for_each(|_| write(&brokers, 1, "t", ALL));
    await_some("a coordinator", LIMIT, || {
        brokers.client(1).ask(10, 1, &Body::new().string("g").i8(0)).ok()
    });
    await_all_in_sync(&brokers, "__consumer_offsets");
    let coordinator = leader(&brokers, 1, "__consumer_offsets");
    brokers.client(coordinator).commit_offset("g", "t", 0, 7);
    for round in 0..2 {
        IDS.iter().for_each(|id| brokers.get_mut(*id).kill());
        IDS.iter().for_each(|id| brokers.get_mut(*id).restart());
        await_all_in_sync(&brokers, "t");
        await_all_in_sync(&brokers, "__consumer_offsets");
        assert_eq!(count(&brokers, 1, "t"), 50 + round);
        write(&brokers, 1, "t", ALL);
        let coordinator = leader(&brokers, 1, "__consumer_offsets");
        assert_eq!(brokers.client(coordinator).committed_offset("g", "t", 0), 7);
    }
}

#[test]
fn nobody_leads_who_was_not_in_sync() {
    let mut brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 1, 3, &[]);
    write(&brokers, 1, "t", ALL);
    let last = leader(&brokers, 1, "t");
    let [first, second] = others(last);
    brokers.get_mut(first).kill();
    brokers.get_mut(second).kill();
    brokers.await_isr(last, "t", &[last]);
    // Only the last one has this.
    write(&brokers, last, "t", ALL);
    brokers.get_mut(last).kill();
    brokers.get_mut(first).restart();
    brokers.get_mut(second).restart();
    for id in [first, second] {
        brokers.await_view(id, "t", "nobody leads", |view| {
            let partition = view.partitions.first();
            view.brokers.len() == 2 && partition.is_some_and(|it| it.leader == -1 && it.isr == [last])
        });
    }
    // Meanwhile what others can lead goes on.
    brokers.create_topic("u", 1, 2, &[]);
    brokers.get_mut(last).restart();
    await_all_in_sync(&brokers, "t");
    assert_eq!(count(&brokers, first, "t"), 2);
}

#[test]
fn an_unclean_election_is_made_where_it_is_allowed() {
    let mut brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 1, 3, &[("unclean.leader.election.enable", "true")]);
    write(&brokers, 1, "t", ALL);
    let last = leader(&brokers, 1, "t");
    let [first, second] = others(last);
    brokers.get_mut(first).kill();
    brokers.get_mut(second).kill();
    brokers.await_isr(last, "t", &[last]);
    // This one is given up.
    write(&brokers, last, "t", ALL);
    brokers.get_mut(last).kill();
    brokers.get_mut(first).restart();
    brokers.await_isr(first, "t", &[first]);
    write(&brokers, first, "t", ALL);
    write(&brokers, first, "t", ALL);
    brokers.get_mut(last).restart();
    brokers.get_mut(second).restart();
    await_all_in_sync(&brokers, "t");
    assert_eq!(count(&brokers, last, "t"), 3);
    // What was given up is on no disk: whoever leads next has the same.
    let leads = leader(&brokers, last, "t");
    brokers.get_mut(leads).stop();
    assert_eq!(count(&brokers, others(leads)[0], "t"), 3);
}

#[test]
fn a_broker_without_its_disk_copies_everything_again() {
    // With more than one in `min.insync.replicas` its high watermark would stand still where it leads alone in the end: it might have
    // been told of all records but the last.
    let mut brokers = Brokers::start(3, &[]);
    brokers.create_topic("t", 3, 3, &[]);
    (0..20).for_each(|_| write(&brokers, 1, "t", ALL));
    let id = leader(&brokers, 1, "t");
    let [one, other] = others(id);
    brokers.get_mut(id).kill();
    for ask in [one, other] {
        brokers.await_view(ask, "t", "it is gone", |view| {
            !view.brokers.contains(&id) && view.partitions.iter().all(|it| !it.isr.contains(&id))
        });
    }
    fs::remove_dir_all(brokers.get(id).log_dir()).expect("its disk is gone");
    brokers.get_mut(id).restart();
    await_all_in_sync(&brokers, "t");
    brokers.get_mut(one).stop();
    brokers.get_mut(other).stop();
    brokers.await_view(id, "t", "it leads alone", |view| {
        view.partitions.iter().all(|it| it.leader == id)
    });
    assert_eq!(count(&brokers, id, "t"), 20);
}

#[test]
fn producer_ids_are_given_once() {
    let mut brokers = Brokers::start(3, &[]);
    let mut seen = BTreeSet::new();
    let mut take = |brokers: &Brokers, ids: &[i32]| {
        for id in ids {
            for _ in 0..3 {
                let (given, epoch) = brokers.client(*id).init_producer_id();
                assert!(
                    seen.insert(given) && epoch == 0,
                    "broker {id} gives {given} ({epoch}) after {seen:?}"
                );
            }
        }
    };
    take(&brokers, &IDS);
    let first = controller(&brokers, 1);
    let rest = others(first);
    brokers.get_mut(first).kill();
    take(&brokers, &rest);
    brokers.get_mut(first).restart();
    take(&brokers, &IDS);
}
