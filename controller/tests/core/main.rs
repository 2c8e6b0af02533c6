//! Decisions: state and event in, records and effects out. No store, no thread. Whatever is decided here must also be
//! writable: each test's records go through a plain map of znodes that knows versions.

mod losses;
mod reassignment;
mod world;

use std::sync::Arc;

use controller::config_changes::{EXPIRATION_MS, PURGED_WITH_A_NEW_ONE};
use controller::core::{Decision, Event, Response, handle};
use controller::ids::NO_LEADER;
use controller::rejection::{InvalidReplicaAssignment, InvalidTopicName};
use controller::state::{Note, Record};
use controller::{
    BrokerEpoch, ConfigMap, ControllerEpoch, Effect, LeaderEpoch, NewTopic, PartitionEpoch, ProducerIdBlock, Rejection,
    TopicConfigChange, TopicId, TopicRef,
};
use proptest::prelude::*;
use world::{POLICY, Policy, World, assigned, live};

#[test]
fn a_new_topic_has_leaders_before_it_is_shown() {
    let mut world = World::of(&[1, 2]);
    let decision = world
        .create(NewTopic {
            replication_factor: 2,
            ..NewTopic::with_defaults("t")
        })
        .expect("created");
    let Response::Created(created) = &decision.response else {
        panic!("{decision:?}")
    };
    assert_eq!((created.num_partitions, created.replication_factor), (3, 2));
    let [
        Effect::LeaderAndIsr { topics, .. },
        Effect::UpdateMetadata {
            topics: shown, brokers, ..
        },
    ] = &decision.told.own[..]
    else {
        panic!("{:?}", decision.told.own)
    };
    assert_eq!((topics, brokers.len()), (shown, 2));
    let partitions: Vec<_> = topics[0]
        .partitions
        .iter()
        .map(|it| (it.leader, it.isr.clone(), it.is_new))
        .collect();
    assert_eq!(
        partitions,
        [(1, vec![1, 2], true), (2, vec![2, 1], true), (1, vec![1, 2], true)]
    );
    assert!(
        topics[0]
            .partitions
            .iter()
            .all(|it| it.controller_epoch == ControllerEpoch(4))
    );
    assert_eq!(world.state.partition_count(), 3);
}

#[test]
fn topics_that_kafka_refuses_are_refused() {
    let mut world = World::of(&[1, 2]);
    world.named("my.topic").expect("created");
    let exists = Rejection::TopicExists {
        topic: "my.topic".into(),
    };
    assert_eq!(world.named("my.topic").err(), Some(exists));
    let collision = Rejection::TopicCollision {
        topic: "my_topic".into(),
        existing: vec!["my.topic".into()],
    };
    assert_eq!(world.named("my_topic").err(), Some(collision));
    let long = "x".repeat(250);
    let names = [
        ("", InvalidTopicName::Empty),
        (".", InvalidTopicName::Dots(".".into())),
        ("..", InvalidTopicName::Dots("..".into())),
        (&long, InvalidTopicName::TooLong(long.clone())),
        ("a/b", InvalidTopicName::Characters("a/b".into())),
        ("ä", InvalidTopicName::Characters("ä".into())),
    ];
    for (name, reason) in names {
        assert_eq!(
            world.named(name).err(),
            Some(Rejection::InvalidTopicName { reason }),
            "{name:?}"
        );
    }
    world.named(&"x".repeat(249)).expect("just short enough");

    let with = |num_partitions, replication_factor| NewTopic {
        num_partitions,
        replication_factor,
        ..NewTopic::with_defaults("t")
    };
    assert_eq!(
        world.create(with(0, 1)).err(),
        Some(Rejection::InvalidPartitionCount { count: 0 })
    );
    let factor = |factor| Some(Rejection::InvalidReplicationFactor { factor, brokers: 2 });
    assert_eq!(world.create(with(1, 0)).err(), factor(0));
    assert_eq!(world.create(with(1, 3)).err(), factor(3));
    let too_many = Rejection::TooManyPartitions {
        requested: 95,
        current: 6,
        limit: 100,
    };
    assert_eq!(world.create(with(95, 1)).err(), Some(too_many));

    let mut null = NewTopic::with_defaults("t");
    null.configs = vec![("retention.ms".into(), None)];
    assert_eq!(
        world.create(null).err(),
        Some(Rejection::NullConfigs {
            keys: vec!["retention.ms".into()]
        })
    );
    let mut bad = NewTopic::with_defaults("t");
    bad.configs = vec![("bad".into(), Some("5".into()))];
    assert_eq!(
        world.create(bad).err(),
        Some(Rejection::InvalidConfig {
            message: "t: bad=5".into()
        })
    );
}

