//! Other replicas, other leaders.

use controller::core::{Decision, Event};
use controller::{
    BrokerEpoch, Effect, IsrChange, LeaderEpoch, LeaderRecoveryState, NewTopic, PartitionState, Reassignment,
    Rejection, TopicRef,
};

use crate::world::World;

fn with_topic(brokers: &[i32], replicas: &[i32]) -> World {
    let mut world = World::of(brokers);
    let topic = NewTopic {
        assignments: vec![(0, replicas.to_vec())],
        ..NewTopic::with_defaults("t")
    };
    world.create(topic).expect("created");
    world
}

fn state(world: &World) -> PartitionState {
    let topic = world.state.topic("t").expect("it is there");
    world.state.topic_state(topic, [0], false).partitions.remove(0)
}

fn reassign(world: &mut World, replicas: Option<&[i32]>) -> Result<Decision, Rejection> {
    world.decide(Event::Reassign(Reassignment {
        topic: "t".into(),
        partition: 0,
        replicas: replicas.map(<[i32]>::to_vec),
    }))
}

/// The leader has another ISR, and what follows from that is decided.
fn in_sync(world: &mut World, isr: &[i32]) -> Decision {
    let now = state(world);
    let change = IsrChange {
        topic: TopicRef::Name("t".into()),
        partition: 0,
        leader_epoch: now.leader_epoch,
        partition_epoch: now.partition_epoch,
        isr: isr.iter().map(|id| (*id, None)).collect(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
    };
    let broker = now.leader;
    world.decide(Event::AlterPartition { broker, change }).expect("altered");
    let topic = "t".into();
    world
        .decide(Event::IsrChanged { topic, partition: 0 })
        .expect("never refused")
}

#[test]
fn those_that_come_are_in_sync_before_those_that_go_are_deleted() {
    let mut world = with_topic(&[1, 2, 3], &[1, 2]);
    let decision = reassign(&mut world, Some(&[3, 2])).expect("begun");
    let is_new = |told: &[Effect]| {
        told.iter().find_map(|effect| match effect {
            Effect::LeaderAndIsr { topics, .. } => Some(topics[0].partitions[0].is_new),
            _ => None,
        })
    };
    let told = &decision.told;
    let seen = [&told.own, &told.others[&2], &told.others[&3]].map(|told| is_new(told));
    assert_eq!(
        seen,
        [Some(false), Some(false), Some(true)],
        "only broker 3 begins with an empty log"
    );
    let begun = state(&world);
    assert_eq!(begun.replicas, [3, 2, 1]);
    assert_eq!((begun.adding_replicas, begun.removing_replicas), (vec![3], vec![1]));
    assert_eq!(
        (begun.leader, begun.leader_epoch, begun.isr),
        (1, LeaderEpoch(1), vec![1, 2])
    );

    let decision = in_sync(&mut world, &[1, 2, 3]);
    let through = state(&world);
    assert_eq!(
        (through.replicas, through.leader, through.isr),
        (vec![3, 2], 3, vec![2, 3])
    );
    assert!(through.adding_replicas.is_empty() && through.removing_replicas.is_empty());
    let deletes = |effect: &Effect| matches!(effect, Effect::StopReplica { delete: true, .. });
    assert!(
        decision.told.own.iter().any(deletes),
        "broker 1, the controller, holds it no longer"
    );
    assert!(
        !decision.told.others.values().flatten().any(deletes),
        "nobody else goes"
    );
}

#[test]
fn what_is_in_sync_already_is_through_at_once() {
    let mut world = with_topic(&[1, 2, 3], &[1, 2, 3]);
    reassign(&mut world, Some(&[2, 3])).expect("begun");
    let through = state(&world);
    assert_eq!(
        (through.replicas, through.leader, through.isr),
        (vec![2, 3], 2, vec![2, 3])
    );
    assert_eq!(through.leader_epoch, LeaderEpoch(1));
}

#[test]
fn it_can_be_taken_back() {
    let mut world = with_topic(&[1, 2, 3], &[1, 2]);
    assert!(matches!(
        reassign(&mut world, None),
        Err(Rejection::NoReassignmentInProgress { .. })
    ));
    reassign(&mut world, Some(&[3])).expect("begun");
    let decision = reassign(&mut world, None).expect("taken back");
    let back = state(&world);
    assert_eq!((back.replicas, back.leader, back.isr), (vec![1, 2], 1, vec![1, 2]));
    let told = decision.told.others.get(&3).expect("it had begun to follow");
    assert!(
        told.iter()
            .any(|effect| matches!(effect, Effect::StopReplica { delete: true, .. })),
        "{told:?}"
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let mut world = with_topic(&[1, 2], &[1, 2]);
    for replicas in [&[][..], &[1, 1], &[1, 9]] {
        let refused = reassign(&mut world, Some(replicas));
        assert!(
            matches!(refused, Err(Rejection::InvalidReplicaAssignment(_))),
            "{replicas:?}"
        );
    }
    assert!(
        reassign(&mut world, Some(&[1, 2]))
            .expect("nothing to do")
            .records
            .is_empty()
    );
}

#[test]
fn an_isr_takes_nobody_who_may_not_be_in_it() {
    let mut world = with_topic(&[1, 2, 3], &[1, 2, 3]);
    let now = state(&world);
    let change = |isr: &[(i32, Option<i64>)]| IsrChange {
        topic: TopicRef::Name("t".into()),
        partition: 0,
        leader_epoch: now.leader_epoch,
        partition_epoch: now.partition_epoch,
        isr: isr.iter().map(|(id, epoch)| (*id, epoch.map(BrokerEpoch))).collect(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
    };
    let alter = |world: &mut World, broker: i32, change: IsrChange| {
        world.decide(Event::AlterPartition { broker, change }).map(drop)
    };
    let shrunk = change(&[(1, None), (2, None)]);
    assert!(
        matches!(alter(&mut world, 2, shrunk.clone()), Err(Rejection::InvalidIsr { .. })),
        "it does not lead"
    );
    let stale = IsrChange {
        leader_epoch: LeaderEpoch(-1),
        ..shrunk.clone()
    };
    assert!(matches!(
        alter(&mut world, 1, stale),
        Err(Rejection::FencedLeaderEpoch { .. })
    ));
    assert!(matches!(
        alter(&mut world, 1, change(&[(1, None), (9, None)])),
        Err(Rejection::InvalidIsr { .. })
    ));
    assert!(matches!(
        alter(&mut world, 1, change(&[(1, None), (2, Some(-7))])),
        Err(Rejection::IneligibleReplicas { .. })
    ));
    alter(&mut world, 1, shrunk.clone()).expect("altered");
    alter(&mut world, 1, shrunk).expect("the answer was lost, and it is asked again");
    assert!(matches!(
        alter(&mut world, 1, change(&[(1, None)])),
        Err(Rejection::InvalidUpdateVersion { .. })
    ));
}

#[test]
fn preferred_leaders_are_elected_where_they_can_lead() {
    let mut world = with_topic(&[1, 2], &[2, 1]);
    let elect = |world: &mut World, unclean| {
        let topic = "t".into();
        let event = Event::ElectLeader {
            topic,
            partition: 0,
            unclean,
        };
        world.decide(event).map(drop)
    };
    assert_eq!(elect(&mut world, false), Err(Rejection::ElectionNotNeeded));
    assert_eq!(elect(&mut world, true), Err(Rejection::ElectionNotNeeded));
    world.state.note(controller::state::Note::ShuttingDown { broker: 2 });
    world
        .decide(Event::ControlledShutdown { broker: 2 })
        .expect("handed over");
    assert_eq!(state(&world).leader, 1);
    assert_eq!(
        elect(&mut world, false),
        Err(Rejection::PreferredLeaderNotAvailable { preferred: 2 })
    );
}
