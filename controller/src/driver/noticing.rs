//! What a controller notices: how its effects went, brokers that come and go or seem to be dead, configurations that other brokers have
//! changed, log directories that have failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::applying::Finished;
use super::config_notices::TopicConfigs;
use super::vigils::Suspicion;
use super::{Driver, Transaction, now_ms};
use crate::core::Event;
use crate::effects::{Effect, FailedReplica, LiveBroker, Told};
use crate::ids::BrokerId;
use crate::partitions::Topic;
use crate::startup::{self, StartError};
use crate::state::{Note, Record};
use crate::store::{Op, Store, StoreError};
use crate::znodes;

/// Between two fences of one broker: whoever is fenced and lives registers anew, and would otherwise be fenced again and again.
const FENCES_APART: Duration = Duration::from_secs(10);

impl Driver {
    /// Goes on where effects have to be followed up: deleted topics leave the store, failed replicas go offline.
    pub(super) fn finish(&mut self, finished: Finished, transaction: &mut Transaction) {
        transaction.after_write.extend(finished.completions);
        // What was told by an earlier controller of this broker says nothing about what is decided now.
        if finished.controller_epoch != self.elected.controller_epoch {
            return;
        }
        if finished.is_stale {
            log::warn!("broker {} has heard of a later controller", finished.broker);
            self.is_deposed = true;
            return;
        }
        let broker = finished.broker;
        for (topic, partitions) in finished.deleted {
            // A reassignment deletes replicas, too.
            let is_whole = |topic: &Topic| {
                let mut held = topic.partitions.iter();
                topic.is_being_deleted
                    && held.all(|(number, it)| !it.assignment.replicas.contains(&broker) || partitions.contains(number))
            };
            if !self.state.topic(&topic).is_some_and(is_whole) {
                continue;
            }
            self.state.note(Note::ReplicasDeleted {
                broker,
                topic: topic.clone(),
            });
            // Never refused.
            drop(self.decide(Event::ReplicasDeleted { topic }, transaction));
        }
        self.take_offline(broker, finished.failed, transaction);
    }

    pub(super) fn take_offline(
        &mut self,
        broker: BrokerId,
        replicas: Vec<FailedReplica>,
        transaction: &mut Transaction,
    ) {
        // Once for each: what an offline replica is told next, such as to be deleted, fails again for a vaguer reason.
        let was_online = |replica: &&FailedReplica| self.state.is_held(broker, &replica.topic, replica.partition);
        for FailedReplica {
            topic,
            partition,
            reason,
            ..
        } in replicas.iter().filter(was_online)
        {
            match broker == self.broker {
                true => log::warn!("the replica of {topic}-{partition} is offline: {reason}"),
                false => log::warn!("the replica of {topic}-{partition} on broker {broker} is offline: {reason}"),
            }
        }
        let partitions: Vec<(Arc<str>, i32)> = replicas
            .into_iter()
            .map(|replica| (replica.topic, replica.partition))
            .collect();
        if partitions.is_empty() {
            return;
        }
        for (topic, partition) in partitions.iter().cloned() {
            self.state.note(Note::ReplicaOffline {
                broker,
                topic,
                partition,
            });
        }
        // Never refused.
        drop(self.decide(Event::ReplicasOffline { partitions }, transaction));
    }

    /// Looks who is registered, and decides about those that have come and gone.
    pub(super) async fn look_at_brokers(&mut self, transaction: &mut Transaction) {
        let read = async {
            let names = self.watches.brokers.look(self.sessions.as_ref()).await?;
            startup::read_brokers(self.sessions.as_ref(), names).await
        };
        let registered = match read.await {
            Ok(registered) => registered,
            Err(error) => {
                self.watches.brokers.look_again();
                return self.note_unread("the registrations of brokers", &error);
            }
        };
        let registered: BTreeMap<BrokerId, LiveBroker> = registered
            .into_iter()
            .map(|broker| (broker.registration.id, broker))
            .collect();
        match registered.get(&self.broker) {
            Some(own) if own.broker_epoch == self.elected.broker_epoch => {}
            _ => {
                log::warn!("the registration of this broker is gone");
                self.is_deposed = true;
                return;
            }
        }
        self.take_brokers(registered, transaction);
    }

