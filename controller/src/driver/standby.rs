//! A registered broker beside the controller: it waits for `/controller`, hears of changed configurations, writes those that it is asked
//! to, tells of its own failed log directories, and looks whether the controller is alive.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::applying::EffectBatch;
use super::config_notices::{ConfigNotices, TopicConfigs};
use super::config_writes;
use super::requests::refuse;
use super::vigils::{Suspicion, Vigils};
use super::{Ended, Surroundings, give};
use crate::effects::{ConfigMap, Effect, LiveBroker};
use crate::handle::{Place, Request};
use crate::ids::{BrokerEpoch, BrokerId, ControllerEpoch};
use crate::membership::Standby;
use crate::rejection::Rejection;
use crate::requests::{ControllerError, TopicConfigChange, TopicPolicy};
use crate::sessions::Sessions;
use crate::startup;
use crate::store::{CreateMode, Op, Store, StoreError};
use crate::znodes;

/// Before what could not be done is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// A standby from the moment when it has found a controller to the moment when that is gone.
pub(super) struct StandingBy {
    sessions: Arc<Sessions>,
    policy: Arc<dyn TopicPolicy>,
    broker: BrokerId,
    role: Standby,
    batches: mpsc::UnboundedSender<EffectBatch>,
    notices: ConfigNotices,
    vigils: Vigils,
    place: Arc<Place>,
}

impl StandingBy {
    pub(super) fn new(around: Surroundings, broker: BrokerId, role: Standby) -> Self {
        log::info!(
            "broker {broker} is registered with broker epoch {}; broker {} is the controller",
            role.broker_epoch,
            role.controller
        );
        StandingBy {
            sessions: around.sessions,
            policy: around.policy,
            broker,
            role,
            batches: around.batches,
            notices: ConfigNotices::new(),
            vigils: Vigils::new(around.peers),
            place: around.place,
        }
    }

    pub(super) fn broker_epoch(&self) -> BrokerEpoch {
        self.role.broker_epoch
    }

    pub(super) fn controller(&self) -> BrokerId {
        self.role.controller
    }

    /// Until `/controller` changes, or the broker stops.
    pub(super) async fn serve(&mut self, requests: &mut mpsc::Receiver<Request>) -> Ended {
        self.watch_controller().await;
        loop {
            tokio::select! {
                biased;
                event = &mut self.role.replaced => {
                    log::info!("the controller has changed: {} ({:?})", event.path, event.kind);
                    return Ended::Vacant;
                }
                event = &mut self.role.unregistered => {
                    log::warn!("the registration of this broker has changed: {} ({:?})", event.path, event.kind);
                    return Ended::Deposed;
                }
                suspicion = self.vigils.suspicion() => {
                    if !self.depose(suspicion).await {
                        // What was read is out of date, or ZooKeeper is away: all of it is read again.
                        tokio::time::sleep(PAUSE).await;
                    }
                    return Ended::Vacant;
                }
                () = self.notices.changed() => self.hear().await,
                request = requests.recv() => match request {
                    Some(Request::Shutdown { reply }) => return Ended::Stopped(Some(reply)),
                    Some(request) => self.take(request).await,
                    None => return Ended::Stopped(None),
                },
                () = tokio::time::sleep(PAUSE), if self.owes_log_dir_event() => self.tell_log_dir_event().await,
            }
        }
    }

    /// The controller's process is watched, where it is one of ours.
    async fn watch_controller(&mut self) {
        let id = self.role.controller;
        let path = znodes::broker(id);
        match self.sessions.get(&path).await {
            Ok((data, stat)) => match znodes::decode_broker(id, &data) {
                Ok(registration) => {
                    let controller = LiveBroker {
                        registration,
                        broker_epoch: BrokerEpoch(stat.czxid),
                    };
                    self.vigils.watch([controller].iter());
                }
                Err(error) => log::error!("{error}; whether the controller is alive only ZooKeeper says"),
            },
            Err(error) => log::info!("the controller's registration cannot be read: {error}"),
        }
    }

