//! Starting the broker in order, running it until it is asked to stop, and stopping it in order.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use config::BrokerConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::broker::Broker;
use crate::ephemeral::EphemeralDir;
use crate::network::{self, BoundListener, Connections, Limits, RequestMemory};

/// What the command line asks for beside the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartOptions {
    /// Use a temporary directory for everything and remove it at the end (`--ephemeral`).
    pub ephemeral: bool,
    /// A file that receives the address once the broker serves (`--ready-file`).
    pub ready_file: Option<PathBuf>,
    /// When the process began, for the line that says how long starting took.
    pub started: Instant,
}

/// The memory of requests in flight where `queued.max.request.bytes` sets no limit.
const DEFAULT_REQUEST_MEMORY_BYTES: usize = 256 * 1024 * 1024;
/// How long a stop waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(3);

/// Runs the broker until SIGINT or SIGTERM.
///
/// # Errors
/// One line for whatever keeps it from starting.
pub fn run(mut config: BrokerConfig, options: StartOptions) -> anyhow::Result<()> {
    let ephemeral = match options.ephemeral {
        true => Some(EphemeralDir::create(&mut config).context("--ephemeral")?),
        false => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from))
        .max_blocking_threads(usize::try_from(config.num_io_threads).unwrap_or(8).max(4))
        .thread_name("sordini-worker")
        .enable_all()
        .build()
        .context("starting the threads")?;
    let served = runtime.block_on(serve(Arc::new(config), &options));
    // Nothing is left to do for whatever still hangs.
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(ephemeral);
    served
}

async fn serve(config: Arc<BrokerConfig>, options: &StartOptions) -> anyhow::Result<()> {
    // From here on a signal is noticed, whenever it comes; as process 1 it would otherwise have no effect at all.
    let mut signals = Signals::new()?;
    let started = crate::assembly::assemble(config.clone()).await?;
    let accepting = accept(&started.broker, started.listeners)?;
    announce(&config, options, &started.addresses)?;
    let reason = tokio::select! {
        name = signals.next() => Ok(name),
        () = started.stopper.all_offline() => Err(anyhow::anyhow!("every log directory is offline")),
    };
    match &reason {
        Ok(name) => log::info!("{name}: stopping"),
        Err(e) => log::error!("{e}: stopping"),
    }
    for task in &accepting {
        task.abort();
    }
    // Members that wait for others are told at once, so that their requests end.
    started.broker.groups.stop();
    drain(&started.broker.connections).await;
    let stopped = started.stopper.stop().await;
    if let Some(file) = &options.ready_file {
        remove_if_there(file);
    }
    reason.and(stopped)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Sockets' send buffer where `socket.send.buffer.bytes` is not set; the kernel doubles it. Measured on loopback, fetches of 1 MiB:
/// with a buffer that the kernel tunes (4 MiB) they cost half as much CPU again, and with Kafka's 100 KiB an eighth more.
const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// Binds every listener; the port that 0 became is in the result.
pub(crate) fn bind(config: &BrokerConfig) -> anyhow::Result<Vec<BoundListener>> {
    // -1 leaves it to the kernel, as in Kafka.
    let send = match config.is_set("socket.send.buffer.bytes") {
        true => usize::try_from(config.socket_send_buffer_bytes).ok(),
        false => Some(SEND_BUFFER_BYTES),
    };
    let receive = match config.is_set("socket.receive.buffer.bytes") {
        true => usize::try_from(config.socket_receive_buffer_bytes).ok(),
        false => None,
    };
    let listeners = config.listeners.iter();
    Ok(listeners
        .map(|listener| network::bind(listener, config.socket_listen_backlog_size, send, receive))
        .collect::<Result<_, _>>()?)
}

/// What `max.connections` and its like say.
pub(crate) fn limits(config: &BrokerConfig) -> Limits {
    let count = |n: i32| usize::try_from(n).unwrap_or(0);
    Limits {
        max_connections: count(config.max_connections),
        max_connections_per_ip: count(config.max_connections_per_ip),
        max_connections_per_ip_overrides: overrides_by_address(config),
        max_idle: u64::try_from(config.connections_max_idle_ms)
            .ok()
            .map(Duration::from_millis),
        answer_memory_bytes: network::ANSWER_MEMORY_BYTES,
    }
}

fn overrides_by_address(config: &BrokerConfig) -> HashMap<IpAddr, usize> {
    let mut by_address = HashMap::new();
    for (host, limit) in &config.max_connections_per_ip_overrides {
        match (host.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => {
                let limit = usize::try_from(*limit).unwrap_or(0);
                by_address.extend(addresses.map(|address| (address.ip().to_canonical(), limit)));
            }
            Err(e) => log::error!("max.connections.per.ip.overrides: {host} does not resolve and has no override: {e}"),
        }
    }
    by_address
}

fn accept(broker: &Arc<Broker>, listeners: Vec<BoundListener>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let config = &broker.config;
    let max_frame_bytes = usize::try_from(config.socket_request_max_bytes).unwrap_or(0);
    let memory_bytes = usize::try_from(config.queued_max_request_bytes).unwrap_or(DEFAULT_REQUEST_MEMORY_BYTES);
    let memory = RequestMemory::new(memory_bytes, max_frame_bytes);
    let mut tasks = Vec::new();
    for bound in listeners {
        let name: Arc<str> = Arc::from(bound.listener.name.as_str());
        let listener = bound.into_tokio().with_context(|| format!("listener {name}"))?;
        let (broker, memory) = (broker.clone(), memory.clone());
        let connections = broker.connections.clone();
        tasks.push(tokio::spawn(network::accept_loop(
            listener,
            name,
            connections,
            move |stream, admitted| {
                tokio::spawn(network::serve(
                    broker.clone(),
                    stream,
                    admitted,
                    max_frame_bytes,
                    memory.clone(),
                ));
            },
        )));
    }
    let connections = broker.connections.clone();
    tasks.push(tokio::spawn(async move {
        loop {
            tokio::time::sleep(Connections::SLOW_READERS_CHECK).await;
            connections.close_slow_readers();
        }
    }));
    if let Some(interval) = broker.connections.sweep_interval() {
        let connections = broker.connections.clone();
        tasks.push(tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                connections.close_idle();
            }
        }));
    }
    Ok(tasks)
}

/// The one line that says that the broker serves.
fn announce(config: &BrokerConfig, options: &StartOptions, addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let addresses: Vec<String> = addresses.iter().map(reachable).collect();
    let log_dirs: Vec<String> = config.log_dirs.iter().map(|dir| dir.display().to_string()).collect();
    println!(
        "sordini serves {}, data in {}, started in {} ms",
        addresses.join(","),
        log_dirs.join(","),
        options.started.elapsed().as_millis(),
    );
    if let Some(file) = &options.ready_file {
        write_whole(file, &format!("{}\n", addresses.join(",")))
            .with_context(|| format!("--ready-file {}", file.display()))?;
    }
    Ok(())
}

/// An address that a client on this machine can use.
fn reachable(address: &SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    }
}

/// Whoever polls for the file must never see half of it.
fn write_whole(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".tmp");
    std::fs::write(&name, text)?;
    std::fs::rename(&name, file)
}

fn remove_if_there(file: &Path) {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => log::warn!("{}: {e}", file.display()),
        Ok(()) | Err(_) => {}
    }
}

async fn drain(connections: &Arc<Connections>) {
    connections.finish_all();
    if tokio::time::timeout(DRAIN, connections.wait_for_none()).await.is_err() {
        log::warn!(
            "{} connections are still open after {} s; they are cut",
            connections.len(),
            DRAIN.as_secs()
        );
    }
}
