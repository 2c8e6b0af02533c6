//! The edge that runs the core: a thread of its own that never touches a log. It takes what has been asked so far, decides
//! about it one by one, writes all of it in one transaction, hands the effects to the broker, and then answers.

mod applying;
mod member;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};

use applying::{Completion, EffectBatch, Finished};
pub use member::{Started, start};

use crate::config_changes;
use crate::core::{self, Event, Response};
use crate::effects::{self, Effect, FailedReplica, MetadataSnapshot};
use crate::handle::{Reply, Request};
use crate::ids::{BrokerId, TopicId, random_topic_id};
use crate::limits;
use crate::membership::Elected;
use crate::rejection::Rejection;
use crate::replicas::Start;
use crate::requests::{Answers, ControllerError, CreatedTopic, NewTopic, ProducerIdBlock, TopicPolicy};
use crate::sessions::Sessions;
use crate::startup::{self, StartError, random_bytes};
use crate::state::{ControllerState, Note, Record};
use crate::store::{Op, OpResult, Store, StoreError};
use crate::znodes;

/// Requests that wait for the driver; more of them wait with their callers.
const REQUESTS_WAITING: usize = 1024;

/// Requests that go into one transaction at most.
const REQUESTS_TOGETHER: usize = 1024;

/// Who has to load everything more often than that goes back to joining, which pauses between its attempts.
const RELOADS_APART: Duration = Duration::from_secs(5);

/// Operations after which a transaction takes no further request.
const OPS_TOGETHER: usize = 50_000;

/// Decisions that are written together.
#[derive(Default)]
struct Transaction {
    ops: Vec<Op>,
    effects: Vec<Effect>,
    after_effects: Vec<Completion>,
    after_write: Vec<Completion>,
}

/// Why a controller is one no longer.
enum Ended {
    /// The broker stops: who asked for it waits for the answer.
    Stopped(Option<Reply<()>>),
    /// Its session is over, or somebody else has taken its place.
    Deposed,
}

/// A controller from its election to its end.
struct Driver {
    sessions: Arc<Sessions>,
    policy: Arc<dyn TopicPolicy>,
    broker: BrokerId,
    elected: Elected,
    state: ControllerState,
    batches: mpsc::UnboundedSender<EffectBatch>,
    /// The store is broken for good.
    failed: Option<StoreError>,
    /// What is in the store may be something else than what is known here.
    is_uncertain: bool,
    is_deposed: bool,
    loaded_at: Option<Instant>,
}

impl Driver {
    /// Loads what there is and elects leaders; gives what the broker has to be told first.
    async fn begin(
        sessions: Arc<Sessions>,
        broker: BrokerId,
        elected: Elected,
        policy: Arc<dyn TopicPolicy>,
        batches: mpsc::UnboundedSender<EffectBatch>,
    ) -> Result<(Driver, EffectBatch), StartError> {
        let (epoch, version) = (elected.controller_epoch, elected.controller_epoch_version);
        sessions.sync().await?;
        let state = startup::load(sessions.as_ref(), broker, epoch, version).await?;
        let mut driver = Driver {
            sessions,
            policy,
            broker,
            elected,
            state,
            batches,
            failed: None,
            is_uncertain: false,
            is_deposed: false,
            loaded_at: None,
        };
        let mut transaction = Transaction::default();
        // Becoming controller is never refused.
        drop(driver.decide(Event::BecameController, &mut transaction));
        driver.write(transaction.ops).await?;
        log::info!(
            "broker {broker} is registered with broker epoch {} and is the controller with epoch {}; {} topics, {} partitions",
            driver.elected.broker_epoch,
            driver.elected.controller_epoch,
            driver.state.topics().count(),
            driver.state.partition_count(),
        );
        let first = EffectBatch {
            effects: transaction.effects,
            completions: Vec::new(),
        };
        Ok((driver, first))
    }

    fn snapshot(&self) -> MetadataSnapshot {
        self.state.snapshot(self.elected.broker_epoch)
    }

    /// Decides, applies, and adds to the transaction.
    fn decide(&mut self, event: Event, transaction: &mut Transaction) -> Result<Response, Rejection> {
        let decision = core::handle(&self.state, self.policy.as_ref(), event, now_ms())?;
        decision.records.iter().for_each(tell);
        for record in decision.records {
            transaction.ops.extend(self.state.ops(&record));
            self.state.apply(record);
        }
        effects::append(&mut transaction.effects, decision.effects);
        Ok(decision.response)
    }

