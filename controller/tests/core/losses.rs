//! Replicas that are lost with their brokers or their log directories, and the ISRs that leaders ask for meanwhile.

use controller::core::{Decision, Event, Response};
use controller::ids::NO_LEADER;
use controller::state::{Note, Record};
use controller::{
    ConfigMap, Effect, IsrChange, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, PartitionState, Rejection,
    TopicConfigChange, TopicRef,
};

use crate::world::{World, assigned, live};

fn with_topic(replicas: &[i32]) -> World {
    let mut world = World::of(&[1, 2, 3]);
    world.create(assigned("t", &[(0, replicas)])).expect("created");
    world
}

fn state(world: &World) -> PartitionState {
    let topic = world.state.topic("t").expect("it is there");
    world.state.topic_state(topic, [0], false).partitions.remove(0)
}

fn go(world: &mut World, brokers: &[i32]) -> Decision {
    for &id in brokers {
        world.state.apply(Record::BrokerUnregistered { id });
    }
    let brokers = brokers.to_vec();
    world.decide(Event::BrokersGone { brokers }).expect("never refused")
}

fn come(world: &mut World, id: i32) -> Decision {
    world.state.apply(Record::BrokerRegistered(live(id)));
    let brokers = vec![id];
    world.decide(Event::BrokersCame { brokers }).expect("never refused")
}

