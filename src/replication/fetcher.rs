//! Fetching from leaders: a task for each broker that leads partitions which this one follows in, with one connection and one request
//! in flight. Kafka's `ReplicaFetcherThread`; what an answer means is decided in `follower`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::BrokerConfig;
use controller::ControllerHandle;
use controller::LeaderEpoch;
use controller::ids::BrokerId;
use protocol::ErrorCode;
use protocol::messages::fetch::{FetchResponse, PartitionData};
use protocol::wire::TopicId;
use storage::TopicPartition;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::fetch_wire::{self, Ask};
use super::follower::Answered;
use crate::inter_broker::{Connection, ConnectionError, versions};
use crate::metadata_cache::MetadataCache;
use crate::partition::{FollowError, Partition, Step};
use crate::replicas::Replicas;

/// Before a partition is asked for again after an error; twice as long each time, up to `replica.fetch.backoff.ms`.
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
/// Before a leader is tried again that cannot be reached, and the most that becomes.
const FIRST_RECONNECT: Duration = Duration::from_millis(20);
const LONGEST_RECONNECT: Duration = Duration::from_secs(1);
/// What else the controller says meanwhile is waited for so long before a request in flight is given up for the next one.
const GATHERING: Duration = Duration::from_millis(2);

/// Whom a partition follows.
pub enum Following {
    /// This leader, in this epoch.
    Of {
        /// The partition.
        partition: Arc<Partition>,
        /// Who leads.
        leader: BrokerId,
        /// In which epoch.
        leader_epoch: LeaderEpoch,
    },
    /// Nobody.
    Nobody(TopicPartition),
}

/// What fetching needs of the broker.
pub struct FetcherContext {
    /// This broker's id.
    pub broker_id: BrokerId,
    /// Its configuration.
    pub config: Arc<BrokerConfig>,
    /// Where leaders are.
    pub metadata: Arc<MetadataCache>,
    /// Its partitions.
    pub replicas: Arc<Replicas>,
    /// The epoch of its registration.
    pub controller: ControllerHandle,
}

/// Follows as it is told until the broker ends.
pub async fn run(mut told: UnboundedReceiver<Following>, context: FetcherContext) {
    let context = Arc::new(context);
    let mut leaders: HashMap<BrokerId, UnboundedSender<Following>> = HashMap::new();
    let mut leader_of: HashMap<TopicPartition, BrokerId> = HashMap::new();
    while let Some(following) = told.recv().await {
        let (name, leader) = match &following {
            Following::Of { partition, leader, .. } => (partition.topic_partition.clone(), Some(*leader)),
            Following::Nobody(name) => (name.clone(), None),
        };
        let before = match leader {
            Some(leader) => leader_of.insert(name.clone(), leader),
            None => leader_of.remove(&name),
        };
        if let Some(before) = before.filter(|before| Some(*before) != leader)
            && let Some(fetcher) = leaders.get(&before)
        {
            // A task that has ended by a panic follows nobody.
            drop(fetcher.send(Following::Nobody(name)));
        }
        let Some(leader) = leader else { continue };
        let start = || start(leader, &context);
        let fetcher = leaders.entry(leader).or_insert_with(start);
        if let Err(refused) = fetcher.send(following) {
            log::error!("the fetcher from broker {leader} has broken off; it begins anew");
            *fetcher = start();
            drop(fetcher.send(refused.0));
        }
    }
}

fn start(leader: BrokerId, context: &Arc<FetcherContext>) -> UnboundedSender<Following> {
    let (sender, told) = unbounded_channel();
    let fetcher = Fetcher {
        leader,
        context: context.clone(),
        told,
        partitions: HashMap::new(),
        connection: None,
        first: 0,
        reconnect: FIRST_RECONNECT,
        said: String::new(),
    };
    tokio::spawn(fetcher.run());
    sender
}

/// A partition that is followed in.
struct Followed {
    partition: Arc<Partition>,
    leader_epoch: LeaderEpoch,
    /// Not asked for before.
    due: Instant,
    backoff: Duration,
}

