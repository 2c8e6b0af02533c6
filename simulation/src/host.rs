//! A broker of the simulation: the real one, on a simulated disk, a simulated ensemble and a simulated network.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use config::BrokerConfig;
use controller::testing::ensemble::{Client, Ensemble};
use controller::{Endpoint, Sessions};
use sordini::assembly::{Ground, assemble_on};
use sordini::broker::Broker;
use sordini::log_dirs::LogDirs;
use sordini::network::{ANSWER_MEMORY_BYTES, Limits};
use sordini::open_files::OpenFileLimit;
use storage::{Disk, SimDisk};

use crate::network::{self, LISTENER, PORT, SimulatedDial};

/// `zookeeper.session.timeout.ms`
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// `min.insync.replicas`
pub const MIN_INSYNC_REPLICAS: usize = 2;

/// What outlives a broker's process.
pub struct Host {
    /// Its id.
    pub id: i32,
    /// Its disk.
    pub disk: SimDisk,
    /// Its sessions with the ensemble.
    pub client: Arc<Client>,
    /// The process, while there is one.
    pub broker: Mutex<Option<Arc<Broker>>>,
    processes: AtomicU64,
    /// Whether the process has ended by itself, as it could not start.
    has_failed: AtomicBool,
}

impl Host {
    /// A host on which nothing has run yet.
    pub fn new(id: i32, seed: u64, ensemble: &Ensemble) -> Arc<Host> {
        Arc::new(Host {
            id,
            disk: SimDisk::new(seed),
            client: ensemble.client(SESSION_TIMEOUT),
            broker: Mutex::default(),
            processes: AtomicU64::new(id as u64),
            has_failed: AtomicBool::new(false),
        })
    }

    /// Its name in the network.
    pub fn name(&self) -> String {
        format!("broker{}", self.id)
    }

    /// The process that runs now.
    pub fn running(&self) -> Option<Arc<Broker>> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A number that no other process of this or another host has.
    pub fn process(&self) -> u64 {
        self.processes.load(Ordering::Relaxed)
    }

    /// The process ends by itself.
    pub fn note_failed(&self) {
        self.has_failed.store(true, Ordering::Relaxed);
    }

    /// Whether it did so since this was asked last.
    pub fn take_failed(&self) -> bool {
        self.has_failed.swap(false, Ordering::Relaxed)
    }

    fn set_running(&self, broker: Option<Arc<Broker>>) {
        *self.broker.lock().unwrap_or_else(PoisonError::into_inner) = broker;
    }

    /// The process has ended without a word: what it wrote stays, synced or not.
    pub fn note_killed(&self) {
        self.processes.fetch_add(100, Ordering::Relaxed);
        self.set_running(None);
        self.client.set_alive(false);
        self.disk.kill();
    }

    fn config(&self) -> anyhow::Result<BrokerConfig> {
        let settings = [
            format!("broker.id={}", self.id),
            "log.dirs=/data".to_owned(),
            "zookeeper.connect=simulated".to_owned(),
            format!("listeners={LISTENER}://{}:{PORT}", self.name()),
            format!("advertised.listeners={LISTENER}://{}:{PORT}", self.name()),
            format!("min.insync.replicas={MIN_INSYNC_REPLICAS}"),
            "auto.create.topics.enable=false".to_owned(),
            "offsets.topic.num.partitions=1".to_owned(),
            "num.recovery.threads.per.data.dir=1".to_owned(),
            "replica.lag.time.max.ms=3000".to_owned(),
            // Packets that a cut has swallowed are not sent again here, as TCP would.
            "replica.socket.timeout.ms=3000".to_owned(),
            "controller.socket.timeout.ms=3000".to_owned(),
            "leader.imbalance.check.interval.seconds=5".to_owned(),
        ];
        let entries: Result<Vec<_>, _> = settings
            .iter()
            .map(|setting| config::sources::parse_override(setting))
            .collect();
        let loaded = config::load(entries?, config::Strictness::Lenient);
        Ok(loaded.map_err(|errors| anyhow::anyhow!("{errors:?}"))?.config)
    }

    /// Runs the broker until its host is stopped.
    ///
    /// # Errors
    /// Whatever keeps it from starting or serving.
    pub async fn run(self: Arc<Self>) -> anyhow::Result<()> {
        self.client.set_alive(true);
        let config = Arc::new(self.config()?);
        let open_files = OpenFileLimit::raise();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let ground = Ground {
            dirs: LogDirs::open_on(&disk, &config, open_files)?,
            sessions: Sessions::open(self.client.clone()).await?,
            endpoints: vec![Endpoint {
                listener_name: LISTENER.to_owned(),
                security_protocol: "PLAINTEXT".to_owned(),
                host: self.name(),
                port: PORT,
            }],
            dial: Arc::new(SimulatedDial),
            limits: Limits {
                protected_listener: None,
                max_connections: usize::MAX,
                max_connections_per_ip: usize::MAX,
                max_connections_per_ip_overrides: Default::default(),
                max_idle: None,
                answer_memory_bytes: ANSWER_MEMORY_BYTES,
            },
            max_partitions: 1000,
            config,
        };
        let (broker, _stopper) = assemble_on(ground, &AtomicBool::new(false))
            .await
            .with_context(|| self.name())?;
        self.set_running(Some(broker.clone()));
        network::serve(broker).await?;
        Ok(())
    }
}
