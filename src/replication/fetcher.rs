//! Fetching from leaders: a task for each broker that leads partitions which this one follows in, with one connection and one request
//! in flight. Kafka's `ReplicaFetcherThread`; what an answer means is decided in `follower`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::BrokerConfig;
use controller::BrokerEpoch;
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
use super::follower::{Answered, Asked};
use super::session::Session;
use crate::inter_broker::{Connection, ConnectionError, Dial};
use crate::metadata_cache::MetadataCache;
use crate::partition::{FollowError, Partition, Step};
use crate::replicas::Replicas;
use crate::threads;

/// Before a partition is asked for again after an error; twice as long each time, up to `replica.fetch.backoff.ms`.
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
/// For how long a broker is out of an ISR before it tells its leader everything anew.
const OUT_OF_SYNC: Duration = Duration::from_secs(1);
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
    /// How leaders are reached.
    pub dial: Arc<dyn Dial>,
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
        names: HashMap::new(),
        changed: BTreeSet::new(),
        put_off: BTreeSet::new(),
        connection: None,
        session: Session::default(),
        named_all: (Instant::now(), BrokerEpoch(-1)),
        has_ids: true,
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
    /// What was asked last, in this session.
    asked: Option<Asked>,
    /// Not asked for before.
    due: Instant,
    backoff: Duration,
}