struct Fetcher {
    leader: BrokerId,
    context: Arc<FetcherContext>,
    told: UnboundedReceiver<Following>,
    partitions: HashMap<TopicPartition, Followed>,
    connection: Option<Connection>,
    /// Where the next request begins, so that each partition has its turn to come first.
    first: usize,
    reconnect: Duration,
    /// The last failure that was logged.
    said: String,
}

impl Fetcher {
    async fn run(mut self) {
        loop {
            while let Ok(following) = self.told.try_recv() {
                self.take(following);
            }
            let asks = self.gather().await;
            if asks.is_empty() {
                if !self.wait_until_due().await {
                    return;
                }
                continue;
            }
            match self.fetch(&asks).await {
                Ok(Some(answer)) => self.take_answer(asks, answer).await,
                // Something else is to be asked.
                Ok(None) => self.connection = None,
                Err(error) => self.note_unreachable(&error).await,
            }
        }
    }

    fn take(&mut self, following: Following) {
        self.reconnect = FIRST_RECONNECT;
        match following {
            Following::Of {
                partition,
                leader_epoch,
                ..
            } => {
                let followed = Followed {
                    partition: partition.clone(),
                    leader_epoch,
                    due: Instant::now(),
                    backoff: FIRST_BACKOFF,
                };
                self.partitions.insert(partition.topic_partition.clone(), followed);
            }
            Following::Nobody(name) => drop(self.partitions.remove(&name)),
        }
    }

    /// What is to be asked now.
    async fn gather(&mut self) -> Vec<Ask> {
        let now = Instant::now();
        let due = self.partitions.values().filter(|followed| followed.due <= now);
        let mut due: Vec<(Arc<Partition>, LeaderEpoch)> = due
            .map(|followed| (followed.partition.clone(), followed.leader_epoch))
            .collect();
        if due.is_empty() {
            return Vec::new();
        }
        due.sort_by(|(one, _), (other, _)| one.topic_partition.cmp(&other.topic_partition));
        self.first = (self.first + 1) % due.len();
        due.rotate_left(self.first);
        // The logs' locks are waited for.
        let gathered = tokio::task::spawn_blocking(move || {
            let ask = |(partition, leader_epoch): (Arc<Partition>, LeaderEpoch)| {
                let asked = partition.next_to_ask(leader_epoch);
                (partition, asked)
            };
            due.into_iter().map(ask).collect::<Vec<_>>()
        });
        let gathered = gathered.await.unwrap_or_else(|e| {
            log::error!("what is to be fetched could not be gathered: {e}");
            Vec::new()
        });
        let mut asks = Vec::with_capacity(gathered.len());
        for (partition, asked) in gathered {
            match asked {
                Some(asked) => asks.push(Ask { partition, asked }),
                None => self.put_off(&partition.topic_partition),
            }
        }
        asks
    }

    /// Until something is due or told; `false` when the broker ends.
    async fn wait_until_due(&mut self) -> bool {
        let due = self.partitions.values().map(|followed| followed.due).min();
        tokio::select! {
            following = self.told.recv() => match following {
                Some(following) => self.take(following),
                None => return false,
            },
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        true
    }

    /// One request; `None` when it was given up, as there is more to ask for.
    async fn fetch(&mut self, asks: &[Ask]) -> Result<Option<FetchResponse>, ConnectionError> {
        let Self {
            connection,
            told,
            context,
            leader,
            partitions,
            ..
        } = self;
        let asking = async {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(connect(context, *leader).await?),
            };
            let version = versions::fetch(&context.config);
            let epoch = context.controller.broker_epoch();
            let (request, version) = fetch_wire::request(&context.config, context.broker_id, epoch, version, asks);
            connection
                .ask(
                    protocol::ApiKey::Fetch,
                    version,
                    &request,
                    socket_timeout(&context.config),
                )
                .await
        };
        let following = tokio::select! {
            biased;
            answer = asking => return answer.map(Some),
            following = told.recv() => following,
        };
        // Many partitions come together; those that go need no haste.
        let is_new = |following: &Following| match following {
            Following::Of {
                partition,
                leader_epoch,
                ..
            } => partitions
                .get(&partition.topic_partition)
                .is_none_or(|known| known.leader_epoch != *leader_epoch),
            Following::Nobody(_) => true,
        };
        if following.as_ref().is_some_and(is_new) {
            tokio::time::sleep(GATHERING).await;
        }
        if let Some(following) = following {
            self.take(following);
        }
        Ok(None)
    }

