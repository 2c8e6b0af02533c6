//! What other brokers are told: a queue for each registration of each of them, one effect in flight, told again until it is answered
//! or that registration is gone; what waits behind it is merged. Kafka's `ControllerChannelManager`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::applying::{Finished, deletions};
use crate::effects::{Effect, LiveBroker};
use crate::ids::{BrokerEpoch, BrokerId};
use crate::merging;
use crate::peers::{Controller, PeerError, Peers};

/// Before an effect is told again, and the most that becomes.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The effects of one transaction, and the brokers that they may name.
type Told = (Vec<Effect>, Arc<Vec<LiveBroker>>);

enum Queued {
    Effects(Told),
    /// Somebody wants to know when all before it was told.
    WhenTold(oneshot::Sender<()>),
}

/// The queues of one controller. They end with it.
pub(super) struct Channels {
    peers: Arc<dyn Peers>,
    controller: Controller,
    open: BTreeMap<BrokerId, Channel>,
    finished: mpsc::UnboundedSender<Finished>,
}

struct Channel {
    broker_epoch: BrokerEpoch,
    queue: mpsc::UnboundedSender<Queued>,
    task: JoinHandle<()>,
}

impl Channel {
    fn when_told(&self) -> oneshot::Receiver<()> {
        let (sender, told) = oneshot::channel();
        drop(self.queue.send(Queued::WhenTold(sender)));
        told
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Channels {
    pub(super) fn new(
        peers: Arc<dyn Peers>,
        controller: Controller,
        finished: mpsc::UnboundedSender<Finished>,
    ) -> Self {
        Channels {
            peers,
            controller,
            open: BTreeMap::new(),
            finished,
        }
    }

    /// Tells brokers effects in their order; what is for one that is not live is nobody's any more.
    pub(super) fn tell(&mut self, live: &Arc<Vec<LiveBroker>>, others: BTreeMap<BrokerId, Vec<Effect>>) {
        for (id, effects) in others {
            let Some(broker) = live.iter().find(|broker| broker.registration.id == id) else {
                self.open.remove(&id);
                continue;
            };
            let is_open = |channel: &Channel| channel.broker_epoch == broker.broker_epoch;
            if !self.open.get(&id).is_some_and(is_open) {
                let channel = self.channel(broker.clone());
                self.open.insert(id, channel);
            }
            // The task has ended where the broker has heard of a later controller: then this one ends as well.
            let queued = Queued::Effects((effects, live.clone()));
            drop(self.open[&id].queue.send(queued));
        }
    }

    /// A broker's registration is gone.
    pub(super) fn close(&mut self, broker: BrokerId) {
        self.open.remove(&broker);
    }

    /// Resolves when every broker has been told all of it, and after `limit` at the latest.
    pub(super) async fn told(&self, limit: Duration) {
        let asked: Vec<_> = self.open.values().map(Channel::when_told).collect();
        let all = async {
            for told in asked {
                // An error: there is nobody to be told any more.
                drop(told.await);
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            log::info!("not all brokers have been told what is decided: the next controller tells them");
        }
    }

    fn channel(&self, to: LiveBroker) -> Channel {
        let (queue, queued) = mpsc::unbounded_channel();
        let broker_epoch = to.broker_epoch;
        let (peers, controller, finished) = (self.peers.clone(), self.controller, self.finished.clone());
        let task = tokio::spawn(run(peers, controller, to, queued, finished));
        Channel {
            broker_epoch,
            queue,
            task,
        }
    }
}

/// What waits for a broker.
#[derive(Default)]
struct Waiting {
    told: VecDeque<Told>,
    when_told: Vec<oneshot::Sender<()>>,
}

impl Waiting {
    /// Effects that may name other brokers than those before them stay apart.
    fn add(&mut self, queued: Queued) {
        let (effects, live) = match queued {
            Queued::Effects(told) => told,
            Queued::WhenTold(sender) => return self.when_told.push(sender),
        };
        match self.told.back_mut() {
            Some((waiting, known)) if merging::are_registered_alike(known, &live) => merging::append(waiting, effects),
            _ => self.told.push_back((effects, live)),
        }
    }

    fn add_all(&mut self, queued: &mut mpsc::UnboundedReceiver<Queued>) {
        while let Ok(more) = queued.try_recv() {
            self.add(more);
        }
    }

    /// The oldest.
    fn next(&mut self) -> Option<(Effect, Arc<Vec<LiveBroker>>)> {
        loop {
            let (effects, live) = self.told.front_mut()?;
            if !effects.is_empty() {
                return Some((effects.remove(0), live.clone()));
            }
            self.told.pop_front();
        }
    }

    /// What comes meanwhile is merged with what waits, so that no broker that is not reached has a queue without end.
    async fn pause(&mut self, pause: Duration, queued: &mut mpsc::UnboundedReceiver<Queued>) {
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                Some(more) = queued.recv() => self.add(more),
            }
        }
    }
}

async fn run(
    peers: Arc<dyn Peers>,
    controller: Controller,
    to: LiveBroker,
    mut queued: mpsc::UnboundedReceiver<Queued>,
    finished: mpsc::UnboundedSender<Finished>,
) {
    let broker = to.registration.id;
    let mut waiting = Waiting::default();
    loop {
        waiting.add_all(&mut queued);
        let Some((effect, live)) = waiting.next() else {
            // Whoever has stopped waiting does not need to know.
            for sender in waiting.when_told.drain(..) {
                sender.send(()).ok();
            }
            match queued.recv().await {
                Some(more) => waiting.add(more),
                None => return,
            }
            continue;
        };
        let deleted = deletions(std::slice::from_ref(&effect));
        let effect = Arc::new(effect);
        let told = tell(
            peers.as_ref(),
            controller,
            &to,
            (effect, live),
            (&mut waiting, &mut queued),
        )
        .await;
        let report = match told {
            Ok(applied) => Finished::new(broker, controller.epoch, deleted, applied),
            Err(Over::LaterController) => Finished::stale(broker, controller.epoch),
            Err(Over::RegisteredAnew) => return,
        };
        // Without a receiver the controller is about to end.
        if report.is_of_interest() {
            drop(finished.send(report));
        }
    }
}

/// Why a queue ends.
enum Over {
    LaterController,
    RegisteredAnew,
}

async fn tell(
    peers: &dyn Peers,
    controller: Controller,
    to: &LiveBroker,
    (effect, live): (Arc<Effect>, Arc<Vec<LiveBroker>>),
    (waiting, queued): (&mut Waiting, &mut mpsc::UnboundedReceiver<Queued>),
) -> Result<crate::effects::Applied, Over> {
    let mut pause = FIRST_PAUSE;
    let mut said = String::new();
    loop {
        let error = match peers.tell(to, controller, effect.clone(), live.clone()).await {
            Ok(applied) => return Ok(applied),
            Err(PeerError::StaleControllerEpoch) => return Err(Over::LaterController),
            Err(PeerError::StaleBrokerEpoch) => return Err(Over::RegisteredAnew),
            Err(error @ (PeerError::Unreachable { .. } | PeerError::Refused { .. })) => error.to_string(),
        };
        if error != said {
            log::warn!(
                "broker {} has not been told what is decided, which is tried again: {error}",
                to.registration.id
            );
            said = error;
        }
        waiting.pause(pause, queued).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
#[path = "channels_tests.rs"]
mod tests;
