//! Starting the broker in order, running it until it is asked to stop, and stopping it in order.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use config::BrokerConfig;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::assembly::{self, Assembled};
use crate::broker::Broker;
use crate::ephemeral::EphemeralDir;
use crate::logs::LogsError;
use crate::network::{self, BoundListener, Connections, Limits, RequestMemory};
use crate::open_files::OpenFileLimit;
use crate::ready_file::ReadyFile;
use crate::signals::Signals;

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

/// How many threads there are for what waits.
pub(crate) fn waiting_threads(config: &BrokerConfig) -> usize {
    usize::try_from(config.num_io_threads).unwrap_or(8).max(4)
}

/// Runs the broker until SIGINT, SIGTERM or SIGHUP.
///
/// # Errors
/// One line for whatever keeps it from starting.
pub fn run(mut config: BrokerConfig, options: StartOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from))
        .max_blocking_threads(waiting_threads(&config))
        .thread_name("sordini-worker")
        .enable_all()
        .build()
        .context("starting the threads")?;
    let signals = {
        let _inside = runtime.enter();
        Signals::take_over()?
    };
    // Before anything is opened, so that nothing is touched where it cannot be written.
    let ready_file = options.ready_file.as_deref().map(|path| {
        let shown = || format!("--ready-file {}", path.display());
        ReadyFile::prepare(path).with_context(shown)
    });
    let ready_file = ready_file.transpose()?.map(Arc::new);
    let ephemeral = match options.ephemeral {
        true => Some(EphemeralDir::create(&mut config).context("--ephemeral")?),
        false => None,
    };
    let served = runtime.block_on(serve(Arc::new(config), options.started, ready_file, signals));
    // Nothing is left to do for whatever still hangs.
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(ephemeral);
    served
}

async fn serve(
    config: Arc<BrokerConfig>,
    began: Instant,
    ready_file: Option<Arc<ReadyFile>>,
    mut signals: Signals,
) -> anyhow::Result<()> {
    let Some(assembled) = assemble_unless_stopped(config, ready_file.clone(), &mut signals).await? else {
        return Ok(());
    };
    let Assembled {
        broker,
        listeners,
        addresses,
        stopper,
    } = assembled;
    let mut accepting = Vec::new();
    let reason = tokio::select! {
        // A signal that came while the broker was assembled: clients are not let in any more.
        biased;
        name = signals.first() => Ok(name),
        failures = stopper.all_offline() => {
            let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
            Err(anyhow::anyhow!("every log directory is offline: {}", failures.join("; ")))
        }
        // Never ends well.
        failure = serve_clients(&broker, listeners, &mut accepting, |config| {
            announce(config, began, ready_file.as_deref(), &addresses)
        }) => Err(failure),
    };
    let stopping = Instant::now();
    match &reason {
        Ok(name) => log::info!("{name}: stopping"),
        Err(e) => log::error!("{e:#}: stopping"),
    }
    if let Some(file) = &ready_file {
        file.remove();
    }
    if reason.is_ok() {
        broker.hand_over().await;
    }
    broker.controller.leave();
    for task in &accepting {
        task.abort();
    }
    // Members that wait for others are told at once, so that their requests end.
    broker.groups.stop();
    drain(&broker.connections).await;
    let stopped = stopper.stop().await;
    if stopped.is_ok() {
        log::info!("stopped in {} ms", stopping.elapsed().as_millis());
    }
    reason.map(drop).and(stopped)
}

/// Assembles the broker; `None` when a signal came before its logs were open.
async fn assemble_unless_stopped(
    config: Arc<BrokerConfig>,
    ready_file: Option<Arc<ReadyFile>>,
    signals: &mut Signals,
) -> anyhow::Result<Option<Assembled>> {
    let cancelled = Arc::new(AtomicBool::new(false));
    // Recovery takes as long as the disk needs to read; signals are noticed meanwhile.
    let mut assembling = tokio::task::spawn_blocking({
        let (runtime, cancelled) = (Handle::current(), cancelled.clone());
        move || runtime.block_on(assembly::assemble(config, ready_file.as_deref(), &cancelled))
    });
    let assembled = tokio::select! {
        assembled = &mut assembling => assembled,
        name = signals.first() => {
            log::info!("{name}: stopping as soon as the logs that are being opened are open; a second signal ends it at once");
            cancelled.store(true, Ordering::Relaxed);
            assembling.await
        }
    };
    match assembled.context("assembling the broker")? {
        Err(e) if matches!(e.downcast_ref(), Some(LogsError::Cancelled)) => {
            log::info!("{e}");
            Ok(None)
        }
        assembled => assembled.map(Some),
    }
}