struct Fetcher {
    leader: BrokerId,
    context: Arc<FetcherContext>,
    told: UnboundedReceiver<Following>,
    partitions: HashMap<TopicPartition, Followed>,
    names: HashMap<TopicId, Arc<str>>,
    /// Of which something else is to be asked than before.
    changed: BTreeSet<TopicPartition>,
    /// Which are not asked for now, by when they are again.
    put_off: BTreeSet<(Instant, TopicPartition)>,
    connection: Option<Connection>,
    session: Session,
    /// When the leader was last told of every partition, and as which registration.
    named_all: (Instant, BrokerEpoch),
    /// Whether all topics have ids, and requests name them by these.
    has_ids: bool,
    /// Where the next full request begins, so that each partition has its turn to come first.
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
            self.bring_back();
            if self.partitions.len() == self.put_off.len() {
                if !self.wait_until_due().await {
                    return;
                }
                continue;
            }
            let asks = self.gather().await;
            match self.fetch(&asks).await {
                Ok(Some(answer)) => self.take_answer(answer).await,
                // Something else is to be asked.
                Ok(None) => self.disconnect(),
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
                let name = partition.topic_partition.clone();
                self.remove_put_off(&name);
                self.names.insert(partition.topic_id, name.topic.clone());
                self.changed.insert(name.clone());
                let followed = Followed {
                    partition,
                    leader_epoch,
                    asked: None,
                    due: Instant::now(),
                    backoff: FIRST_BACKOFF,
                };
                self.partitions.insert(name, followed);
            }
            Following::Nobody(name) => self.remove(&name),
        }
    }

    fn remove(&mut self, name: &TopicPartition) {
        self.remove_put_off(name);
        self.partitions.remove(name);
        self.changed.remove(name);
        self.session.forget(name);
    }

    fn remove_put_off(&mut self, name: &TopicPartition) {
        if let Some(followed) = self.partitions.get(name) {
            self.put_off.remove(&(followed.due, name.clone()));
        }
    }

    /// Those that have been put off for long enough.
    fn bring_back(&mut self) {
        let now = Instant::now();
        while let Some((due, _)) = self.put_off.first()
            && *due <= now
            && let Some((_, name)) = self.put_off.pop_first()
        {
            self.changed.insert(name);
        }
    }

    /// What the next request names: what has changed, or, where the leader holds no session, everything.
    async fn gather(&mut self) -> Vec<Ask> {
        let has_ids = self
            .partitions
            .values()
            .all(|followed| !followed.partition.topic_id.is_zero());
        if has_ids != std::mem::replace(&mut self.has_ids, has_ids) {
            self.session.begin_anew();
        }
        self.remind_leader();
        let changed = std::mem::take(&mut self.changed);
        let names: Vec<TopicPartition> = match self.session.is_full() {
            true => {
                let is_due = |name: &&TopicPartition| {
                    let followed = &self.partitions[*name];
                    !self.put_off.contains(&(followed.due, (*name).clone()))
                };
                let mut names: Vec<TopicPartition> = self.partitions.keys().filter(is_due).cloned().collect();
                names.sort();
                self.first = (self.first + 1) % names.len().max(1);
                names.rotate_left(self.first);
                names
            }
            false => changed.into_iter().collect(),
        };
        let followed = names.iter().filter_map(|name| self.partitions.get(name));
        let due: Vec<(Arc<Partition>, LeaderEpoch)> = followed
            .map(|followed| (followed.partition.clone(), followed.leader_epoch))
            .collect();
        let mut asks = Vec::with_capacity(due.len());
        for (partition, asked) in next_to_ask(due).await {
            let name = partition.topic_partition.clone();
            match asked {
                Some(asked) => {
                    if let Some(followed) = self.partitions.get_mut(&name) {
                        followed.asked = Some(asked);
                    }
                    asks.push(Ask { partition, asked });
                }
                None => self.put_off(&name),
            }
        }
        asks
    }

    /// What the leader is not asked for again it takes no note of. So it is told everything anew where it must take note: as another
    /// registration, and, from time to time, while something keeps this broker out of an ISR; otherwise nobody would ever try again to
    /// let it in.
    fn remind_leader(&mut self) {
        let (named_all, registered) = self.named_all;
        let now_registered = self.context.controller.broker_epoch();
        let is_out_of_sync = || {
            let metadata = &self.context.metadata;
            let own = self.context.broker_id;
            let mut followed = self.partitions.keys();
            followed.any(|it| !metadata.is_in_sync(&it.topic, it.partition, own))
        };
        if registered != now_registered || (named_all.elapsed() >= OUT_OF_SYNC && is_out_of_sync()) {
            self.session.begin_anew();
        }
        if self.session.is_full() || named_all.elapsed() >= OUT_OF_SYNC {
            self.named_all = (Instant::now(), now_registered);
        }
    }

    /// Until something is due or told; `false` when the broker ends.
    async fn wait_until_due(&mut self) -> bool {
        let due = self.put_off.first().map(|(due, _)| *due);
        tokio::select! {
            biased;
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
        let version = fetch_wire::version(&self.context.config, self.has_ids);
        let named = asks
            .iter()
            .map(|ask| (&ask.partition.topic_partition, ask.partition.topic_id));
        let session = self.session.next(named);
        let Self {
            connection,
            told,
            context,
            leader,
            ..
        } = self;
        let asking = async {
            let connection = match connection {
                Some(connection) => connection,
                None => connection.insert(connect(context, *leader).await?),
            };
            let own = (context.broker_id, context.controller.broker_epoch());
            let request = fetch_wire::request(&context.config, own, version, asks, session);
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
        // Many partitions come together.
        tokio::time::sleep(GATHERING).await;
        if let Some(following) = following {
            self.take(following);
        }
        Ok(None)
    }

    /// What was sent may have been heard, or not.
    fn disconnect(&mut self) {
        self.connection = None;
        self.session.begin_anew();
    }

    async fn take_answer(&mut self, answer: FetchResponse) {
        self.said.clear();
        self.reconnect = FIRST_RECONNECT;
        if !self.session.note_answer(answer.error_code, answer.session_id) {
            let is_about_session = matches!(
                answer.error_code,
                ErrorCode::FETCH_SESSION_ID_NOT_FOUND
                    | ErrorCode::INVALID_FETCH_SESSION_EPOCH
                    | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
            );
            let code = answer.error_code.name();
            if !is_about_session {
                log::warn!("broker {} answered a fetch with {code}", self.leader);
                tokio::time::sleep(FIRST_BACKOFF).await;
            }
            return;
        }
        let answers = self.sort(answer);
        let replicas = self.context.replicas.clone();
        let taken = threads::spawn_blocking(move || take_all(&replicas, answers));
        let steps = match taken.await {
            Ok(steps) => steps,
            Err(e) => {
                log::error!("the answer of broker {} could not be taken over: {e}", self.leader);
                self.session.begin_anew();
                tokio::time::sleep(FIRST_BACKOFF).await;
                return;
            }
        };
        for (ask, step) in steps {
            let name = &ask.partition.topic_partition;
            // It may have been told anew since.
            let is_current = |it: &&mut Followed| it.leader_epoch == ask.asked.current_leader_epoch;
            let Some(followed) = self.partitions.get_mut(name).filter(is_current) else {
                continue;
            };
            match step {
                Step::GoOn | Step::Truncated => {
                    followed.backoff = FIRST_BACKOFF;
                    self.changed.insert(name.clone());
                }
                Step::Retry => self.put_off(name),
                Step::AwaitController => self.remove(name),
                Step::AskForEnds => self.ask_for_ends(ask).await,
            }
        }
    }

    /// The answers to what was asked.
    fn sort(&self, answer: FetchResponse) -> Vec<(Ask, PartitionData)> {
        let mut answers = Vec::new();
        for topic in answer.responses {
            let name = match topic.topic_id.is_zero() {
                true => Some(Arc::from(&*topic.topic)),
                false => self.names.get(&topic.topic_id).cloned(),
            };
            let Some(name) = name else { continue };
            for data in topic.partitions {
                let name = TopicPartition::new(name.clone(), data.partition_index);
                let followed = self.partitions.get(&name);
                if let Some((followed, asked)) = followed.and_then(|it| Some((it, it.asked?))) {
                    let partition = followed.partition.clone();
                    answers.push((Ask { partition, asked }, data));
                }
            }
        }
        answers
    }

    /// Not asked for, for a while that grows.
    fn put_off(&mut self, name: &TopicPartition) {
        let longest = u64::try_from(self.context.config.replica_fetch_backoff_ms).unwrap_or(1000);
        self.remove_put_off(name);
        if let Some(followed) = self.partitions.get_mut(name) {
            followed.due = Instant::now() + followed.backoff;
            followed.backoff = (followed.backoff * 2).min(Duration::from_millis(longest));
            self.put_off.insert((followed.due, name.clone()));
            self.changed.remove(name);
            self.session.forget(name);
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
                return self.disconnect();
            }
        };
        let replicas = self.context.replicas.clone();
        let taken = threads::spawn_blocking(move || {
            let step = step_of(
                &replicas,
                &ask.partition,
                ask.partition.take_ends(&ask.asked, begin, end),
            );
            if step == Step::Truncated {
                replicas.logs().checkpoint_recovery_points(&|| replicas.all());
            }
            step
        });
        match taken.await {
            Ok(Step::AwaitController) => self.remove(&name),
            Ok(Step::Truncated) => {
                self.remove_put_off(&name);
                self.changed.insert(name);
            }
            Ok(_) => {}
            Err(e) => log::error!("{name}: the leader's ends could not be taken over: {e}"),
        }
    }

    async fn note_unreachable(&mut self, error: &ConnectionError) {
        let was_connected = self.connection.is_some();
        self.disconnect();
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
    Connection::connect(
        context.dial.as_ref(),
        (&endpoint.host, endpoint.port),
        context.broker_id,
        CONNECT_TIMEOUT,
    )
    .await
}

/// To a broker that is not there a connection is refused at once; one that does not even refuse is tried again soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

fn socket_timeout(config: &BrokerConfig) -> Duration {
    Duration::from_millis(u64::try_from(config.replica_socket_timeout_ms).unwrap_or(30_000))
}

/// What partitions are to ask next; the logs' locks are waited for.
async fn next_to_ask(due: Vec<(Arc<Partition>, LeaderEpoch)>) -> Vec<(Arc<Partition>, Option<Asked>)> {
    if due.is_empty() {
        return Vec::new();
    }
    let gathered = threads::spawn_blocking(move || {
        let ask = |(partition, leader_epoch): (Arc<Partition>, LeaderEpoch)| {
            let asked = partition.next_to_ask(leader_epoch);
            (partition, asked)
        };
        due.into_iter().map(ask).collect::<Vec<_>>()
    });
    gathered.await.unwrap_or_else(|e| {
        log::error!("what is to be fetched could not be gathered: {e}");
        Vec::new()
    })
}

/// Takes over what there is for each partition. What was cut is written down before anything is appended after it.
fn take_all(replicas: &Replicas, answers: Vec<(Ask, PartitionData)>) -> Vec<(Ask, Step)> {
    let mut steps = Vec::with_capacity(answers.len());
    for (ask, data) in answers {
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
