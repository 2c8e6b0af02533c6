//! Puts the broker together: directories, metadata store, listeners, controller, partitions, in that order; and takes it apart.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context;
use config::{BrokerConfig, TopicConfig};
use controller::driver;
use controller::startup::Bootstrap;
use controller::{BrokerRegistration, ConfigMap, Endpoint, NoPeers, Peers, Sessions, TopicPolicy};
use storage::LogDirFailure;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::background::{self, Background};
use crate::broker::Broker;
use crate::control::ControlThread;
use crate::fetch_session::FetchSessionCache;
use crate::group::{CoordinatorConfig, GroupCoordinator, ZookeeperOffsets};
use crate::heed::{Heed, OwnEffects};
use crate::inter_broker::{Dial, InterBrokerPeers, TcpDial, ToController};
use crate::log_dirs::LogDirs;
use crate::logs::Logs;
use crate::metadata_cache::MetadataCache;
use crate::metadata_store;
use crate::network::{BoundListener, Connections, Limits};
use crate::offsets_topic::OffsetsTopic;
use crate::open_files::OpenFileLimit;
use crate::producer_ids::ProducerIds;
use crate::random;
use crate::ready_file::ReadyFile;
use crate::replica_selector::ReplicaSelector;
use crate::replicas::{ApplyEffects, Replicas, Wanted, report_offline};
use crate::replication::fetcher::{self, FetcherContext};
use crate::replication::isr_changes;
use crate::start;
use crate::threads;

/// A broker that serves as soon as its listeners accept.
pub struct Assembled {
    /// What requests use.
    pub broker: Arc<Broker>,
    /// Bound, not yet accepting.
    pub listeners: Vec<BoundListener>,
    /// Where clients connect, in the order of `listeners`.
    pub addresses: Vec<SocketAddr>,
    /// Takes it apart.
    pub stopper: Stopper,
}

/// What a broker stands on: of the machine, or of a simulation.
pub struct Ground {
    /// Its configuration.
    pub config: Arc<BrokerConfig>,
    /// Its log directories.
    pub dirs: LogDirs,
    /// Where the metadata lie.
    pub sessions: Arc<Sessions>,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// How it reaches others.
    pub dial: Arc<dyn Dial>,
    /// How many connections and partitions it may have.
    pub limits: Limits,
    /// See [`OpenFileLimit::partitions`].
    pub max_partitions: usize,
}

/// Takes the broker apart.
pub struct Stopper {
    broker: Arc<Broker>,
    logs: Arc<Logs>,
    background: Background,
    _control: ControlThread,
}

impl Stopper {
    /// Resolves when no log directory is left, with what took each of them offline.
    pub async fn all_offline(&self) -> Vec<LogDirFailure> {
        self.logs.all_offline().await
    }

    /// Stops what runs in the background, gives the registration back, and closes the logs so that nothing has to be recovered.
    ///
    /// # Errors
    /// Whatever kept the stop from being clean.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.background.stop().await;
        let deregistered = self
            .broker
            .controller
            .shutdown()
            .await
            .context("taking the registration back");
        let (logs, replicas) = (self.logs, self.broker.replicas.clone());
        threads::spawn_blocking(move || logs.close(&replicas.all()))
            .await
            .context("closing the logs")??;
        deregistered
    }
}

/// Assembles the broker. Recovers logs on the thread that it runs on; once `cancelled` is set it opens no further one.
///
/// # Errors
/// One line for whatever is in the way; [`LogsError::Cancelled`](crate::logs::LogsError::Cancelled), with the directories left as
/// after a crash.
pub async fn assemble(
    config: Arc<BrokerConfig>,
    ready_file: Option<&ReadyFile>,
    cancelled: &AtomicBool,
) -> anyhow::Result<Assembled> {
    let open_files = OpenFileLimit::raise();
    let limits = start::limits(&config, open_files)?;
    let dirs = LogDirs::open(&config, open_files)?;
    let listeners = start::bind(&config)?;
    if let Some(file) = ready_file {
        file.remove_stale().context("removing the ready file that is there")?;
    }
    let sessions = metadata_store::open(&config, &dirs).await?;
    let endpoints = listeners.iter().map(|bound| endpoint(&config, bound)).collect();
    let ground = Ground {
        config,
        dirs,
        sessions,
        endpoints,
        dial: Arc::new(TcpDial),
        limits,
        max_partitions: open_files.partitions(),
    };
    let (broker, stopper) = assemble_on(ground, cancelled).await?;
    let addresses = listeners.iter().map(|bound| bound.address).collect();
    Ok(Assembled {
        broker,
        listeners,
        addresses,
        stopper,
    })
}

