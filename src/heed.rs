//! What controllers decide, be it this broker's own or another, is applied here: one batch after the other, none of a controller that was
//! followed by another, none that was meant for an earlier registration of this broker. Kafka's checks in `KafkaApis` and
//! `ReplicaManager.becomeLeaderOrFollower`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use controller::effects::ConfigMap;
use controller::{Applied, BoxFuture, BrokerEpoch, ControllerEpoch, ControllerHandle, Effect, EffectSink, TopicId};
use tokio::sync::Mutex;

use crate::replicas::ApplyEffects;

/// How long a request is kept waiting that knows this broker's registration before it does itself.
const OWN_EPOCH_WAIT: Duration = Duration::from_secs(1);
/// Between two looks at that.
const OWN_EPOCH_LOOK: Duration = Duration::from_millis(5);
/// Before a configuration is read again that could not be read.
const READ_AGAIN: Duration = Duration::from_millis(200);

/// Configurations of topics by name, as far as they are known: other controllers do not tell them.
#[derive(Debug, Default)]
struct Configs(HashMap<Arc<str>, Known>);

/// What is set for a topic.
#[derive(Debug)]
struct Known {
    /// Which of the topics that had the name one after the other; zero where nobody has said it.
    topic_id: TopicId,
    configs: Arc<ConfigMap>,
}

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
        let known = |(topic, configs): (String, ConfigMap)| {
            let known = Known {
                topic_id: TopicId::ZERO,
                configs: Arc::new(configs),
            };
            (Arc::from(topic), known)
        };
        Arc::new(Self {
            effects,
            own: OnceLock::new(),
            heard: Mutex::new(Heard {
                controller_epoch: ControllerEpoch::default(),
                configs: Configs(configs.into_iter().map(known).collect()),
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
        effects.iter().for_each(|effect| heard.configs.note(effect));
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
        topics: impl Iterator<Item = (&str, TopicId)>,
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
        for (topic, topic_id) in topics {
            self.read_configs(&mut heard.configs, topic, topic_id).await;
        }
        let configs_of = |topic: &str| heard.configs.of(topic);
        let effects = effects(&configs_of);
        effects.iter().for_each(|effect| heard.configs.note(effect));
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
    async fn read_configs(&self, configs: &mut Configs, topic: &str, topic_id: TopicId) {
        let Some(own) = self.own.get() else { return };
        let mut said = false;
        while !configs.knows(topic, topic_id) {
            match own.topic_configs(topic).await {
                Ok(read) => configs.insert(Arc::from(topic), topic_id, Arc::new(read)),
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

impl Configs {
    fn of(&self, topic: &str) -> Arc<ConfigMap> {
        self.0.get(topic).map(|known| known.configs.clone()).unwrap_or_default()
    }

    /// Whether what is known is of this topic, and not of one that had its name before: that it went this broker may not have heard.
    fn knows(&self, topic: &str, topic_id: TopicId) -> bool {
        let is_same = |known: &Known| known.topic_id == topic_id || known.topic_id.is_zero() || topic_id.is_zero();
        self.0.get(topic).is_some_and(is_same)
    }

    fn insert(&mut self, topic: Arc<str>, topic_id: TopicId, configs: Arc<ConfigMap>) {
        let before = self.0.insert(topic.clone(), Known { topic_id, configs });
        // Who tells without an id does not mean that there is none.
        if let (true, Some(before), Some(known)) = (topic_id.is_zero(), before, self.0.get_mut(&topic)) {
            known.topic_id = before.topic_id;
        }
    }

    /// What is known after an effect; what is set for topics that go is forgotten.
    fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::LeaderAndIsr { topics, .. } | Effect::UpdateMetadata { topics, .. } => {
                for topic in topics {
                    let goes = !topic.partitions.is_empty() && topic.partitions.iter().all(|p| p.is_being_deleted());
                    match goes {
                        true => drop(self.0.remove(&topic.topic)),
                        false => self.insert(topic.topic.clone(), topic.topic_id, topic.configs.clone()),
                    }
                }
            }
            // A notice may outlive its topic. What it says of one that is not there must not be taken for what is set for the next one
            // with this name, whose configuration is read when it comes.
            Effect::TopicConfigChanged { topic, configs } => {
                if let Some(known) = self.0.get_mut(topic) {
                    known.configs = configs.clone();
                }
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

#[cfg(test)]
mod tests {
    use controller::effects::{PartitionState, TopicState};
    use controller::ids::{LEADER_DURING_DELETE, LeaderEpoch, PartitionEpoch};

    use super::*;

    const ID: TopicId = protocol::wire::Uuid([1; 16]);
    const NEXT_ID: TopicId = protocol::wire::Uuid([2; 16]);

    fn configs(retention_ms: &str) -> Arc<ConfigMap> {
        Arc::new(ConfigMap::from([("retention.ms".to_owned(), retention_ms.to_owned())]))
    }

    fn known(retention_ms: &str, topic_id: TopicId) -> Configs {
        let mut known = Configs::default();
        known.insert(Arc::from("t"), topic_id, configs(retention_ms));
        known
    }

    fn shown(leader: i32, topic_id: TopicId, retention_ms: &str) -> Effect {
        Effect::UpdateMetadata {
            controller_id: 1,
            controller_epoch: ControllerEpoch(1),
            brokers: Vec::new(),
            topics: vec![TopicState {
                topic: Arc::from("t"),
                topic_id,
                configs: configs(retention_ms),
                partitions: vec![PartitionState {
                    partition: 0,
                    controller_epoch: ControllerEpoch(1),
                    leader,
                    leader_epoch: LeaderEpoch(0),
                    partition_epoch: PartitionEpoch(0),
                    isr: Vec::new(),
                    replicas: Vec::new(),
                    adding_replicas: Vec::new(),
                    removing_replicas: Vec::new(),
                    offline_replicas: Vec::new(),
                    leader_recovery_state: Default::default(),
                    is_new: false,
                }],
            }],
        }
    }

    fn changed(retention_ms: &str) -> Effect {
        Effect::TopicConfigChanged {
            topic: Arc::from("t"),
            configs: configs(retention_ms),
        }
    }

    #[test]
    fn a_change_is_taken_over_and_a_topic_that_goes_is_forgotten() {
        let mut configs_of = known("1", ID);
        configs_of.note(&changed("2"));
        assert_eq!(configs_of.of("t"), configs("2"));
        assert!(configs_of.knows("t", ID), "it is the same topic");
        configs_of.note(&shown(LEADER_DURING_DELETE, TopicId::ZERO, "2"));
        assert!(!configs_of.knows("t", ID));
    }

    #[test]
    fn a_notice_that_outlives_its_topic_says_nothing_of_the_next_one() {
        let mut configs_of = known("1", ID);
        configs_of.note(&shown(LEADER_DURING_DELETE, ID, "1"));
        configs_of.note(&changed("1"));
        assert!(!configs_of.knows("t", NEXT_ID), "it is read when it comes");
    }

    #[test]
    fn the_next_topic_with_the_name_is_read_also_where_nobody_said_that_the_one_before_went() {
        let mut configs_of = known("1", ID);
        assert!(!configs_of.knows("t", NEXT_ID));
        configs_of.insert(Arc::from("t"), NEXT_ID, configs("3"));
        assert!(configs_of.knows("t", NEXT_ID));
        assert_eq!(configs_of.of("t"), configs("3"));
    }

    #[test]
    fn what_was_read_at_the_start_holds_for_the_topic_that_is_told_first() {
        let mut configs_of = known("1", TopicId::ZERO);
        assert!(configs_of.knows("t", ID));
        configs_of.note(&shown(1, ID, "1"));
        assert!(configs_of.knows("t", ID));
        assert!(!configs_of.knows("t", NEXT_ID));
        // Old versions do not say the id.
        configs_of.note(&shown(1, TopicId::ZERO, "1"));
        assert!(!configs_of.knows("t", NEXT_ID));
    }
}
