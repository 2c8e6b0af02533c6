//! The edge that runs the core: a thread of its own that never touches a log. It takes what has been asked so far, decides
//! about it one by one, writes all of it in one transaction, hands the effects to the broker, and then answers.

mod applying;
mod channels;
mod config_notices;
mod config_writes;
mod member;
mod noticing;
mod requests;
mod standby;
mod vigils;
mod watching;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};

use applying::{Completion, EffectBatch, Finished};
use channels::Channels;
use config_notices::ConfigNotices;
pub use member::{Started, start, start_here};
use vigils::{Suspicion, Vigils};
use watching::ChildWatch;

use crate::config_changes;
use crate::core::{self, Event, Response};
use crate::effects::{LiveBroker, MetadataSnapshot, Told};
use crate::handle::{Place, Reply, Request};
use crate::ids::BrokerId;
use crate::membership::Elected;
use crate::peers::{Controller, Peers};
use crate::reassignment;
use crate::rejection::Rejection;
use crate::requests::{ControllerError, TopicPolicy};
use crate::sessions::Sessions;
use crate::startup::{self, StartError};
use crate::state::{ControllerState, Record};
use crate::store::{Op, OpResult, Store, StoreError};
use crate::znodes;

/// Requests that wait for the driver; more of them wait with their callers.
const REQUESTS_WAITING: usize = 1024;

/// Requests that go into one transaction at most.
const REQUESTS_TOGETHER: usize = 1024;

/// Who has to load everything more often than that goes back to joining, which pauses between its attempts.
const RELOADS_APART: Duration = Duration::from_secs(5);

/// After an election brokers have some time to come back before leadership is looked at, as in Kafka.
const FIRST_REBALANCE: Duration = Duration::from_secs(5);

/// How long a controller that stops waits for other brokers to hear what it has decided.
const TOLD_WAIT: Duration = Duration::from_secs(1);

/// Operations after which a transaction takes no further request.
const OPS_TOGETHER: usize = 50_000;

/// Decisions that are written together.
#[derive(Default)]
struct Transaction {
    ops: Vec<Op>,
    told: Told,
    after_effects: Vec<Completion>,
    after_write: Vec<Completion>,
}

/// Why a controller is one no longer.
enum Ended {
    /// The broker stops: who asked for it waits for the answer.
    Stopped(Option<Reply<()>>),
    /// Its session is over, or somebody else has taken its place: it joins anew.
    Deposed,
    /// It was a standby, and `/controller` has changed: it stands for election.
    Vacant,
}

/// What only a member of a cluster watches.
struct Watches {
    brokers: ChildWatch,
    log_dirs: ChildWatch,
}

/// What has happened that a controller has to deal with.
enum Happened {
    Finished(Finished),
    Deposed,
    Asked(Option<Request>),
    BrokersChanged,
    ConfigsChanged,
    LogDirsChanged,
    Suspected(Suspicion),
    RebalanceDue,
}

/// What a controller or a standby needs of the member that it is.
struct Surroundings {
    sessions: Arc<Sessions>,
    policy: Arc<dyn TopicPolicy>,
    peers: Arc<dyn Peers>,
    batches: mpsc::UnboundedSender<EffectBatch>,
    finished: mpsc::UnboundedSender<Finished>,
    place: Arc<Place>,
}