/// Assembles a broker that nobody reaches yet.
///
/// # Errors
/// As [`assemble`].
pub async fn assemble_on(ground: Ground, cancelled: &AtomicBool) -> anyhow::Result<(Arc<Broker>, Stopper)> {
    let Ground {
        config,
        mut dirs,
        sessions,
        endpoints,
        dial,
        limits,
        max_partitions,
    } = ground;
    let disk_reads = crate::start::waiting_threads(&config) / 2;
    let bootstrap = Bootstrap::on(sessions.clone()).await?;
    let cluster_id = bootstrap.cluster_id(dirs.cluster_id().as_deref()).await?;
    let id = match config.broker_id.or(dirs.broker_id()) {
        Some(id) => id,
        None => bootstrap.generate_broker_id(config.reserved_broker_max_id).await?,
    };
    dirs.identify(id, &cluster_id)?;
    let topic_configs = bootstrap.topic_configs().await?;
    let logs = Logs::load(config.clone(), dirs, &topic_configs, cancelled)?;
    let metadata = Arc::new(MetadataCache::default());
    let (replicas, wanted) = Replicas::new(id, logs.clone(), metadata.clone());
    let control = ControlThread::start().context("the control thread")?;
    let groups = group_coordinator(&config, &replicas, &metadata, &control);
    let effects = ApplyEffects {
        replicas: replicas.clone(),
        metadata: metadata.clone(),
        groups: groups.clone(),
    };
    let heed = Heed::new(effects, topic_configs);
    let peers: Arc<dyn Peers> = match sessions.is_ensemble() {
        true => InterBrokerPeers::new(id, config.clone(), dial.clone(), Handle::current()),
        false => Arc::new(NoPeers),
    };
    let policy = Arc::new(Policy {
        config: config.clone(),
        max_partitions,
    });
    let registration = registration(&config, id, endpoints);
    let sink = Box::new(OwnEffects(heed.clone()));
    let started = match threads::is_alone() {
        true => driver::start_here(bootstrap, registration, policy, sink, peers).await?,
        false => driver::start(bootstrap, registration, policy, sink, peers).await?,
    };
    metadata.set_snapshot(started.snapshot);
    heed.begin(started.handle.clone());
    let fetching = FetcherContext {
        broker_id: id,
        config: config.clone(),
        metadata: metadata.clone(),
        replicas: replicas.clone(),
        controller: started.handle.clone(),
        dial,
    };
    let to_controller = replicate(wanted, fetching);
    // A standby has not been told yet which logs are wanted.
    if started.handle.is_controller() {
        logs.report_strays();
    }
    let background = background::start(&config, &replicas, &logs);
    let replica_selector = ReplicaSelector::new(config.replica_selector_class.as_deref());
    let broker = Arc::new(Broker {
        id,
        fetch_sessions: FetchSessionCache::new(
            usize::try_from(config.max_incremental_fetch_session_cache_slots).unwrap_or(0),
        ),
        connections: Connections::new(limits),
        config,
        metadata,
        replicas,
        controller: started.handle,
        replica_selector,
        heed,
        to_controller,
        groups,
        zookeeper_offsets: ZookeeperOffsets::new(sessions),
        producer_ids: ProducerIds::default(),
        disk_reads: Arc::new(Semaphore::new(disk_reads)),
        heavy_validations: Arc::new(Semaphore::new(available_parallelism().map_or(2, usize::from))),
        config_changes: tokio::sync::Mutex::default(),
    });
    let stopper = Stopper {
        broker: broker.clone(),
        logs,
        background,
        _control: control,
    };
    Ok((broker, stopper))
}

