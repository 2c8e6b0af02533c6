//! What controllers decide, be it this broker's own or another, is applied here: one batch after the other, none of a controller that was
//! followed by another, none that was meant for an earlier registration of this broker. Kafka's checks in `KafkaApis` and
//! `ReplicaManager.becomeLeaderOrFollower`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use controller::effects::ConfigMap;
use controller::{Applied, BoxFuture, BrokerEpoch, ControllerEpoch, ControllerHandle, Effect, EffectSink};
use tokio::sync::Mutex;

use crate::replicas::ApplyEffects;

/// How long a request is kept waiting that knows this broker's registration before it does itself.
const OWN_EPOCH_WAIT: Duration = Duration::from_secs(1);
/// Between two looks at that.
const OWN_EPOCH_LOOK: Duration = Duration::from_millis(5);
/// Before a configuration is read again that could not be read.
const READ_AGAIN: Duration = Duration::from_millis(200);

/// Configurations of topics, as far as they are known: other controllers do not tell them.
type Configs = HashMap<Arc<str>, Arc<ConfigMap>>;

/// Why nothing was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeedError {
    /// `STALE_CONTROLLER_EPOCH`
    #[error("controller epoch {asked} is older than {heard}, which this broker has heard of")]
    StaleControllerEpoch {
        /// Of the request.
        asked: ControllerEpoch,
        /// The latest.
        heard: ControllerEpoch,
    },
    /// `STALE_BROKER_EPOCH`
    #[error("broker epoch {asked} is not {own}, that of the present registration")]
    StaleBrokerEpoch {
        /// Of the request.
        asked: BrokerEpoch,
        /// The present one.
        own: BrokerEpoch,
    },
}

/// Applies what controllers decide.
pub struct Heed {
    effects: ApplyEffects,
    own: OnceLock<ControllerHandle>,
    /// Held from the checks to the end of applying: what comes later is applied later.
    heard: Mutex<Heard>,
}

struct Heard {
    controller_epoch: ControllerEpoch,
    configs: Configs,
}

impl Heed {
    /// Nothing is heard yet; `configs` are those of all topics as they were read at the start.
    pub fn new(effects: ApplyEffects, configs: BTreeMap<String, ConfigMap>) -> Arc<Self> {
        let known = |(topic, configs): (String, ConfigMap)| (Arc::from(topic), Arc::new(configs));
        Arc::new(Self {
            effects,
            own: OnceLock::new(),
            heard: Mutex::new(Heard {
                controller_epoch: ControllerEpoch::default(),
                configs: configs.into_iter().map(known).collect(),
            }),
        })
    }

    /// This broker is a member of its cluster: before that nobody tells it anything.
    pub fn begin(&self, own: ControllerHandle) {
        // Once, at the start.
        let _ = self.own.set(own);
    }

    /// Applies what this broker's own controller has decided, and what it reads itself.
    async fn apply_own(&self, effects: Vec<Effect>) -> Applied {
        let mut heard = self.heard.lock().await;
        for effect in &effects {
            let Some(epoch) = epoch_of(effect) else { continue };
            if epoch < heard.controller_epoch {
                return Applied {
                    failed: Vec::new(),
                    is_stale: true,
                };
            }
            heard.controller_epoch = epoch;
        }
        effects.iter().for_each(|effect| heard.note_configs(effect));
        self.effects.apply(effects).await
    }

    /// Applies a request of another broker's controller. `topics` are those whose configurations `effects` asks for.
    ///
    /// # Errors
    /// [`HeedError`]; nothing was applied.
    pub async fn apply(
        &self,
        controller_epoch: ControllerEpoch,
        broker_epoch: BrokerEpoch,
        topics: impl Iterator<Item = &str>,
        effects: impl FnOnce(&dyn Fn(&str) -> Arc<ConfigMap>) -> Vec<Effect>,
    ) -> Result<(Applied, Vec<Effect>), HeedError> {
        let mut heard = self.heard.lock().await;
        self.check_broker_epoch(broker_epoch).await?;
        if controller_epoch < heard.controller_epoch {
            return Err(HeedError::StaleControllerEpoch {
                asked: controller_epoch,
                heard: heard.controller_epoch,
            });
        }
        heard.controller_epoch = controller_epoch;
        for topic in topics {
            self.read_configs(&mut heard.configs, topic).await;
        }
        let configs_of = |topic: &str| heard.configs.get(topic).cloned().unwrap_or_default();
        let effects = effects(&configs_of);
        effects.iter().for_each(|effect| heard.note_configs(effect));
        let applied = self.effects.apply(effects.clone()).await;
        Ok((applied, effects))
    }

    /// A request of an earlier registration is refused. One of a later registration than this broker knows of is right: the answer to
    /// registering is still under way.
    async fn check_broker_epoch(&self, asked: BrokerEpoch) -> Result<(), HeedError> {
        let own = || self.own.get().map_or(BrokerEpoch(-1), ControllerHandle::broker_epoch);
        let deadline = tokio::time::Instant::now() + OWN_EPOCH_WAIT;
        while own() < asked && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(OWN_EPOCH_LOOK).await;
        }
        let own = own();
        // Old versions do not say it.
        match asked.0 >= 0 && asked < own {
            true => Err(HeedError::StaleBrokerEpoch { asked, own }),
            false => Ok(()),
        }
    }

    /// Waits for as long as it takes: by a guess records would be deleted, or acknowledged, that are not to be.
    async fn read_configs(&self, configs: &mut Configs, topic: &str) {
        let Some(own) = self.own.get() else { return };
        let mut said = false;
        while !configs.contains_key(topic) {
            match own.topic_configs(topic).await {
                Ok(read) => drop(configs.insert(Arc::from(topic), Arc::new(read))),
                Err(error) => {
                    if !std::mem::replace(&mut said, true) {
                        log::warn!("topic {topic} waits for its configuration, which cannot be read: {error}");
                    }
                    tokio::time::sleep(READ_AGAIN).await;
                }
            }
        }
    }
}

impl Heard {
    /// What is known of configurations after an effect; those of topics that go are forgotten.
    fn note_configs(&mut self, effect: &Effect) {
        match effect {
            Effect::LeaderAndIsr { topics, .. } | Effect::UpdateMetadata { topics, .. } => {
                for topic in topics {
                    let goes = !topic.partitions.is_empty() && topic.partitions.iter().all(|p| p.is_being_deleted());
                    match goes {
                        true => drop(self.configs.remove(&topic.topic)),
                        false => drop(self.configs.insert(topic.topic.clone(), topic.configs.clone())),
                    }
                }
            }
            Effect::TopicConfigChanged { topic, configs } => {
                self.configs.insert(topic.clone(), configs.clone());
            }
            Effect::StopReplica { .. } => {}
        }
    }
}

fn epoch_of(effect: &Effect) -> Option<ControllerEpoch> {
    match effect {
        Effect::LeaderAndIsr { controller_epoch, .. }
        | Effect::UpdateMetadata { controller_epoch, .. }
        | Effect::StopReplica { controller_epoch, .. } => Some(*controller_epoch),
        Effect::TopicConfigChanged { .. } => None,
    }
}

/// The end of this broker's own controller.
pub struct OwnEffects(pub Arc<Heed>);

impl EffectSink for OwnEffects {
    fn apply(&mut self, effects: Vec<Effect>) -> BoxFuture<'_, Applied> {
        Box::pin(self.0.apply_own(effects))
    }
}