/// Lets clients in, says so, and goes on until something about that fails.
async fn serve_clients(
    broker: &Arc<Broker>,
    listeners: Vec<BoundListener>,
    accepting: &mut Vec<JoinHandle<()>>,
    announce: impl FnOnce(&BrokerConfig) -> anyhow::Result<()>,
) -> anyhow::Error {
    match accept(broker, listeners, accepting).and_then(|()| announce(&broker.config)) {
        Ok(()) => std::future::pending().await,
        Err(e) => e,
    }
}

/// Sockets' send buffer where `socket.send.buffer.bytes` is not set; the kernel doubles it. Measured on loopback, fetches of 1 MiB
/// from one partition and from six: with half of it they cost a tenth to a fifth more CPU, with Kafka's 100 KiB a fifth to a third,
/// and with twice as much nothing is gained.
const SEND_BUFFER_BYTES: usize = 512 * 1024;

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
pub(crate) fn limits(config: &BrokerConfig, open_files: OpenFileLimit) -> anyhow::Result<Limits> {
    let count = |n: i32| usize::try_from(n).unwrap_or(0);
    Ok(Limits {
        protected_listener: (config.listeners.len() > 1).then(|| config.inter_broker_listener_name.clone()),
        max_connections: count(config.max_connections).min(open_files.connections()),
        max_connections_per_ip: count(config.max_connections_per_ip),
        max_connections_per_ip_overrides: overrides_by_address(&config.max_connections_per_ip_overrides)?,
        max_idle: u64::try_from(config.connections_max_idle_ms)
            .ok()
            .map(Duration::from_millis),
        answer_memory_bytes: network::ANSWER_MEMORY_BYTES,
    })
}

/// By address, as connections come; a host that does not resolve would have no limit of its own, so the broker does not start with
/// it. Kafka's `ConnectionQuotas` fails there, too.
fn overrides_by_address(overrides: &BTreeMap<String, i32>) -> anyhow::Result<HashMap<IpAddr, usize>> {
    let mut by_address = HashMap::new();
    for (host, limit) in overrides {
        let addresses = (host.as_str(), 0)
            .to_socket_addrs()
            .with_context(|| format!("max.connections.per.ip.overrides={host}:{limit}: the host does not resolve"))?;
        let limit = usize::try_from(*limit).unwrap_or(0);
        by_address.extend(addresses.map(|address| (address.ip().to_canonical(), limit)));
    }
    Ok(by_address)
}

fn accept(broker: &Arc<Broker>, listeners: Vec<BoundListener>, tasks: &mut Vec<JoinHandle<()>>) -> anyhow::Result<()> {
    let config = &broker.config;
    let max_frame_bytes = usize::try_from(config.socket_request_max_bytes).unwrap_or(0);
    let memory_bytes = usize::try_from(config.queued_max_request_bytes).unwrap_or(DEFAULT_REQUEST_MEMORY_BYTES);
    let memory = RequestMemory::new(memory_bytes, max_frame_bytes);
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
    Ok(())
}

/// Says that the broker serves: one line, and the ready file.
fn announce(
    config: &BrokerConfig,
    began: Instant,
    ready_file: Option<&ReadyFile>,
    addresses: &[SocketAddr],
) -> anyhow::Result<()> {
    let addresses: Vec<String> = addresses.iter().map(reachable).collect();
    let log_dirs: Vec<String> = config.log_dirs.iter().map(|dir| dir.display().to_string()).collect();
    let mut stdout = std::io::stdout().lock();
    let said = writeln!(
        stdout,
        "sordini serves {}, data in {}, started in {} ms",
        addresses.join(","),
        log_dirs.join(","),
        began.elapsed().as_millis(),
    );
    // Nobody need listen, and clients are served all the same.
    if let Err(e) = said.and_then(|()| stdout.flush()) {
        log::error!("the line that says where the broker serves could not be written to stdout: {e}");
    }
    match ready_file {
        Some(file) => file
            .write(&format!("{}\n", addresses.join(",")))
            .context("writing the ready file"),
        None => Ok(()),
    }
}

/// An address that a client on this machine can use.
fn reachable(address: &SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
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