/// Starts what partitions want done beside requests.
fn replicate(wanted: Wanted, fetching: FetcherContext) -> Arc<ToController> {
    let controller = fetching.controller.clone();
    let to_controller = ToController::new(
        fetching.broker_id,
        fetching.config.clone(),
        fetching.metadata.clone(),
        fetching.dial.clone(),
        controller.clone(),
    );
    tokio::spawn(report_offline(wanted.went_offline, controller));
    tokio::spawn(isr_changes::run(wanted.proposing, to_controller.clone()));
    tokio::spawn(fetcher::run(wanted.following, fetching));
    to_controller
}

fn group_coordinator(
    config: &BrokerConfig,
    replicas: &Arc<Replicas>,
    metadata: &Arc<MetadataCache>,
    control: &ControlThread,
) -> Arc<GroupCoordinator> {
    let offsets = OffsetsTopic {
        replicas: replicas.clone(),
        metadata: metadata.clone(),
    };
    Arc::new(GroupCoordinator::start(
        CoordinatorConfig::new(config),
        Arc::new(offsets),
        random::bytes,
        Handle::current(),
        control.handle(),
    ))
}

/// What other brokers and clients are told: the advertised listener, or the one that is bound.
fn endpoint(config: &BrokerConfig, bound: &BoundListener) -> Endpoint {
    let name = &bound.listener.name;
    let advertised = config.advertised_listeners.iter().find(|a| a.name == *name);
    let host = advertised.map(|a| a.host.as_str()).filter(|host| !host.is_empty());
    let port = advertised.map(|a| a.port).filter(|port| *port != 0);
    let bound_host = match bound.listener.host.as_str() {
        "" => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        host => host.to_string(),
    };
    Endpoint {
        listener_name: name.clone(),
        security_protocol: bound.listener.security_protocol.name().to_string(),
        host: host.map_or(bound_host, str::to_string),
        port: port.unwrap_or(bound.address.port()),
    }
}

fn registration(config: &BrokerConfig, id: i32, endpoints: Vec<Endpoint>) -> BrokerRegistration {
    BrokerRegistration {
        id,
        endpoints,
        rack: config.broker_rack.clone(),
        jmx_port: -1,
        features: BTreeMap::new(),
        sordini: Some(env!("CARGO_PKG_VERSION").to_string()),
    }
}

/// The broker's defaults, by which the controller judges topics.
struct Policy {
    config: Arc<BrokerConfig>,
    max_partitions: usize,
}

impl TopicPolicy for Policy {
    fn validate_configs(&self, _topic: &str, configs: &ConfigMap) -> Result<(), String> {
        TopicConfig::new(&self.config.topic_defaults, configs)
            .map(drop)
            .map_err(|e| e.to_string())
    }

    fn num_partitions(&self) -> i32 {
        self.config.num_partitions
    }

    fn default_replication_factor(&self) -> i32 {
        self.config.default_replication_factor
    }

    fn delete_topic_enable(&self) -> bool {
        self.config.delete_topic_enable
    }

    fn unclean_leader_election_enable(&self, configs: &ConfigMap) -> bool {
        let config = TopicConfig::new(&self.config.topic_defaults, configs);
        config.is_ok_and(|config| config.unclean_leader_election_enable)
    }

    fn rebalance_interval(&self) -> Option<Duration> {
        let seconds = u64::try_from(self.config.leader_imbalance_check_interval_seconds).ok();
        seconds
            .filter(|_| self.config.auto_leader_rebalance_enable)
            .map(Duration::from_secs)
    }

    fn imbalance_percentage(&self) -> i32 {
        self.config.leader_imbalance_per_broker_percentage
    }

    fn max_partitions(&self) -> usize {
        self.max_partitions
    }
}