    /// Writes in one transaction, or in several one after the other where that would be too large for the store. Each holds by
    /// itself: a topic comes before its partitions, and what is missing of these is found when the state is loaded.
    async fn write(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, StoreError> {
        let limit = self.sessions.max_multi_bytes();
        let mut results = Vec::new();
        let mut ops = ops.into_iter().peekable();
        while ops.peek().is_some() {
            let mut transaction = vec![startup::check(self.elected.controller_epoch_version)];
            let mut size = 0;
            while let Some(op) = ops.next_if(|op| size == 0 || size + op.size() <= limit) {
                size += op.size();
                transaction.push(op);
            }
            results.append(&mut self.sessions.multi(transaction).await?);
        }
        Ok(results)
    }

    /// Goes on until the broker stops or somebody else is controller.
    async fn serve(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        applied: &mut mpsc::UnboundedReceiver<Finished>,
    ) -> Ended {
        loop {
            if self.is_deposed {
                return Ended::Deposed;
            }
            if self.is_uncertain && !self.reload().await {
                return Ended::Deposed;
            }
            let mut transaction = Transaction::default();
            let mut shutdown = None;
            tokio::select! {
                biased;
                Some(finished) = applied.recv() => self.finish(finished, &mut transaction),
                event = &mut self.elected.deposed => {
                    log::warn!("this broker is the controller no longer: {} ({:?})", event.path, event.kind);
                    return Ended::Deposed;
                }
                request = requests.recv() => match request {
                    Some(request) => shutdown = self.take(request, &mut transaction),
                    None => {
                        self.drain(applied).await;
                        return Ended::Stopped(None);
                    }
                },
            }
            for _ in 1..REQUESTS_TOGETHER {
                if shutdown.is_some() || transaction.ops.len() >= OPS_TOGETHER {
                    break;
                }
                let Ok(request) = requests.try_recv() else { break };
                shutdown = self.take(request, &mut transaction);
            }
            self.commit(transaction).await;
            if let Some(reply) = shutdown {
                self.drain(applied).await;
                return Ended::Stopped(Some(reply));
            }
        }
    }

    /// Waits until the broker has applied what it was told, and follows that up.
    async fn drain(&mut self, applied: &mut mpsc::UnboundedReceiver<Finished>) {
        let (done, mut drained) = oneshot::channel();
        let last = EffectBatch {
            effects: Vec::new(),
            completions: vec![Box::new(move |_| give(done, ()))],
        };
        drop(self.batches.send(last));
        loop {
            let mut transaction = Transaction::default();
            tokio::select! {
                biased;
                Some(finished) = applied.recv() => self.finish(finished, &mut transaction),
                _ = &mut drained => break,
            }
            self.commit(transaction).await;
        }
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
            Request::AllocateProducerIdBlock { reply } => self.take_allocation(reply, transaction),
            Request::ReplicasOffline { replicas, reply } => {
                self.take_offline(replicas, transaction);
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

    fn take_allocation(&mut self, reply: Reply<ProducerIdBlock>, transaction: &mut Transaction) {
        let answer = self.decide(Event::AllocateProducerIdBlock { broker: self.broker }, transaction);
        let answer = answer.map_err(ControllerError::from).map(|response| match response {
            Response::Block(block) => block,
            other => unreachable!("an allocation was answered with {other:?}"),
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
            let effects_before = transaction.effects.len();
            let ops_before = transaction.ops.len();
            answers.push(self.decide(event, transaction).map(&take));
            has_effects |= transaction.effects.len() > effects_before || transaction.ops.len() > ops_before;
        }
        let complete: Completion = Box::new(|done| give(reply, done.map(|()| answers)));
        let waits = if has_effects {
            &mut transaction.after_effects
        } else {
            &mut transaction.after_write
        };
        waits.push(complete);
    }

    /// Goes on where effects have to be followed up: deleted topics leave the store, failed replicas go offline.
    fn finish(&mut self, finished: Finished, transaction: &mut Transaction) {
        transaction.after_write.extend(finished.completions);
        for topic in finished.deleted {
            // Never refused.
            drop(self.decide(Event::ReplicasDeleted { topic }, transaction));
        }
        self.take_offline(finished.failed, transaction);
    }

    fn take_offline(&mut self, replicas: Vec<FailedReplica>, transaction: &mut Transaction) {
        let broker = self.broker;
        // Once for each: what an offline replica is told next, such as to be deleted, fails again for a vaguer reason.
        let was_online = |replica: &&FailedReplica| self.state.is_online(broker, &replica.topic, replica.partition);
        for FailedReplica {
            topic,
            partition,
            reason,
        } in replicas.iter().filter(was_online)
        {
            log::warn!("the replica of {topic}-{partition} is offline: {reason}");
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

    async fn commit(&mut self, transaction: Transaction) {
        let Transaction {
            ops,
            effects,
            after_effects,
            after_write,
        } = transaction;
        let written = match (&self.failed, ops.is_empty()) {
            (Some(error), _) => Err(error.clone()),
            (None, true) => Ok(Vec::new()),
            (None, false) => self.write(ops).await,
        };
        if let Ok(results) = &written {
            config_changes::written(results, now_ms()).for_each(|record| self.state.apply(record));
        }
        if let Err(error) = written {
            self.note_failure(&error);
            let failed = match self.is_deposed {
                true => ControllerError::NotController,
                false => ControllerError::Store(error),
            };
            let completions = after_write.into_iter().chain(after_effects);
            completions.for_each(|complete| complete(Err(failed.clone())));
            return;
        }
        after_write.into_iter().for_each(|complete| complete(Ok(())));
        if !effects.is_empty() || !after_effects.is_empty() {
            let batch = EffectBatch {
                effects,
                completions: after_effects,
            };
            if let Err(mpsc::error::SendError(batch)) = self.batches.send(batch) {
                batch
                    .completions
                    .into_iter()
                    .for_each(|complete| complete(Err(ControllerError::Stopped)));
            }
        }
    }

    /// What was decided did not come to be, or not all of it, or nobody knows.
    fn note_failure(&mut self, error: &StoreError) {
        log::error!("a write to the metadata store failed: {error}");
        match error.cause() {
            StoreError::Failed { .. } | StoreError::Closed => self.failed = Some(error.clone()),
            StoreError::SessionEnded => self.is_deposed = true,
            StoreError::BadVersion { path, .. } if path == znodes::CONTROLLER_EPOCH => self.is_deposed = true,
            _ => self.is_uncertain = true,
        }
    }

    /// Starts over from what is written, and tells the broker all of it, as some of that may be new. `false` where that does not help.
    async fn reload(&mut self) -> bool {
        if self
            .loaded_at
            .is_some_and(|loaded_at| loaded_at.elapsed() < RELOADS_APART)
        {
            return false;
        }
        self.loaded_at = Some(Instant::now());
        self.is_uncertain = false;
        let state = match self.load().await {
            Ok(state) => state,
            Err(error) => {
                log::error!("the metadata could not be loaded: {error}");
                return false;
            }
        };
        let before = std::mem::replace(&mut self.state, state);
        self.state.keep_notes(before);
        let partitions = self.state.offline_replicas_of(self.broker);
        let mut transaction = Transaction::default();
        for event in [Event::BecameController, Event::ReplicasOffline { partitions }] {
            // Never refused.
            drop(self.decide(event, &mut transaction));
        }
        self.commit(transaction).await;
        true
    }

    async fn load(&self) -> Result<ControllerState, StartError> {
        let (epoch, version) = (self.elected.controller_epoch, self.elected.controller_epoch_version);
        self.sessions.sync().await?;
        startup::load(self.sessions.as_ref(), self.broker, epoch, version).await
    }
}

/// Answers with an error; a shutdown is given back.
fn refuse(request: Request, error: &ControllerError) -> Option<Reply<()>> {
    let error = error.clone();
    match request {
        Request::CreateTopics { reply, .. } => give(reply, Err(error)),
        Request::DeleteTopics { reply, .. } => give(reply, Err(error)),
        Request::CreatePartitions { reply, .. } | Request::AlterTopicConfigs { reply, .. } => give(reply, Err(error)),
        Request::AllocateProducerIdBlock { reply } => give(reply, Err(error)),
        Request::ReplicasOffline { reply, .. } => give(reply, Err(error)),
        Request::Shutdown { reply } => return Some(reply),
    }
    None
}

/// Whoever has stopped waiting does not need the answer.
fn give<T>(reply: oneshot::Sender<T>, answer: T) {
    drop(reply.send(answer));
}

/// One line for what people ask about later.
fn tell(record: &Record) {
    match record {
        Record::Topic {
            topic,
            topic_id,
            assignments,
            version: 0,
        } => {
            log::info!(
                "topic {topic} is created with id {topic_id} and {} partitions",
                assignments.len()
            );
        }
        Record::Topic { topic, assignments, .. } => log::info!("topic {topic} gets {} partitions", assignments.len()),
        Record::TopicConfigs {
            topic,
            configs,
            version,
        } if *version > 0 => {
            log::info!("topic {topic} has the configuration {configs:?}");
        }
        Record::TopicMarkedForDeletion { topic } => log::info!("topic {topic} is to be deleted"),
        Record::TopicRemoved { topic } => log::info!("topic {topic} is deleted"),
        Record::Partition {
            topic,
            partition,
            state,
        } if state.partition_epoch.0 > 0 => log::info!(
            "{topic}-{partition} has leader {} with leader epoch {}, ISR {:?}",
            state.leader,
            state.leader_epoch,
            state.isr
        ),
        Record::ProducerIdBlock {
            broker,
            block: Some(block),
            ..
        } => {
            log::debug!(
                "broker {broker} gets the producer ids {} to {}",
                block.first,
                block.last
            );
        }
        _ => {}
    }
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

fn now_ms() -> i64 {
    // A clock before 1970 has nothing better to say than 0.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}