/// A controller from its election to its end.
struct Driver {
    sessions: Arc<Sessions>,
    policy: Arc<dyn TopicPolicy>,
    broker: BrokerId,
    elected: Elected,
    state: ControllerState,
    batches: mpsc::UnboundedSender<EffectBatch>,
    channels: Channels,
    watches: Watches,
    notices: ConfigNotices,
    vigils: Vigils,
    /// When brokers were fenced.
    fenced: BTreeMap<BrokerId, Instant>,
    /// When leadership is looked at the next time.
    rebalance_at: Option<Instant>,
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
        around: Surroundings,
        broker: BrokerId,
        elected: Elected,
    ) -> Result<(Driver, EffectBatch), StartError> {
        let epoch = elected.controller_epoch;
        let Surroundings {
            sessions,
            policy,
            peers,
            batches,
            finished,
            place,
        } = around;
        // What its own broker cannot lead it says when it is told to.
        place.owes_log_dir_event.store(false, Ordering::SeqCst);
        let state = load(&sessions, broker, &elected).await?;
        let mut driver = Driver {
            sessions,
            policy,
            broker,
            elected,
            state,
            batches,
            channels: Channels::new(peers.clone(), Controller { id: broker, epoch }, finished),
            watches: Watches {
                brokers: ChildWatch::new(znodes::BROKER_IDS),
                log_dirs: ChildWatch::new(znodes::LOG_DIR_EVENTS),
            },
            notices: ConfigNotices::new(),
            vigils: Vigils::new(peers),
            fenced: BTreeMap::new(),
            rebalance_at: None,
            failed: None,
            is_uncertain: false,
            is_deposed: false,
            loaded_at: None,
        };
        driver.watch_brokers();
        driver.rebalance_at = driver
            .policy
            .rebalance_interval()
            .map(|_| Instant::now() + FIRST_REBALANCE);
        let mut transaction = Transaction::default();
        // Becoming controller is never refused.
        drop(driver.decide(Event::BecameController, &mut transaction));
        driver.advance_reassignments(&mut transaction);
        driver.write(transaction.ops).await?;
        log::info!(
            "broker {broker} is registered with broker epoch {} and is the controller with epoch {}; {} topics, {} partitions",
            driver.elected.broker_epoch,
            driver.elected.controller_epoch,
            driver.state.topics().count(),
            driver.state.partition_count(),
        );
        let Told { own, others } = transaction.told;
        driver.tell_others(others);
        let first = EffectBatch {
            controller_epoch: epoch,
            effects: own,
            completions: Vec::new(),
        };
        Ok((driver, first))
    }

    /// The controller before may have gone when all that a reassignment waits for was in sync.
    fn advance_reassignments(&mut self, transaction: &mut Transaction) {
        let ongoing: Vec<(Arc<str>, i32)> = reassignment::ongoing(&self.state)
            .map(|it| (it.topic, it.partition))
            .collect();
        for (topic, partition) in ongoing {
            // Never refused.
            drop(self.decide(Event::IsrChanged { topic, partition }, transaction));
        }
    }

    fn tell_others(&mut self, others: BTreeMap<BrokerId, Vec<crate::effects::Effect>>) {
        if !others.is_empty() {
            let live: Arc<Vec<LiveBroker>> = Arc::new(self.state.brokers().cloned().collect());
            self.channels.tell(&live, others);
        }
    }

    fn snapshot(&self) -> MetadataSnapshot {
        self.state.snapshot(self.elected.broker_epoch)
    }

    /// Decides, applies, and adds to the transaction.
    fn decide(&mut self, event: Event, transaction: &mut Transaction) -> Result<Response, Rejection> {
        self.decide_and_tell(event, transaction).0
    }

    /// The same, and whether anybody has to hear of it.
    fn decide_and_tell(&mut self, event: Event, transaction: &mut Transaction) -> (Result<Response, Rejection>, bool) {
        let decision = match core::handle(&self.state, self.policy.as_ref(), event, now_ms()) {
            Ok(decision) => decision,
            Err(rejection) => return (Err(rejection), false),
        };
        decision.records.iter().for_each(tell);
        for record in decision.records {
            transaction.ops.extend(self.state.ops(&record));
            self.state.apply(record);
        }
        let is_told = !decision.told.is_empty();
        transaction.told.append(decision.told);
        (Ok(decision.response), is_told)
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
            match self.happened(requests, applied).await {
                Happened::Finished(finished) => self.finish(finished, &mut transaction),
                Happened::Deposed => return Ended::Deposed,
                Happened::BrokersChanged => self.look_at_brokers(&mut transaction).await,
                Happened::ConfigsChanged => self.hear_config_notices(&mut transaction).await,
                Happened::LogDirsChanged => self.hear_log_dir_events(&mut transaction).await,
                Happened::RebalanceDue => {
                    self.rebalance_at = self
                        .policy
                        .rebalance_interval()
                        .map(|interval| Instant::now() + interval);
                    self.rebalance(&mut transaction);
                }
                Happened::Suspected(suspicion) => self.fence(suspicion, &mut transaction).await,
                Happened::Asked(Some(request)) => shutdown = self.take_in_turn(request, &mut transaction).await,
                Happened::Asked(None) => {
                    self.drain(applied).await;
                    return Ended::Stopped(None);
                }
            }
            // What another controller has decided is not to be undone.
            if self.is_deposed {
                let refused = transaction.after_write.into_iter().chain(transaction.after_effects);
                refused.for_each(|complete| complete(Err(ControllerError::NotController)));
                return match shutdown {
                    Some(reply) => Ended::Stopped(Some(reply)),
                    None => Ended::Deposed,
                };
            }
            for _ in 1..REQUESTS_TOGETHER {
                if shutdown.is_some() || transaction.ops.len() >= OPS_TOGETHER {
                    break;
                }
                let Ok(request) = requests.try_recv() else { break };
                shutdown = self.take_in_turn(request, &mut transaction).await;
            }
            self.commit(transaction).await;
            if let Some(reply) = shutdown {
                self.drain(applied).await;
                return Ended::Stopped(Some(reply));
            }
        }
    }

    async fn happened(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        applied: &mut mpsc::UnboundedReceiver<Finished>,
    ) -> Happened {
        let is_ensemble = self.sessions.is_ensemble();
        tokio::select! {
            biased;
            Some(finished) = applied.recv() => Happened::Finished(finished),
            event = &mut self.elected.deposed => {
                log::warn!("this broker is the controller no longer: {} ({:?})", event.path, event.kind);
                Happened::Deposed
            }
            () = self.watches.brokers.changed(), if is_ensemble => Happened::BrokersChanged,
            suspicion = self.vigils.suspicion(), if is_ensemble => Happened::Suspected(suspicion),
            () = self.watches.log_dirs.changed(), if is_ensemble => Happened::LogDirsChanged,
            () = self.notices.changed(), if is_ensemble => Happened::ConfigsChanged,
            () = until(self.rebalance_at), if is_ensemble => Happened::RebalanceDue,
            request = requests.recv() => Happened::Asked(request),
        }
    }

    /// Waits until the brokers have applied what they were told, this one at any rate, and follows that up: others lead in place of a
    /// controller that stops, and must not wait for the next controller to hear so.
    async fn drain(&mut self, applied: &mut mpsc::UnboundedReceiver<Finished>) {
        let (done, mut drained) = oneshot::channel();
        let last = EffectBatch {
            controller_epoch: self.elected.controller_epoch,
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
        self.channels.told(TOLD_WAIT).await;
    }

    async fn commit(&mut self, transaction: Transaction) {
        let Transaction {
            ops,
            told: Told { own, others },
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
        self.tell_others(others);
        if !own.is_empty() || !after_effects.is_empty() {
            let batch = EffectBatch {
                controller_epoch: self.elected.controller_epoch,
                effects: own,
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
        let state = match load(&self.sessions, self.broker, &self.elected).await {
            Ok(state) => state,
            Err(error) => {
                log::error!("the metadata could not be loaded: {error}");
                return false;
            }
        };
        let before = std::mem::replace(&mut self.state, state);
        self.state.keep_notes(before);
        // Others may have registered meanwhile, or registered anew.
        self.watch_brokers();
        let partitions = self.state.offline_replicas_of(self.broker);
        let mut transaction = Transaction::default();
        for event in [Event::BecameController, Event::ReplicasOffline { partitions }] {
            // Never refused.
            drop(self.decide(event, &mut transaction));
        }
        self.commit(transaction).await;
        true
    }
}

/// What is in the store now. Notices are a matter of this state only where nobody else writes or deletes any.
async fn load(sessions: &Sessions, broker: BrokerId, elected: &Elected) -> Result<ControllerState, StartError> {
    let (epoch, version) = (elected.controller_epoch, elected.controller_epoch_version);
    sessions.sync().await?;
    let mut state = startup::load(sessions, broker, epoch, version).await?;
    if !sessions.is_ensemble() {
        startup::load_config_changes(sessions, &mut state).await?;
    }
    Ok(state)
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
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

fn now_ms() -> i64 {
    // A clock before 1970 has nothing better to say than 0.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}
