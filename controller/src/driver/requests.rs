//! What brokers' handlers ask of a controller: each request becomes events, decided one by one.

use std::sync::Arc;

use super::applying::Completion;
use super::config_writes;
use super::{Driver, Transaction, give};
use crate::core::{Event, Response};
use crate::handle::{ElectionOutcome, Reply, Request};
use crate::ids::{BrokerEpoch, BrokerId, TopicId, random_topic_id};
use crate::limits;
use crate::rejection::Rejection;
use crate::replicas::Start;
use crate::requests::{
    AlterPartitions, AlteredPartition, Answers, ControllerError, CreatedTopic, ElectLeaders, NewTopic,
    OngoingReassignment, ProducerIdBlock, TopicConfigChange, TopicRef,
};
use crate::startup::random_bytes;
use crate::state::Note;
use crate::{alter_partition, leader_election, reassignment};

impl Driver {
    /// Decides about one request, or carries it out; a shutdown is given back.
    pub(super) async fn take_in_turn(&mut self, request: Request, transaction: &mut Transaction) -> Option<Reply<()>> {
        match request {
            // Other brokers write configurations as well: what is known here is not what holds.
            Request::AlterTopicConfigs {
                changes,
                validate_only,
                reply,
            } if self.sessions.is_ensemble() && self.failed.is_none() => {
                let answered = self.change_configs(changes, validate_only, transaction).await;
                transaction
                    .after_effects
                    .push(Box::new(|done| give(reply, done.and(answered))));
                None
            }
            request => self.take(request, transaction),
        }
    }

    async fn change_configs(
        &mut self,
        changes: Vec<TopicConfigChange>,
        validate_only: bool,
        transaction: &mut Transaction,
    ) -> Result<Answers<()>, ControllerError> {
        let mut answers = Vec::with_capacity(changes.len());
        for change in changes {
            if self.state.topic(&change.topic).is_some_and(|it| it.is_being_deleted) {
                let topic = change.topic;
                answers.push(Err(Rejection::UnknownTopic { topic }));
                continue;
            }
            let (store, policy) = (self.sessions.as_ref(), self.policy.as_ref());
            let written = config_writes::write(store, policy, change, validate_only).await;
            let written = written.inspect_err(|error| self.note_if_over(error))?;
            answers.push(written.map(|changed| {
                if let Some(changed) = changed {
                    self.take_configs(changed, transaction);
                }
            }));
        }
        Ok(answers)
    }

    /// Decides about one request; a shutdown is given back.
    fn take(&mut self, request: Request, transaction: &mut Transaction) -> Option<Reply<()>> {
        if let Some(error) = &self.failed {
            return refuse(request, &ControllerError::Store(error.clone()));
        }
        match request {
            Request::CreateTopics {
                topics,
                validate_only,
                reply,
            } => self.take_creation(topics, validate_only, reply, transaction),
            Request::DeleteTopics { topics, reply } => {
                let events = topics.into_iter().map(|topic| Event::DeleteTopic { topic });
                self.answer_each(events, reply, transaction, |response| match response {
                    Response::Deleted(deleted) => deleted,
                    other => unreachable!("a deletion was answered with {other:?}"),
                });
            }
            Request::CreatePartitions {
                topics,
                validate_only,
                reply,
            } => {
                if let Some(refusal) = limits::refusal_of_increase(&self.state, &topics) {
                    give(reply, Ok(limits::refused(topics.len(), &refusal)));
                    return None;
                }
                let events = topics.into_iter().map(|partitions| Event::CreatePartitions {
                    partitions,
                    validate_only,
                });
                self.answer_each(events, reply, transaction, |_| ());
            }
            Request::AlterTopicConfigs {
                changes,
                validate_only,
                reply,
            } => {
                let events = changes
                    .into_iter()
                    .map(|change| Event::AlterTopicConfigs { change, validate_only });
                self.answer_each(events, reply, transaction, |_| ());
            }
            Request::AllocateProducerIdBlock {
                broker,
                broker_epoch,
                reply,
            } => self.take_allocation(broker, broker_epoch, reply, transaction),
            Request::AlterPartitions { asked, reply } => self.take_isr_changes(asked, reply, transaction),
            Request::ControlledShutdown {
                broker,
                broker_epoch,
                reply,
            } => self.take_controlled_shutdown(broker, broker_epoch, reply, transaction),
            Request::ElectLeaders { asked, reply } => self.take_elections(asked, reply, transaction),
            Request::AlterReassignments { asked, reply } => {
                let events = asked.into_iter().map(Event::Reassign);
                self.answer_each(events, reply, transaction, |_| ());
            }
            Request::ListReassignments { of, reply } => {
                let is_asked = |it: &OngoingReassignment| {
                    of.as_ref()
                        .is_none_or(|of| of.contains(&(it.topic.clone(), it.partition)))
                };
                let found = reassignment::ongoing(&self.state).filter(is_asked).collect();
                transaction
                    .after_write
                    .push(Box::new(|done| give(reply, done.map(|()| found))));
            }
            Request::ReplicasOffline { replicas, reply } => {
                self.take_offline(self.broker, replicas, transaction);
                transaction.after_effects.push(Box::new(|done| give(reply, done)));
            }
            Request::Shutdown { reply } => return Some(reply),
        }
        None
    }

