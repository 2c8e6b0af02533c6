//! Watching whether other brokers' processes are there. What a vigil brings to light is a suspicion; what follows is the driver's.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::effects::LiveBroker;
use crate::ids::{BrokerEpoch, BrokerId};
use crate::peers::Peers;

/// A broker that seems to be dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspicion {
    pub(super) broker: BrokerId,
    pub(super) broker_epoch: BrokerEpoch,
    pub(super) evidence: String,
}

/// Vigils of brokers, each of one registration. They end with this.
pub(super) struct Vigils {
    peers: Arc<dyn Peers>,
    held: BTreeMap<BrokerId, (BrokerEpoch, JoinHandle<()>)>,
    suspecting: mpsc::UnboundedSender<Suspicion>,
    suspected: mpsc::UnboundedReceiver<Suspicion>,
}

impl Drop for Vigils {
    fn drop(&mut self) {
        self.held.values().for_each(|(_, task)| task.abort());
    }
}

impl Vigils {
    pub(super) fn new(peers: Arc<dyn Peers>) -> Self {
        let (suspecting, suspected) = mpsc::unbounded_channel();
        Vigils {
            peers,
            held: BTreeMap::new(),
            suspecting,
            suspected,
        }
    }

    /// Exactly these brokers are watched from now on, of them those that bear our mark: others do not say what their silence means.
    pub(super) fn watch<'a>(&mut self, brokers: impl Iterator<Item = &'a LiveBroker>) {
        let mut before = std::mem::take(&mut self.held);
        for broker in brokers.filter(|broker| broker.registration.sordini.is_some()) {
            let id = broker.registration.id;
            let held = match before.remove(&id) {
                Some((epoch, task)) if epoch == broker.broker_epoch => (epoch, task),
                other => {
                    other.into_iter().for_each(|(_, task)| task.abort());
                    (broker.broker_epoch, self.begin(broker))
                }
            };
            self.held.insert(id, held);
        }
        before.into_values().for_each(|(_, task)| task.abort());
    }

    /// The vigil of a broker begins anew, after `pause`: its suspicion came to nothing.
    pub(super) fn renew(&mut self, broker: &LiveBroker, pause: std::time::Duration) {
        let (peers, broker, suspecting) = (self.peers.clone(), broker.clone(), self.suspecting.clone());
        let (id, epoch) = (broker.registration.id, broker.broker_epoch);
        let task = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            hold(peers.as_ref(), &broker, &suspecting).await;
        });
        if let Some((_, before)) = self.held.insert(id, (epoch, task)) {
            before.abort();
        }
    }

    fn begin(&self, broker: &LiveBroker) -> JoinHandle<()> {
        let (peers, broker, suspecting) = (self.peers.clone(), broker.clone(), self.suspecting.clone());
        tokio::spawn(async move { hold(peers.as_ref(), &broker, &suspecting).await })
    }

    /// The next broker that seems to be dead.
    pub(super) async fn suspicion(&mut self) -> Suspicion {
        match self.suspected.recv().await {
            Some(suspicion) => suspicion,
            None => std::future::pending().await,
        }
    }
}

async fn hold(peers: &dyn Peers, broker: &LiveBroker, suspecting: &mpsc::UnboundedSender<Suspicion>) {
    let evidence = peers.evidence_of_death(broker).await;
    let suspicion = Suspicion {
        broker: broker.registration.id,
        broker_epoch: broker.broker_epoch,
        evidence,
    };
    drop(suspecting.send(suspicion));
}