fn change(of: &PartitionState, isr: &[i32]) -> IsrChange {
    IsrChange {
        topic: TopicRef::Name("t".into()),
        partition: 0,
        leader_epoch: of.leader_epoch,
        partition_epoch: of.partition_epoch,
        isr: isr.iter().map(|id| (*id, None)).collect(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
    }
}

#[test]
fn who_follows_leaves_the_isr_with_its_log_directory() {
    let mut world = with_topic(&[1, 2]);
    world.state.note(Note::ReplicaOffline {
        broker: 2,
        topic: "t".into(),
        partition: 0,
    });
    let partitions = vec![("t".into(), 0)];
    let decision = world
        .decide(Event::ReplicasOffline { partitions })
        .expect("never refused");
    let now = state(&world);
    assert_eq!((now.leader, now.leader_epoch, now.isr), (1, LeaderEpoch(1), vec![1]));
    let is_led = |effect: &Effect| matches!(effect, Effect::LeaderAndIsr { .. });
    assert!(decision.told.own.iter().any(is_led));
    assert!(
        !decision.told.others.values().flatten().any(is_led),
        "broker 2 would only say again that it cannot follow"
    );
}

#[test]
fn a_new_controller_leaves_nobody_leading_who_is_gone() {
    let mut world = with_topic(&[2, 3]);
    for id in [2, 3] {
        world.state.apply(Record::BrokerUnregistered { id });
    }
    world.decide(Event::BecameController).expect("never refused");
    let now = state(&world);
    assert_eq!(
        (now.leader, now.leader_epoch, now.isr),
        (NO_LEADER, LeaderEpoch(1), vec![2, 3])
    );
    let again = world.decide(Event::BecameController).expect("never refused");
    assert!(again.records.is_empty(), "{:?}", again.records);

    // Whoever of the last ISR is back first leads, in an epoch of its own.
    come(&mut world, 3);
    let now = state(&world);
    assert_eq!((now.leader, now.leader_epoch, now.isr), (3, LeaderEpoch(2), vec![3]));
}

#[test]
fn a_broker_that_comes_is_told_of_before_it_is_named() {
    let mut world = with_topic(&[2, 1]);
    go(&mut world, &[2]);
    assert_eq!(state(&world).leader, 1);
    let decision = come(&mut world, 2);
    assert!(decision.records.is_empty(), "broker 1 goes on leading");
    for told in std::iter::once(&decision.told.own).chain(decision.told.others.values()) {
        let Some(Effect::UpdateMetadata { brokers, topics, .. }) = told.first() else {
            panic!("{told:?}")
        };
        assert_eq!((brokers.len(), topics.len()), (3, 0));
    }
    let told = &decision.told.others[&2];
    assert!(
        matches!(
            told[..],
            [_, Effect::LeaderAndIsr { .. }, Effect::UpdateMetadata { .. }]
        ),
        "{told:?}"
    );
}

#[test]
fn a_leader_that_knows_more_than_this_controller_looks_for_another_one() {
    let mut world = with_topic(&[1, 2]);
    let now = state(&world);
    let later_leader = IsrChange {
        leader_epoch: now.leader_epoch.next(),
        ..change(&now, &[1])
    };
    let later_state = IsrChange {
        partition_epoch: PartitionEpoch(now.partition_epoch.0 + 1),
        ..change(&now, &[1])
    };
    for change in [later_leader, later_state] {
        let refused = world.decide(Event::AlterPartition { broker: 1, change });
        assert_eq!(refused, Err(Rejection::NotController), "so that it does not give up");
    }
}

#[test]
fn an_isr_whose_answer_was_lost_is_answered_again() {
    let mut world = with_topic(&[1, 2]);
    let asked = change(&state(&world), &[1]);
    for times in 0..2 {
        let decision = world
            .decide(Event::AlterPartition {
                broker: 1,
                change: asked.clone(),
            })
            .expect("done");
        let Response::Altered(altered) = decision.response else {
            panic!("{:?}", decision.response)
        };
        assert_eq!((altered.partition_epoch, altered.isr), (PartitionEpoch(1), vec![1]));
        assert_eq!(decision.records.is_empty(), times == 1);
    }
    let stale = IsrChange {
        isr: vec![(1, None), (2, None)],
        ..asked
    };
    let refused = world.decide(Event::AlterPartition {
        broker: 1,
        change: stale,
    });
    assert!(
        matches!(refused, Err(Rejection::InvalidUpdateVersion { .. })),
        "{refused:?}"
    );
}

#[test]
fn what_is_in_the_isr_lives_and_is_known_by_its_epoch() {
    let mut world = with_topic(&[1, 2, 3]);
    go(&mut world, &[3]);
    let now = state(&world);
    let ask = |world: &mut World, change: IsrChange| world.decide(Event::AlterPartition { broker: 1, change }).err();
    let ineligible = |brokers: &[i32]| {
        Some(Rejection::IneligibleReplicas {
            brokers: brokers.to_vec(),
        })
    };
    assert_eq!(ask(&mut world, change(&now, &[1, 2, 3])), ineligible(&[3]));
    come(&mut world, 3);
    world.state.note(Note::ShuttingDown { broker: 3 });
    assert_eq!(ask(&mut world, change(&now, &[1, 2, 3])), ineligible(&[3]));
    come(&mut world, 3);
    let mut earlier = change(&now, &[1, 2, 3]);
    earlier.isr[2].1 = Some(controller::BrokerEpoch(2));
    assert_eq!(ask(&mut world, earlier), ineligible(&[3]), "of an earlier registration");
    assert_eq!(ask(&mut world, change(&now, &[1, 2, 3])), None);
}

#[test]
fn an_unclean_election_comes_with_the_configuration_that_allows_it() {
    let allowed = ConfigMap::from([("unclean.leader.election.enable".to_owned(), "true".to_owned())]);
    for is_heard in [false, true] {
        let mut world = with_topic(&[2, 1]);
        let shrunk = change(&state(&world), &[2]);
        let asked = Event::AlterPartition {
            broker: 2,
            change: shrunk,
        };
        world.decide(asked).expect("altered");
        go(&mut world, &[2]);
        assert_eq!(state(&world).leader, NO_LEADER);
        let topic = || "t".into();
        let decision = if is_heard {
            // Another broker has written it.
            world.state.apply(Record::TopicConfigs {
                topic: topic(),
                configs: allowed.clone().into(),
                version: 1,
            });
            world.decide(Event::UncleanElectionAllowed { topic: topic() })
        } else {
            let change = TopicConfigChange {
                topic: "t".into(),
                configs: allowed.clone(),
                expected: None,
            };
            let validate_only = false;
            world.decide(Event::AlterTopicConfigs { change, validate_only })
        };
        let now = state(&world);
        assert_eq!((now.leader, now.isr), (1, vec![1]));
        assert_eq!(now.leader_recovery_state, LeaderRecoveryState::Recovering);
        assert!(
            decision.expect("decided").told.others.contains_key(&3),
            "all hear of it"
        );
    }
}
