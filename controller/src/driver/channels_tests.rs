use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::effects::{Applied, BrokerRegistration, StopReplicaPartition};
use crate::ids::{ControllerEpoch, LeaderEpoch, TopicId};
use crate::store::BoxFuture;

const EPOCH: ControllerEpoch = ControllerEpoch(3);

/// What broker 2 was told, and what it answers to the next ones; without an answer it applies what it is told.
#[derive(Default)]
struct Other {
    told: Mutex<Vec<(BrokerEpoch, Effect)>>,
    answers: Mutex<VecDeque<PeerError>>,
}

impl Peers for Other {
    fn tell(
        &self,
        to: &LiveBroker,
        _: Controller,
        effect: Arc<Effect>,
        _: Arc<Vec<LiveBroker>>,
    ) -> BoxFuture<'static, Result<Applied, PeerError>> {
        let refusal = self.answers.lock().expect("nobody panicked").pop_front();
        if refusal.is_none() {
            let told = (to.broker_epoch, Effect::clone(&effect));
            self.told.lock().expect("nobody panicked").push(told);
        }
        Box::pin(std::future::ready(refusal.map_or_else(|| Ok(Applied::default()), Err)))
    }

    fn evidence_of_death(&self, _: &LiveBroker) -> BoxFuture<'static, String> {
        Box::pin(std::future::pending())
    }
}

impl Other {
    fn answering(answers: impl IntoIterator<Item = PeerError>) -> Arc<Other> {
        Arc::new(Other {
            told: Mutex::default(),
            answers: Mutex::new(answers.into_iter().collect()),
        })
    }

    async fn has_been_told(&self, count: usize) -> Vec<(BrokerEpoch, Effect)> {
        loop {
            let told = self.told.lock().expect("nobody panicked").clone();
            if told.len() >= count {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn live(epoch: i64) -> Arc<Vec<LiveBroker>> {
    let registration = BrokerRegistration {
        id: 2,
        endpoints: Vec::new(),
        rack: None,
        jmx_port: -1,
        features: BTreeMap::new(),
        sordini: None,
    };
    Arc::new(vec![LiveBroker {
        registration,
        broker_epoch: BrokerEpoch(epoch),
    }])
}

fn show(live: &Arc<Vec<LiveBroker>>) -> BTreeMap<BrokerId, Vec<Effect>> {
    let effect = Effect::UpdateMetadata {
        controller_id: 1,
        controller_epoch: EPOCH,
        brokers: live.to_vec(),
        topics: Vec::new(),
    };
    BTreeMap::from([(2, vec![effect])])
}

fn delete() -> BTreeMap<BrokerId, Vec<Effect>> {
    let partition = StopReplicaPartition {
        topic: "t".into(),
        topic_id: TopicId::ZERO,
        partition: 7,
        leader_epoch: LeaderEpoch(0),
    };
    let effect = Effect::StopReplica {
        controller_epoch: EPOCH,
        delete: true,
        partitions: vec![partition],
    };
    BTreeMap::from([(2, vec![effect])])
}

fn channels(peers: &Arc<Other>) -> (Channels, mpsc::UnboundedReceiver<Finished>) {
    let (finished, applied) = mpsc::unbounded_channel();
    let controller = Controller { id: 1, epoch: EPOCH };
    (Channels::new(peers.clone(), controller, finished), applied)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let limited = async { tokio::time::timeout(Duration::from_secs(10), future).await };
    runtime.expect("a runtime").block_on(limited).expect("in time")
}

#[test]
fn a_broker_that_is_not_reached_is_told_all_of_it_later_and_at_once() {
    let unreachable = |_| PeerError::Unreachable {
        reason: "connection refused".to_owned(),
    };
    let peers = Other::answering((0..2).map(unreachable));
    wait(async {
        let (mut channels, mut finished) = channels(&peers);
        let live = live(5);
        for _ in 0..100 {
            channels.tell(&live, show(&live));
            tokio::task::yield_now().await;
        }
        channels.tell(&live, delete());
        let told = peers.has_been_told(3).await;
        let kinds: Vec<bool> = told
            .iter()
            .map(|(_, effect)| matches!(effect, Effect::UpdateMetadata { .. }))
            .collect();
        assert_eq!(
            kinds,
            [true, true, false],
            "the one that was tried, the others together, and the deletion"
        );
        let report = finished.recv().await.expect("it is followed up");
        assert_eq!((report.broker, report.controller_epoch), (2, EPOCH));
        assert!(report.deleted["t"].contains(&7));
    });
}

#[test]
fn what_is_for_an_earlier_registration_is_not_told_to_the_next() {
    let peers = Other::answering([PeerError::StaleBrokerEpoch]);
    wait(async {
        let (mut channels, mut finished) = channels(&peers);
        let (before, after) = (live(5), live(6));
        channels.tell(&before, show(&before));
        channels.tell(&before, delete());
        while !channels.open[&2].task.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        channels.close(2);
        channels.tell(&after, show(&after));
        let told = peers.has_been_told(1).await;
        assert_eq!((told.len(), told[0].0), (1, BrokerEpoch(6)));
        assert!(finished.try_recv().is_err(), "it says nothing about this controller");
    });
}

#[test]
fn a_later_controller_ends_this_one() {
    let peers = Other::answering([PeerError::StaleControllerEpoch]);
    wait(async {
        let (mut channels, mut finished) = channels(&peers);
        let live = live(5);
        channels.tell(&live, delete());
        let report = finished.recv().await.expect("the controller hears of it");
        assert!(report.is_stale && report.deleted.is_empty());
    });
}

#[test]
fn a_controller_that_stops_waits_until_all_is_told_but_not_for_ever() {
    let unreachable = |_| PeerError::Unreachable {
        reason: "connection refused".to_owned(),
    };
    wait(async {
        let peers = Other::answering((0..2).map(unreachable));
        let (mut told_at_last, _finished) = channels(&peers);
        let live = live(5);
        told_at_last.tell(&live, show(&live));
        told_at_last.tell(&live, delete());
        told_at_last.told(Duration::from_secs(5)).await;
        assert_eq!(peers.told.lock().expect("nobody panicked").len(), 2);

        let peers = Other::answering((0..1000).map(unreachable));
        let (mut never_told, _finished) = channels(&peers);
        never_told.tell(&live, show(&live));
        never_told.told(Duration::from_millis(20)).await;
        assert!(peers.told.lock().expect("nobody panicked").is_empty());
    });
}
