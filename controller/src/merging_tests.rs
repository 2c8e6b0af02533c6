use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::effects::{BrokerRegistration, StopReplicaPartition};
use crate::ids::{BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, TopicId};
use crate::partitions::{LeaderAndIsr, Partition, ReplicaAssignment};

const EPOCH: ControllerEpoch = ControllerEpoch(3);

fn live(ids: &[BrokerId]) -> Vec<LiveBroker> {
    let broker = |&id: &BrokerId| LiveBroker {
        registration: BrokerRegistration {
            id,
            endpoints: Vec::new(),
            rack: None,
            jmx_port: -1,
            features: BTreeMap::new(),
            sordini: None,
        },
        broker_epoch: BrokerEpoch(id.into()),
    };
    ids.iter().map(broker).collect()
}

/// A partition in this leader epoch, which is new in the first.
fn topic(name: &str, id: u8, partition: i32, epoch: i32) -> TopicState {
    let known = Partition {
        assignment: ReplicaAssignment::settled(vec![1]),
        leader_and_isr: Some(LeaderAndIsr {
            leader_epoch: LeaderEpoch(epoch),
            ..LeaderAndIsr::first(1, vec![1], EPOCH)
        }),
    };
    TopicState {
        topic: name.into(),
        topic_id: protocol::wire::Uuid([id; 16]),
        configs: Arc::default(),
        partitions: vec![known.state(partition, epoch == 0, &|_| true)],
    }
}

fn lead(topic: TopicState) -> Effect {
    Effect::LeaderAndIsr {
        controller_epoch: EPOCH,
        topics: vec![topic],
    }
}

fn show(brokers: &[BrokerId], topics: Vec<TopicState>) -> Effect {
    Effect::UpdateMetadata {
        controller_id: 1,
        controller_epoch: EPOCH,
        brokers: live(brokers),
        topics,
    }
}

fn stop(name: &str, delete: bool) -> Effect {
    Effect::StopReplica {
        controller_epoch: EPOCH,
        delete,
        partitions: vec![StopReplicaPartition {
            topic: name.into(),
            topic_id: TopicId::ZERO,
            partition: 0,
            leader_epoch: LeaderEpoch(0),
        }],
    }
}

/// One word for each effect: what it is, how many brokers live, and the partitions with their leader epochs.
fn words(effects: &[Effect]) -> Vec<String> {
    let names = |topics: &[TopicState]| {
        let name = |topic: &TopicState| {
            let partition = |it: &PartitionState| {
                let mark = if it.is_new { "*" } else { "" };
                format!(" {}-{}:{}{mark}", topic.topic, it.partition, it.leader_epoch)
            };
            topic.partitions.iter().map(partition).collect::<String>()
        };
        topics.iter().map(name).collect::<String>()
    };
    let word = |effect: &Effect| match effect {
        Effect::LeaderAndIsr { topics, .. } => format!("lead{}", names(topics)),
        Effect::UpdateMetadata { topics, brokers, .. } => format!("show {}{}", brokers.len(), names(topics)),
        Effect::StopReplica { partitions, delete, .. } => format!("stop ×{} {delete}", partitions.len()),
        Effect::TopicConfigChanged { topic, .. } => format!("config {topic}"),
    };
    effects.iter().map(word).collect()
}

fn merged(decisions: Vec<Vec<Effect>>) -> Vec<String> {
    let mut batch = Vec::new();
    decisions.into_iter().for_each(|effects| append(&mut batch, effects));
    words(&batch)
}

#[test]
fn many_isrs_that_change_are_shown_once() {
    let changed = |partition, epoch| vec![show(&[1, 2], vec![topic("t", 1, partition, epoch)])];
    let merged = merged(vec![changed(3, 1), changed(1, 1), changed(3, 2), changed(2, 0)]);
    assert_eq!(merged, ["show 2 t-1:1 t-2:0* t-3:2"], "each as it was last");
}

#[test]
fn leaders_come_before_the_metadata_that_show_them() {
    let elected = |epoch| vec![lead(topic("t", 1, 0, epoch)), show(&[1], vec![topic("t", 1, 0, epoch)])];
    let elsewhere = vec![show(&[1], vec![topic("u", 2, 0, 5)])];
    let merged = merged(vec![elsewhere.clone(), elected(0), elsewhere, elected(1)]);
    assert_eq!(
        merged,
        ["show 1 u-0:5", "lead t-0:1*", "show 1 t-0:1* u-0:5"],
        "and a log that nobody has made yet is new still"
    );
}

#[test]
fn nobody_is_named_as_leader_before_it_is_known_to_live() {
    let elected = |brokers: &[BrokerId], partition| {
        let topic = topic("t", 1, partition, 1);
        vec![lead(topic.clone()), show(brokers, vec![topic])]
    };
    let came = vec![show(&[1, 2], Vec::new()), show(&[1, 2], vec![topic("u", 2, 0, 1)])];
    let merged = merged(vec![elected(&[1], 0), came, elected(&[1, 2], 1)]);
    assert_eq!(
        merged,
        [
            "lead t-0:1",
            "show 1 t-0:1",
            "show 2 u-0:1",
            "lead t-1:1",
            "show 2 t-1:1"
        ]
    );
}

#[test]
fn a_topic_that_was_created_again_is_another_one() {
    let shown = |id| vec![show(&[1], vec![topic("t", id, 0, 0)])];
    assert_eq!(merged(vec![shown(1), shown(2)]).len(), 2);
}

#[test]
fn what_stops_is_not_passed() {
    let hidden = |name: &str| vec![show(&[1], vec![topic(name, 1, 0, 1)]), stop(name, true)];
    assert_eq!(
        merged(vec![hidden("a"), hidden("b")]),
        ["show 1 a-0:1 b-0:1", "stop ×2 true"]
    );
    let led = || vec![lead(topic("t", 1, 0, 1)), show(&[1], vec![topic("t", 1, 0, 1)])];
    let handed_over = vec![stop("t", false), show(&[1], vec![topic("t", 1, 0, 2)])];
    assert_eq!(
        merged(vec![led(), handed_over, led()]),
        [
            "lead t-0:1",
            "show 1 t-0:1",
            "stop ×1 false",
            "show 1 t-0:2",
            "lead t-0:1",
            "show 1 t-0:1"
        ]
    );
}