    fn take_creation(
        &mut self,
        topics: Vec<NewTopic>,
        validate_only: bool,
        reply: Reply<Answers<CreatedTopic>>,
        transaction: &mut Transaction,
    ) {
        if let Some(refusal) = limits::refusal_of_creation(self.policy.as_ref(), &topics) {
            give(reply, Ok(limits::refused(topics.len(), &refusal)));
            return;
        }
        let events = topics.into_iter().map(|topic| {
            let (topic_id, start) = draw();
            Event::CreateTopic {
                topic,
                topic_id,
                start,
                validate_only,
            }
        });
        self.answer_each(events, reply, transaction, |response| match response {
            Response::Created(created) => created,
            other => unreachable!("a creation was answered with {other:?}"),
        });
    }

    fn take_allocation(
        &mut self,
        broker: BrokerId,
        broker_epoch: Option<BrokerEpoch>,
        reply: Reply<ProducerIdBlock>,
        transaction: &mut Transaction,
    ) {
        let checked = self.check_broker(broker, broker_epoch);
        let decided = checked.and_then(|()| self.decide(Event::AllocateProducerIdBlock { broker }, transaction));
        let answer = decided.map_err(ControllerError::from).map(|response| match response {
            Response::Block(block) => block,
            other => unreachable!("an allocation was answered with {other:?}"),
        });
        transaction
            .after_write
            .push(Box::new(|done| give(reply, done.and(answer))));
    }

    /// Whoever asks for a broker must know its present registration, if it says which one it knows.
    fn check_broker(&self, broker: BrokerId, epoch: Option<BrokerEpoch>) -> Result<(), Rejection> {
        let Some(live) = self.state.broker(broker) else {
            return Err(Rejection::BrokerNotRegistered { broker });
        };
        match epoch.filter(|epoch| *epoch != live.broker_epoch) {
            Some(epoch) => Err(Rejection::StaleBrokerEpoch { broker, epoch }),
            None => Ok(()),
        }
    }

    fn take_isr_changes(
        &mut self,
        asked: AlterPartitions,
        reply: Reply<Answers<AlteredPartition>>,
        transaction: &mut Transaction,
    ) {
        let AlterPartitions {
            broker,
            broker_epoch,
            changes,
        } = asked;
        if let Err(rejection) = self.check_broker(broker, Some(broker_epoch)) {
            let rejection = match rejection {
                Rejection::BrokerNotRegistered { .. } => Rejection::StaleBrokerEpoch {
                    broker,
                    epoch: broker_epoch,
                },
                rejection => rejection,
            };
            return give(reply, Err(rejection.into()));
        }
        let mut answers = Vec::with_capacity(changes.len());
        for change in changes {
            let reminded = change.clone();
            let name = self.name_of(&change.topic);
            let decided = self.decide(Event::AlterPartition { broker, change }, transaction);
            if matches!(decided, Err(Rejection::InvalidUpdateVersion { .. })) {
                // A leader that has missed something proposes nothing until it has heard it.
                transaction
                    .told
                    .append(alter_partition::remind(&self.state, broker, &reminded));
            }
            if let (Ok(_), Some(topic)) = (&decided, name) {
                let partition = reminded.partition;
                // Never refused.
                drop(self.decide(Event::IsrChanged { topic, partition }, transaction));
            }
            answers.push(decided.map(|response| match response {
                Response::Altered(altered) => altered,
                other => unreachable!("an AlterPartition was answered with {other:?}"),
            }));
        }
        let complete: Completion = Box::new(|done| give(reply, done.map(|()| answers)));
        transaction.after_write.push(complete);
    }

    fn name_of(&self, topic: &TopicRef) -> Option<Arc<str>> {
        match topic {
            TopicRef::Name(name) => Some(Arc::from(name.as_str())),
            TopicRef::Id(id) => self.state.topic_name(id).cloned(),
        }
    }