    fn take_brokers(&mut self, registered: BTreeMap<BrokerId, LiveBroker>, transaction: &mut Transaction) {
        let is_same = |broker: &LiveBroker| {
            let id = broker.registration.id;
            registered
                .get(&id)
                .is_some_and(|now| now.broker_epoch == broker.broker_epoch)
        };
        let gone = self.state.brokers().filter(|broker| !is_same(broker));
        let gone: Vec<BrokerId> = gone.map(|broker| broker.registration.id).collect();
        self.take_gone(gone, transaction);
        let came: Vec<LiveBroker> = registered
            .into_values()
            .filter(|broker| !self.state.is_alive(broker.registration.id))
            .collect();
        if came.is_empty() {
            return;
        }
        let brokers: Vec<BrokerId> = came.iter().map(|broker| broker.registration.id).collect();
        for broker in came {
            log::info!(
                "broker {} is registered with broker epoch {}",
                broker.registration.id,
                broker.broker_epoch
            );
            self.state.apply(Record::BrokerRegistered(broker));
        }
        // Never refused.
        drop(self.decide(Event::BrokersCame { brokers }, transaction));
        self.watch_brokers();
    }

    /// Registrations that are gone.
    fn take_gone(&mut self, gone: Vec<BrokerId>, transaction: &mut Transaction) {
        if gone.is_empty() {
            return;
        }
        log::info!("the registrations of brokers {gone:?} are gone");
        for &id in &gone {
            self.state.apply(Record::BrokerUnregistered { id });
            self.channels.close(id);
        }
        // Never refused.
        drop(self.decide(Event::BrokersGone { brokers: gone }, transaction));
        self.watch_brokers();
    }

    /// The vigils are those of the other brokers as they are registered now.
    pub(super) fn watch_brokers(&mut self) {
        if self.sessions.is_ensemble() {
            let own = self.broker;
            let others = self.state.brokers().filter(|broker| broker.registration.id != own);
            self.vigils.watch(others);
        }
    }

    /// A broker seems to be dead: its registration goes, where it is still the one that was watched, and what follows is decided at once.
    pub(super) async fn fence(&mut self, suspicion: Suspicion, transaction: &mut Transaction) {
        let Suspicion {
            broker,
            broker_epoch,
            evidence,
        } = suspicion;
        let Some(live) = self.state.broker(broker).cloned() else {
            return;
        };
        if live.broker_epoch != broker_epoch {
            return;
        }
        // Whoever has said that it stops is expected to be gone: that is no fence.
        let is_stopping = self.state.is_shutting_down(broker);
        let fenced_at = self.fenced.get(&broker);
        let waits = fenced_at.map(|at| FENCES_APART.saturating_sub(at.elapsed()));
        if let Some(waits) = waits.filter(|waits| !waits.is_zero() && !is_stopping) {
            log::warn!("broker {broker} seems to be dead ({evidence}), but was fenced not long ago");
            return self.vigils.renew(&live, waits);
        }
        match self.unregister(&live).await {
            Ok(()) if is_stopping => {
                log::info!("broker {broker} has stopped: {evidence}");
                self.take_gone(vec![broker], transaction);
            }
            Ok(()) => {
                log::warn!("broker {broker} is fenced: {evidence}");
                self.fenced.insert(broker, Instant::now());
                self.take_gone(vec![broker], transaction);
            }
            // It went by itself meanwhile: the watch tells.
            Err(error) if matches!(error.cause(), StoreError::NoNode { .. }) => {}
            Err(error) => {
                log::warn!("broker {broker} seems to be dead ({evidence}), but could not be fenced: {error}");
                self.note_if_over(&error);
                self.vigils.renew(&live, Duration::from_millis(500));
            }
        }
    }

    /// By its version, and only where the znode is that of this registration.
    async fn unregister(&self, broker: &LiveBroker) -> Result<(), StoreError> {
        let path = znodes::broker(broker.registration.id);
        let Some(stat) = self.sessions.exists(&path).await? else {
            return Ok(());
        };
        if stat.czxid != broker.broker_epoch.0 {
            // It has registered anew: the watch tells.
            return Err(StoreError::BadVersion {
                path,
                expected: stat.version,
            });
        }
        let check = startup::check(self.elected.controller_epoch_version);
        self.sessions
            .multi(vec![check, Op::delete(path, stat.version)])
            .await
            .map(drop)
    }