    /// The controller seems to be dead: `/controller` and its registration go, where they are still those that were seen. One of several
    /// standbys does it.
    async fn depose(&self, suspicion: Suspicion) -> bool {
        let Suspicion {
            broker,
            broker_epoch,
            evidence,
        } = suspicion;
        log::warn!("the controller, broker {broker}, seems to be dead: {evidence}");
        match self.take_away(broker, broker_epoch).await {
            Ok(()) => {
                log::warn!("broker {broker} is the controller no longer, and is fenced");
                true
            }
            Err(error) => {
                log::info!("broker {broker} was not deposed: {error}");
                false
            }
        }
    }

    async fn take_away(&self, broker: BrokerId, broker_epoch: BrokerEpoch) -> Result<(), StoreError> {
        let mut ops = vec![startup::check(self.role.controller_epoch_version)];
        if let Some(stat) = self.sessions.exists(znodes::CONTROLLER).await? {
            if stat.czxid != self.role.controller_czxid {
                let path = znodes::CONTROLLER.to_owned();
                return Err(StoreError::BadVersion {
                    path,
                    expected: stat.version,
                });
            }
            ops.push(Op::delete(znodes::CONTROLLER, stat.version));
        }
        let path = znodes::broker(broker);
        if let Some(stat) = self.sessions.exists(&path).await?
            && stat.czxid == broker_epoch.0
        {
            ops.push(Op::delete(path, stat.version));
        }
        self.sessions.multi(ops).await.map(drop)
    }

    async fn take(&mut self, request: Request) {
        match request {
            Request::AlterTopicConfigs {
                changes,
                validate_only,
                reply,
            } => {
                let mut answers = Vec::with_capacity(changes.len());
                for change in changes {
                    match self.alter_configs(change, validate_only).await {
                        Ok(answer) => answers.push(answer),
                        Err(error) => return give(reply, Err(error.into())),
                    }
                }
                give(reply, Ok(answers));
            }
            Request::ReplicasOffline { replicas, reply } => {
                for replica in &replicas {
                    log::warn!(
                        "the replica of {}-{} is offline: {}",
                        replica.topic,
                        replica.partition,
                        replica.reason
                    );
                }
                self.tell_log_dir_event().await;
                give(reply, Ok(()));
            }
            // A shutdown is not refused, and was taken before.
            other => drop(refuse(other, &ControllerError::NotController)),
        }
    }

    async fn alter_configs(
        &mut self,
        change: TopicConfigChange,
        validate_only: bool,
    ) -> Result<Result<(), Rejection>, StoreError> {
        let written = config_writes::write(self.sessions.as_ref(), self.policy.as_ref(), change, validate_only).await?;
        Ok(written.map(|changed| {
            if let Some(TopicConfigs { topic, configs, .. }) = changed {
                self.tell(topic, configs);
            }
        }))
    }

    async fn hear(&mut self) {
        match self.notices.hear(self.sessions.as_ref()).await {
            Ok(changed) => {
                for changed in changed {
                    self.tell(changed.topic, changed.configs);
                }
            }
            Err(error) => log::warn!("changed configurations could not be read, which is tried again: {error}"),
        }
    }

    fn tell(&self, topic: String, configs: ConfigMap) {
        let batch = EffectBatch {
            controller_epoch: ControllerEpoch::default(),
            effects: vec![Effect::TopicConfigChanged {
                topic: topic.into(),
                configs: Arc::new(configs),
            }],
            completions: Vec::new(),
        };
        // Without a receiver the broker is about to end.
        drop(self.batches.send(batch));
    }

    fn owes_log_dir_event(&self) -> bool {
        self.place.owes_log_dir_event.load(Ordering::SeqCst)
    }

    /// Until it is written, as nobody else knows. That it may be written twice does no harm.
    async fn tell_log_dir_event(&mut self) {
        let op = Op::Create {
            path: znodes::LOG_DIR_EVENT.to_owned(),
            data: znodes::encode_log_dir_event(self.broker),
            mode: CreateMode::PersistentSequential,
        };
        let told = self.sessions.multi(vec![op]).await;
        self.place.owes_log_dir_event.store(told.is_err(), Ordering::SeqCst);
        if let Err(error) = told {
            log::warn!("the controller does not know yet that a log directory has failed: {error}");
        }
    }
}