    fn take_elections(
        &mut self,
        asked: ElectLeaders,
        reply: Reply<Vec<ElectionOutcome>>,
        transaction: &mut Transaction,
    ) {
        let ElectLeaders { unclean, partitions } = asked;
        let is_for_all = partitions.is_none();
        let partitions = partitions.unwrap_or_else(|| {
            let topics = self.state.topics().filter(|topic| !topic.is_being_deleted);
            topics
                .flat_map(|topic| topic.partitions.keys().map(|number| (topic.name.clone(), *number)))
                .collect()
        });
        let mut outcomes = Vec::new();
        for (topic, partition) in partitions {
            let event = Event::ElectLeader {
                topic: topic.clone(),
                partition,
                unclean,
            };
            let decided = self.decide(event, transaction).map(drop);
            if !is_for_all || decided != Err(Rejection::ElectionNotNeeded) {
                outcomes.push(((topic, partition), decided));
            }
        }
        let complete: Completion = Box::new(|done| give(reply, done.map(|()| outcomes)));
        transaction.after_effects.push(complete);
    }

    /// Leadership goes back to preferred replicas.
    pub(super) fn rebalance(&mut self, transaction: &mut Transaction) {
        let back = leader_election::imbalanced(&self.state, self.policy.imbalance_percentage());
        if !back.is_empty() {
            log::info!("{} partitions go back to their preferred leaders", back.len());
        }
        for (topic, partition) in back {
            let event = Event::ElectLeader {
                topic,
                partition,
                unclean: false,
            };
            // They were chosen as those of which it is not refused.
            drop(self.decide(event, transaction));
        }
    }

    fn take_controlled_shutdown(
        &mut self,
        broker: BrokerId,
        broker_epoch: Option<BrokerEpoch>,
        reply: Reply<Vec<(Arc<str>, i32)>>,
        transaction: &mut Transaction,
    ) {
        if let Err(rejection) = self.check_broker(broker, broker_epoch) {
            return give(reply, Err(rejection.into()));
        }
        log::info!("broker {broker} is about to stop: what it leads goes to others");
        self.state.note(Note::ShuttingDown { broker });
        let decided = self.decide(Event::ControlledShutdown { broker }, transaction);
        let answer = decided.map_err(ControllerError::from).map(|response| match response {
            Response::Remaining(remaining) => remaining,
            other => unreachable!("a controlled shutdown was answered with {other:?}"),
        });
        transaction
            .after_write
            .push(Box::new(|done| give(reply, done.and(answer))));
    }

    /// One decision per event; all answers together, once those effects that the decisions have are applied.
    fn answer_each<T: Send + 'static>(
        &mut self,
        events: impl Iterator<Item = Event>,
        reply: Reply<Answers<T>>,
        transaction: &mut Transaction,
        take: impl Fn(Response) -> T,
    ) {
        let mut has_effects = false;
        let mut answers = Vec::new();
        for event in events {
            let ops_before = transaction.ops.len();
            let (decided, is_told) = self.decide_and_tell(event, transaction);
            answers.push(decided.map(&take));
            has_effects |= is_told || transaction.ops.len() > ops_before;
        }
        let complete: Completion = Box::new(|done| give(reply, done.map(|()| answers)));
        let waits = if has_effects {
            &mut transaction.after_effects
        } else {
            &mut transaction.after_write
        };
        waits.push(complete);
    }
}

/// Answers with an error; a shutdown is given back.
pub(super) fn refuse(request: Request, error: &ControllerError) -> Option<Reply<()>> {
    let error = error.clone();
    match request {
        Request::CreateTopics { reply, .. } => give(reply, Err(error)),
        Request::DeleteTopics { reply, .. } => give(reply, Err(error)),
        Request::CreatePartitions { reply, .. } | Request::AlterTopicConfigs { reply, .. } => give(reply, Err(error)),
        Request::AllocateProducerIdBlock { reply, .. } => give(reply, Err(error)),
        Request::AlterPartitions { reply, .. } => give(reply, Err(error)),
        Request::ControlledShutdown { reply, .. } => give(reply, Err(error)),
        Request::ElectLeaders { reply, .. } => give(reply, Err(error)),
        Request::AlterReassignments { reply, .. } => give(reply, Err(error)),
        Request::ListReassignments { reply, .. } => give(reply, Err(error)),
        Request::ReplicasOffline { reply, .. } => give(reply, Err(error)),
        Request::Shutdown { reply } => return Some(reply),
    }
    None
}

/// The chance that a creation needs.
fn draw() -> (TopicId, Start) {
    let number =
        |bytes: &[u8; 16], at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let bytes = random_bytes();
    let start = Start {
        index: number(&bytes, 0),
        shift: number(&bytes, 4),
    };
    loop {
        if let Some(topic_id) = random_topic_id(random_bytes()) {
            return (topic_id, start);
        }
    }
}