    /// Takes over configurations that other brokers have changed.
    pub(super) async fn hear_config_notices(&mut self, transaction: &mut Transaction) {
        let heard = self.notices.hear(self.sessions.as_ref()).await;
        let changed = match heard {
            Ok(changed) => changed,
            Err(error) => return self.note_unread("changed configurations", &error.into()),
        };
        for changed in changed {
            self.take_configs(changed, transaction);
        }
        self.notices.purge(self.sessions.as_ref(), now_ms()).await;
    }

    /// A topic has another configuration than is known here: its brokers read it themselves, but for this one.
    pub(super) fn take_configs(&mut self, changed: TopicConfigs, transaction: &mut Transaction) {
        let topic: Arc<str> = changed.topic.into();
        if self.state.topic_configs_version(&topic) == changed.version {
            return;
        }
        let configs = Arc::new(changed.configs);
        if let Some(version) = changed.version {
            self.state.apply(Record::TopicConfigs {
                topic: topic.clone(),
                configs: configs.clone(),
                version,
            });
        }
        let is_unclean = self.policy.unclean_leader_election_enable(&configs);
        let effect = Effect::TopicConfigChanged {
            topic: topic.clone(),
            configs,
        };
        transaction.told.append(Told::own(vec![effect]));
        if is_unclean {
            // Never refused.
            drop(self.decide(Event::UncleanElectionAllowed { topic }, transaction));
        }
    }

    /// Brokers whose log directories have failed hear what they lead and follow in, and answer which of it they cannot.
    pub(super) async fn hear_log_dir_events(&mut self, transaction: &mut Transaction) {
        let heard = self.read_log_dir_events().await;
        let (names, brokers) = match heard {
            Ok(heard) => heard,
            Err(error) => {
                self.watches.log_dirs.look_again();
                return self.note_unread("events of log directories", &error);
            }
        };
        for broker in brokers {
            log::info!("broker {broker} has a log directory that has failed");
            let topics = self.state.topics().filter(|topic| !topic.is_being_deleted);
            let states: Vec<_> = topics
                .map(|topic| self.state.topic_state(topic, topic.partitions.keys().copied(), false))
                .collect();
            if let Some(held) = self.state.held_by(broker, &states) {
                let mut told = Told::default();
                told.push(self.broker, broker, held);
                transaction.told.append(told);
            }
        }
        let path = |name: &String| format!("{}/{name}", znodes::LOG_DIR_EVENTS);
        let deletions = names
            .iter()
            .map(|name| Op::delete(path(name), crate::store::ANY_VERSION));
        transaction.ops.extend(deletions);
    }

    async fn read_log_dir_events(&mut self) -> Result<(Vec<String>, BTreeSet<BrokerId>), StartError> {
        let store = self.sessions.as_ref();
        let names = self.watches.log_dirs.look(store).await?;
        let paths = names.iter().map(|name| format!("{}/{name}", znodes::LOG_DIR_EVENTS));
        let mut brokers = BTreeSet::new();
        for (name, znode) in names.iter().zip(store.get_many(paths.collect()).await?) {
            let Some((data, _)) = znode else { continue };
            match znodes::decode_log_dir_event(name, &data) {
                Ok(broker) => drop(brokers.insert(broker)),
                Err(error) => log::error!("{error}; it is deleted"),
            }
        }
        Ok((names, brokers))
    }

    fn note_unread(&mut self, what: &str, error: &StartError) {
        log::warn!("{what} could not be read, which is tried again: {error}");
        if let StartError::Store(error) = error {
            self.note_if_over(error);
        }
    }

    pub(super) fn note_if_over(&mut self, error: &StoreError) {
        match error.cause() {
            StoreError::SessionEnded | StoreError::Closed => self.is_deposed = true,
            StoreError::BadVersion { path, .. } if path == znodes::CONTROLLER_EPOCH => self.is_deposed = true,
            _ => {}
        }
    }
}