    async fn take_answer(&mut self, asks: Vec<Ask>, answer: FetchResponse) {
        self.said.clear();
        self.reconnect = FIRST_RECONNECT;
        if answer.error_code != ErrorCode::NONE {
            log::warn!(
                "broker {} answered a fetch with {}",
                self.leader,
                answer.error_code.name()
            );
            asks.iter().for_each(|ask| self.put_off(&ask.partition.topic_partition));
            return;
        }
        let replicas = self.context.replicas.clone();
        let taken = tokio::task::spawn_blocking(move || take_all(&replicas, asks, answer));
        let steps = match taken.await {
            Ok(steps) => steps,
            Err(e) => {
                log::error!("the answer of broker {} could not be taken over: {e}", self.leader);
                tokio::time::sleep(FIRST_BACKOFF).await;
                return;
            }
        };
        for (ask, step) in steps {
            let name = &ask.partition.topic_partition;
            match step {
                Step::GoOn | Step::Truncated => self.go_on(name),
                Step::Retry => self.put_off(name),
                Step::AwaitController => self.forget(name, ask.asked.current_leader_epoch),
                Step::AskForEnds => self.ask_for_ends(ask).await,
            }
        }
    }

    fn go_on(&mut self, name: &TopicPartition) {
        if let Some(followed) = self.partitions.get_mut(name) {
            followed.backoff = FIRST_BACKOFF;
        }
    }

    fn put_off(&mut self, name: &TopicPartition) {
        let longest = u64::try_from(self.context.config.replica_fetch_backoff_ms).unwrap_or(1000);
        if let Some(followed) = self.partitions.get_mut(name) {
            followed.due = Instant::now() + followed.backoff;
            followed.backoff = (followed.backoff * 2).min(Duration::from_millis(longest));
        }
    }

    /// Unless it has been told anew since.
    fn forget(&mut self, name: &TopicPartition, leader_epoch: LeaderEpoch) {
        if self
            .partitions
            .get(name)
            .is_some_and(|it| it.leader_epoch == leader_epoch)
        {
            self.partitions.remove(name);
        }
    }

    async fn ask_for_ends(&mut self, ask: Ask) {
        let name = ask.partition.topic_partition.clone();
        self.put_off(&name);
        let Some(connection) = &mut self.connection else { return };
        let (config, broker_id) = (&self.context.config, self.context.broker_id);
        let ends = fetch_wire::ends(connection, config, broker_id, &ask).await;
        let (begin, end) = match ends {
            Ok(Some(ends)) => ends,
            Ok(None) => return,
            Err(error) => {
                log::info!(
                    "{name}: broker {} does not say where its log begins: {error}",
                    self.leader
                );
                self.connection = None;
                return;
            }
        };
        let replicas = self.context.replicas.clone();
        let taken = tokio::task::spawn_blocking(move || {
            let step = step_of(
                &replicas,
                &ask.partition,
                ask.partition.take_ends(&ask.asked, begin, end),
            );
            if step == Step::Truncated {
                replicas.logs().checkpoint_recovery_points(&|| replicas.all());
            }
            (ask, step)
        });
        match taken.await {
            Ok((ask, Step::AwaitController)) => self.forget(&name, ask.asked.current_leader_epoch),
            Ok((_, Step::Truncated)) => {
                if let Some(followed) = self.partitions.get_mut(&name) {
                    followed.due = Instant::now();
                }
            }
            Ok(_) => {}
            Err(e) => log::error!("{name}: the leader's ends could not be taken over: {e}"),
        }
    }