#[test]
fn explicit_assignments_are_checked() {
    use InvalidReplicaAssignment::*;
    let mut world = World::of(&[1, 2]);
    let both = NewTopic {
        num_partitions: 1,
        ..assigned("t", &[(0, &[1])])
    };
    assert_eq!(world.create(both).err(), Some(Rejection::CountsAndAssignments));
    let mut refused = |assignments: &[(i32, &[i32])]| match world.create(assigned("t", assignments)) {
        Err(Rejection::InvalidReplicaAssignment(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[(0, &[1]), (1, &[1, 2])]), UnequalReplicationFactors);
    assert_eq!(refused(&[(0, &[])]), NoReplicas { partition: 0 });
    assert_eq!(
        refused(&[(0, &[1, 1])]),
        DuplicateBrokers {
            partition: 0,
            replicas: vec![1, 1]
        }
    );
    assert_eq!(refused(&[(1, &[1])]), NotConsecutive);
    assert_eq!(refused(&[(0, &[1]), (2, &[1])]), NotConsecutive);
    assert_eq!(refused(&[(-1, &[1]), (0, &[1])]), NotConsecutive);
    assert_eq!(refused(&[(0, &[9]), (1, &[1])]), UnknownBrokers { brokers: vec![9] });
    world
        .create(assigned("t", &[(1, &[2, 1]), (0, &[1, 2])]))
        .expect("good");
    assert_eq!(
        world.state.topic("t").expect("there").partitions[&1]
            .assignment
            .replicas,
        [2, 1]
    );
}

#[test]
fn partitions_are_added_where_the_topic_goes_on() {
    use InvalidReplicaAssignment::*;
    let mut world = World::of(&[1, 2, 3]);
    world.create(assigned("t", &[(0, &[2])])).expect("created");
    let decision = world.grow("t", 4, None).expect("grown");
    let added: Vec<_> = (1..4)
        .map(|number| {
            world.state.topic("t").expect("there").partitions[&number]
                .assignment
                .replicas[0]
        })
        .collect();
    assert_eq!(added, [3, 1, 2], "round from the broker of partition 0");
    let [
        Effect::LeaderAndIsr { topics: led, .. },
        Effect::UpdateMetadata { topics: shown, .. },
    ] = &decision.told.own[..]
    else {
        panic!("{:?}", decision.told.own)
    };
    let numbers = |topics: &[controller::TopicState]| {
        topics[0]
            .partitions
            .iter()
            .map(|state| state.partition)
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(shown), [1, 2, 3]);
    assert_eq!(numbers(led), [2], "this broker holds one of them");

    let mut refused = |count, assignments| world.grow("t", count, assignments).expect_err("refused");
    let not_more = |requested| Rejection::PartitionsNotIncreased {
        topic: "t".into(),
        current: 4,
        requested,
    };
    assert_eq!(refused(4, None), not_more(4));
    assert_eq!(refused(i32::MIN, None), not_more(i32::MIN));
    let too_many = Rejection::TooManyPartitions {
        requested: (i32::MAX - 4) as usize,
        current: 4,
        limit: 100,
    };
    assert_eq!(refused(i32::MAX, None), too_many);
    assert_eq!(
        refused(6, Some(vec![vec![1]])),
        WrongCount {
            increase: 2,
            assignments: 1
        }
        .into()
    );
    assert_eq!(
        refused(5, Some(vec![vec![7]])),
        UnknownBrokers { brokers: vec![7] }.into()
    );
    assert_eq!(refused(5, Some(vec![vec![]])), NoReplicas { partition: 4 }.into());
    let other = OtherReplicationFactor {
        expected: 1,
        partition: 4,
        found: 2,
    };
    assert_eq!(refused(5, Some(vec![vec![1, 2]])), other.into());
    assert_eq!(
        world.grow("u", 5, None).err(),
        Some(Rejection::UnknownTopic { topic: "u".into() })
    );
    world.grow("t", 5, Some(vec![vec![3]])).expect("explicit");
    assert_eq!(world.state.topic("t").expect("there").version, 2);
}

#[test]
fn a_topic_is_hidden_then_stopped_then_forgotten() {
    let mut world = World::of(&[1]);
    let before = world.written.clone();
    let topic_id = match world.named("t").expect("created").response {
        Response::Created(created) => created.topic_id,
        other => panic!("{other:?}"),
    };
    let decision = world.delete("t").expect("marked");
    let [
        Effect::UpdateMetadata { topics, .. },
        Effect::StopReplica {
            delete: true,
            partitions,
            ..
        },
    ] = &decision.told.own[..]
    else {
        panic!("{:?}", decision.told.own)
    };
    assert!(topics[0].partitions.iter().all(|state| state.is_being_deleted()));
    assert_eq!(partitions.len(), 3);
    let marked = Rejection::TopicMarkedForDeletion { topic: "t".into() };
    assert_eq!(world.named("t").err(), Some(marked));
    assert_eq!(
        world.grow("t", 9, None).err(),
        Some(Rejection::TopicQueuedForDeletion { topic: "t".into() })
    );
    assert!(world.delete("t").expect("asked again").records.is_empty());
    assert_eq!(world.state.snapshot(BrokerEpoch(1)).topics, []);

    let topic: Arc<str> = "t".into();
    let deleted = Event::ReplicasDeleted { topic: topic.clone() };
    let decision = world.decide(deleted.clone()).expect("never refused");
    assert_eq!(decision.records, [], "its only broker has not deleted it");
    world.state.note(Note::ReplicasDeleted {
        broker: 1,
        topic: topic.clone(),
    });
    world.decide(deleted).expect("never refused");
    assert_eq!(world.written, before, "nothing is left");
    assert_eq!(
        (world.state.partition_count(), world.state.topic_name(&topic_id)),
        (0, None)
    );
    world.named("t").expect("created again");
    assert!(
        world
            .decide(Event::ReplicasDeleted { topic })
            .expect("never refused")
            .records
            .is_empty()
    );

    let disabled = Policy {
        delete_topic_enable: false,
    };
    let event = Event::DeleteTopic {
        topic: TopicRef::Name("t".into()),
    };
    assert_eq!(
        handle(&world.state, &disabled, event, world.now_ms),
        Err(Rejection::TopicDeletionDisabled)
    );
    let unknown = TopicRef::Id(TopicId::METADATA_TOPIC_ID);
    let refused = Rejection::UnknownTopicId {
        topic_id: TopicId::METADATA_TOPIC_ID,
    };
    assert_eq!(world.decide(Event::DeleteTopic { topic: unknown }), Err(refused));
}

#[test]
fn configurations_are_replaced_and_announced() {
    let mut world = World::of(&[1]);
    world.named("t").expect("created");
    for (value, version) in [("1", 1), ("2", 2)] {
        let configs = ConfigMap::from([("retention.ms".to_owned(), value.to_owned())]);
        let change = TopicConfigChange {
            topic: "t".into(),
            configs: configs.clone(),
            expected: None,
        };
        let decision = world
            .decide(Event::AlterTopicConfigs {
                change,
                validate_only: false,
            })
            .expect("changed");
        let told = Effect::TopicConfigChanged {
            topic: "t".into(),
            configs: Arc::new(configs),
        };
        assert_eq!(decision.told.own, [told]);
        assert_eq!(world.written["/config/topics/t"], version);
    }
    let changes = world
        .written
        .keys()
        .filter(|path| path.starts_with("/config/changes/config_change_"))
        .count();
    assert_eq!(changes, 2);
    let change = TopicConfigChange {
        topic: "u".into(),
        configs: ConfigMap::new(),
        expected: None,
    };
    let refused = world.decide(Event::AlterTopicConfigs {
        change,
        validate_only: true,
    });
    assert_eq!(refused, Err(Rejection::UnknownTopic { topic: "u".into() }));
}

/// How many notices of changed configurations there are.
fn notices(world: &World) -> usize {
    let is_notice = |path: &&String| path.starts_with("/config/changes/config_change_");
    assert_eq!(
        world.state.config_changes().count(),
        world.written.keys().filter(is_notice).count()
    );
    world.written.keys().filter(is_notice).count()
}

#[test]
fn notices_of_changed_configurations_go_after_a_quarter_of_an_hour() {
    let mut world = World::of(&[1]);
    world.named("t").expect("created");
    let change = |world: &mut World| {
        let change = TopicConfigChange {
            topic: "t".into(),
            configs: ConfigMap::new(),
            expected: None,
        };
        let event = Event::AlterTopicConfigs {
            change,
            validate_only: false,
        };
        world.decide(event).expect("changed");
    };
    for _ in 0..5 {
        change(&mut world);
    }
    world.now_ms += EXPIRATION_MS;
    change(&mut world);
    assert_eq!(notices(&world), 6, "none is older than that");
    world.now_ms += 1;
    change(&mut world);
    assert_eq!(notices(&world), 2);

    // After a backlog more go than come, but not all at once.
    for _ in 0..PURGED_WITH_A_NEW_ONE + 10 {
        change(&mut world);
    }
    world.now_ms += EXPIRATION_MS + 1;
    change(&mut world);
    assert_eq!(notices(&world), 13);
    world.decide(Event::BecameController).expect("never refused");
    assert_eq!(notices(&world), 1, "the one that is new");
}

#[test]
fn a_configuration_that_was_there_before_its_topic_is_replaced() {
    let mut world = World::of(&[1]);
    world.written.insert("/config/topics/t".into(), 5);
    world.state.apply(Record::TopicConfigs {
        topic: "t".into(),
        configs: Arc::default(),
        version: 5,
    });
    world.named("t").expect("created");
    assert_eq!(world.written["/config/topics/t"], 6);
    assert_eq!(world.state.topic("t").expect("there").configs_version, Some(6));
}

#[test]
fn producer_ids_are_given_out_once() {
    let mut world = World::of(&[1]);
    for first in [0, 1000] {
        let decision = world
            .decide(Event::AllocateProducerIdBlock { broker: 1 })
            .expect("given");
        assert_eq!(
            decision.response,
            Response::Block(ProducerIdBlock {
                first,
                last: first + 999
            })
        );
    }
    let last = i64::MAX - 5;
    let block = Some(ProducerIdBlock {
        first: last - 999,
        last,
    });
    world.state.apply(Record::ProducerIdBlock {
        broker: 1,
        block,
        version: 2,
    });
    let refused = world.decide(Event::AllocateProducerIdBlock { broker: 1 });
    assert_eq!(refused, Err(Rejection::ProducerIdsExhausted { last }));
}

/// A topic as an import or a crash may have left it: partition 0 led, 1 without leader, 2 without state.
fn left_behind(world: &mut World) {
    world
        .create(assigned("t", &[(0, &[1]), (1, &[1]), (2, &[2])]))
        .expect("created");
    world.state.apply(Record::BrokerUnregistered { id: 2 });
    world.state.note(Note::ReplicaOffline {
        broker: 1,
        topic: "t".into(),
        partition: 1,
    });
    world
        .decide(Event::ReplicasOffline {
            partitions: vec![("t".into(), 1)],
        })
        .expect("never refused");
}

#[test]
fn a_new_controller_elects_where_the_leader_is_gone_and_only_there() {
    let mut world = World::of(&[1, 2]);
    left_behind(&mut world);
    let leader = |world: &World, number: i32| {
        let state = world.state.topic("t").expect("there").partitions[&number]
            .leader_and_isr
            .clone()
            .expect("written");
        (state.leader, state.leader_epoch, state.partition_epoch)
    };
    assert_eq!(leader(&world, 1), (NO_LEADER, LeaderEpoch(1), PartitionEpoch(1)));
    // The broker starts anew: its log directory is back.
    world.state.apply(Record::BrokerRegistered(live(1)));
    let decision = world.decide(Event::BecameController).expect("never refused");
    assert_eq!(decision.records.len(), 2, "{:?}", decision.records);
    assert_eq!(
        leader(&world, 0),
        (1, LeaderEpoch(0), PartitionEpoch(0)),
        "led all the time"
    );
    assert_eq!(leader(&world, 1), (1, LeaderEpoch(2), PartitionEpoch(2)), "back again");
    assert_eq!(
        leader(&world, 2),
        (NO_LEADER, LeaderEpoch(1), PartitionEpoch(1)),
        "nobody can lead it; broker 2 does so in another epoch when it is back"
    );
    let Effect::UpdateMetadata { topics, .. } = &decision.told.own[1] else {
        panic!("{:?}", decision.told.own)
    };
    assert_eq!(topics[0].partitions[2].offline_replicas, [2]);
    let again = world.decide(Event::BecameController).expect("never refused");
    assert!(again.records.is_empty(), "nothing is left to be elected");
}

#[test]
fn failures_that_are_known_are_not_told_again() {
    let mut world = World::of(&[1, 2]);
    left_behind(&mut world);
    let again = world.decide(Event::ReplicasOffline {
        partitions: vec![("t".into(), 1), ("gone".into(), 0)],
    });
    assert_eq!(again, Ok(Decision::answer(Response::None)));
}

#[test]
fn a_replica_out_of_sync_leads_only_where_the_topic_allows_it() {
    let mut world = World::of(&[1, 2]);
    let mut topic = assigned("t", &[(0, &[2, 1])]);
    topic.configs = vec![("unclean.leader.election.enable".into(), Some("true".into()))];
    world.create(topic).expect("created");
    let shrunk = world.state.topic("t").expect("there").partitions[&0]
        .leader_and_isr
        .clone()
        .expect("written");
    let shrunk = shrunk.next(2, vec![2], ControllerEpoch(4));
    world.state.apply(Record::Partition {
        topic: "t".into(),
        partition: 0,
        state: shrunk,
    });
    world.state.apply(Record::BrokerUnregistered { id: 2 });
    let decision = handle(&world.state, &POLICY, Event::BecameController, world.now_ms).expect("never refused");
    let [Record::Partition { state, .. }] = &decision.records[..] else {
        panic!("{:?}", decision.records)
    };
    assert_eq!((state.leader, &state.isr), (1, &vec![1]));
    assert_eq!(state.leader_recovery_state, controller::LeaderRecoveryState::Recovering);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked in whatever order: every write fits what was written before (`World::write` asserts that), and what
    /// brokers are told is what the state holds.
    #[test]
    fn any_requests_fit_what_was_written(requests in prop::collection::vec((0..6u8, 0..3usize, 0..8i32), 1..60)) {
        let mut world = World::of(&[1, 2]);
        for (what, name, count) in requests {
            let name = ["a", "b", "c.c"][name];
            let result = match what {
                0 => world.create(NewTopic { num_partitions: count, ..NewTopic::with_defaults(name) }),
                1 => world.delete(name),
                2 => world.decide(Event::ReplicasDeleted { topic: name.into() }),
                3 => world.grow(name, count, None),
                4 => {
                    let configs = ConfigMap::from([("k".to_owned(), count.to_string())]);
                    let change = TopicConfigChange { topic: name.into(), configs, expected: None };
                    world.decide(Event::AlterTopicConfigs { change, validate_only: false })
                }
                _ => world.decide(Event::AllocateProducerIdBlock { broker: 1 }),
            };
            for effect in result.iter().flat_map(|decision| &decision.told.own) {
                if let Effect::LeaderAndIsr { topics, .. } = effect {
                    for told in topics {
                        let known = world.state.topic(&told.topic).expect("a topic that is told exists");
                        let numbers = told.partitions.iter().map(|partition| partition.partition);
                        let state = world.state.topic_state(known, numbers, true);
                        prop_assert_eq!(told, &state);
                    }
                }
            }
            let counted: usize = world.state.topics().map(|topic| topic.partitions.len()).sum();
            prop_assert_eq!(world.state.partition_count(), counted);
        }
    }
}