    async fn note_unreachable(&mut self, error: &ConnectionError) {
        let was_connected = self.connection.take().is_some();
        let said = error.to_string();
        if said != self.said {
            log::info!("broker {} cannot be fetched from: {said}", self.leader);
            self.said = said;
        }
        if was_connected {
            return;
        }
        let pause = tokio::time::sleep(self.reconnect);
        self.reconnect = (self.reconnect * 2).min(LONGEST_RECONNECT);
        tokio::select! {
            () = pause => {}
            following = self.told.recv() => {
                if let Some(following) = following {
                    self.take(following);
                }
            }
        }
    }
}

async fn connect(context: &FetcherContext, leader: BrokerId) -> Result<Connection, ConnectionError> {
    let listener = &context.config.inter_broker_listener_name;
    let endpoint = context.metadata.endpoint(leader, listener);
    let endpoint = endpoint.ok_or_else(|| ConnectionError::NoEndpoint {
        broker: leader,
        listener: listener.clone(),
    })?;
    Connection::connect(&endpoint.host, endpoint.port, context.broker_id, CONNECT_TIMEOUT).await
}

/// To a broker that is not there a connection is refused at once; one that does not even refuse is tried again soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

fn socket_timeout(config: &BrokerConfig) -> Duration {
    Duration::from_millis(u64::try_from(config.replica_socket_timeout_ms).unwrap_or(30_000))
}

/// Takes over what there is for each partition. What was cut is written down before anything is appended after it.
fn take_all(replicas: &Replicas, asks: Vec<Ask>, answer: FetchResponse) -> Vec<(Ask, Step)> {
    let mut answers: HashMap<(String, TopicId, i32), PartitionData> = HashMap::new();
    for topic in answer.responses {
        for data in topic.partitions {
            answers.insert((topic.topic.to_string(), topic.topic_id, data.partition_index), data);
        }
    }
    let mut steps = Vec::with_capacity(asks.len());
    for ask in asks {
        let name = &ask.partition.topic_partition;
        let by_name = (name.topic.to_string(), TopicId::ZERO, name.partition);
        let by_id = (String::new(), ask.partition.topic_id, name.partition);
        let Some(data) = answers.remove(&by_id).or_else(|| answers.remove(&by_name)) else {
            steps.push((ask, Step::GoOn));
            continue;
        };
        let records = data.records.as_ref().and_then(|records| records.as_memory().cloned());
        let answered = fetch_wire::answered(&data);
        let step = take_one(replicas, &ask, &answered, &records.unwrap_or_default());
        steps.push((ask, step));
    }
    if steps.iter().any(|(_, step)| *step == Step::Truncated) {
        replicas.logs().checkpoint_recovery_points(&|| replicas.all());
    }
    steps
}

fn take_one(replicas: &Replicas, ask: &Ask, answered: &Answered, records: &Bytes) -> Step {
    if !matches!(answered.error_code, ErrorCode::NONE | ErrorCode::OFFSET_OUT_OF_RANGE) {
        log::debug!(
            "{}: the leader answered {} in epoch {}",
            ask.partition.topic_partition,
            answered.error_code.name(),
            ask.asked.current_leader_epoch
        );
    }
    let taken = ask.partition.take_answer(&ask.asked, answered, records);
    step_of(replicas, &ask.partition, taken)
}

/// A failure of the log takes its directory offline, and any other is tried again.
fn step_of(replicas: &Replicas, partition: &Partition, taken: Result<Step, FollowError>) -> Step {
    taken.unwrap_or_else(|error| {
        log::error!(
            "{}: what the leader sent was not taken over: {error}",
            partition.topic_partition
        );
        match error.log_dir() {
            Some(failure) => {
                replicas.log_dir_failed(failure);
                Step::AwaitController
            }
            None => Step::Retry,
        }
    })
}
