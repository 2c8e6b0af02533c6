//! All open connections: limits at accept, deadlines while they live.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::wire::Utf8Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::answer_memory::AnswerMemory;

/// Who holds answers and takes less than [`TAKEN_BYTES`] of them in this time is closed when their memory is short. Requests
/// of others may have to wait that long, and their clients give up after 30 s. Shorter would be unjust: the kernel takes our
/// bytes in pieces of a third of its buffer (up to 4 MiB), which last a reader at 1 Mbit/s for 10 s.
pub const TAKEN_WITHIN: Duration = Duration::from_secs(20);
/// See [`TAKEN_WITHIN`]; less than one such piece.
pub const TAKEN_BYTES: usize = 640 * 1024;

/// What Kafka limits about connections.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The listener that brokers use among each other, where clients have others: `max.connections` does not shut it (KIP-402).
    pub protected_listener: Option<String>,
    /// `max.connections`, or fewer where the process may not open so many files.
    pub max_connections: usize,
    /// `max.connections.per.ip`.
    pub max_connections_per_ip: usize,
    /// `max.connections.per.ip.overrides`, resolved.
    pub max_connections_per_ip_overrides: HashMap<IpAddr, usize>,
    /// `connections.max.idle.ms`; a connection that completes no request for that long is closed.
    pub max_idle: Option<Duration>,
    /// What the answers of all connections may hold in memory; Kafka has no key for it.
    pub answer_memory_bytes: usize,
}

/// Name and version that a client gave in ApiVersions v3 or later (KIP-511).
#[derive(Debug, Clone)]
pub struct ClientSoftware {
    /// `client_software_name`
    pub name: Utf8Bytes,
    /// `client_software_version`
    pub version: Utf8Bytes,
}

/// What is known about one connection for as long as it lives.
pub struct ConnectionState {
    id: u64,
    /// The client's address. Log lines name it without the port: lines that are alike are counted, not repeated.
    pub peer: SocketAddr,
    /// Our side's address: what a client is told when no listener is advertised.
    pub local: SocketAddr,
    /// The name of the listener that accepted it.
    pub listener: Arc<str>,
    /// Set by ApiVersions.
    pub software: Mutex<Option<ClientSoftware>>,
    last_request_ms: AtomicU64,
    waiting: AtomicBool,
    /// Set when the broker stops: what has begun is finished first.
    finishing: AtomicBool,
    close: Notify,
    /// The memory of all answers.
    pub(super) answers: Arc<AnswerMemory>,
    answer_bytes: AtomicUsize,
    /// When the client last took enough of its answers, or there were none.
    taken_ms: AtomicU64,
    started: Instant,
}

impl ConnectionState {
    /// What the answers of this connection hold in memory.
    pub fn answer_bytes(&self) -> usize {
        self.answer_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn note_held(&self, bytes: usize) {
        if self.answer_bytes.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.note_taken();
        }
    }

    pub(super) fn note_released(&self, bytes: usize) {
        self.answer_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The client took enough of its answers.
    pub(super) fn note_taken(&self) {
        self.taken_ms.store(ms_since(self.started), Ordering::Relaxed);
    }

    /// Resolves when the connection is to be closed from outside.
    pub async fn closed(&self) {
        self.close.notified().await;
    }

    /// Whether [`ConnectionState::closed`] leaves time to finish what has begun.
    pub fn is_finishing(&self) -> bool {
        self.finishing.load(Ordering::Acquire)
    }

    /// Client software for a log line.
    pub fn software_line(&self) -> String {
        match &*self.software.lock() {
            Some(s) => format!("{} {}", &*s.name, &*s.version),
            None => "unknown".to_string(),
        }
    }
}

struct Open {
    all: HashMap<u64, Arc<ConnectionState>>,
    per_ip: HashMap<IpAddr, usize>,
    next_id: u64,
}

/// The registry.
pub struct Connections {
    limits: Limits,
    started: Instant,
    open: Mutex<Open>,
    none_left: Notify,
    answers: Arc<AnswerMemory>,
}

/// Why a connection was refused at accept.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// `max.connections` is reached.
    #[error("{limit} connections are open already (max.connections, or half of the files that may be open)")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// `max.connections.per.ip` is reached.
    #[error("{ip} has {limit} connections open already (max.connections.per.ip)")]
    TooManyFromAddress {
        /// The client's address.
        ip: IpAddr,
        /// The limit.
        limit: usize,
    },
}

impl Connections {
    /// An empty registry.
    pub fn new(limits: Limits) -> Arc<Self> {
        let open = Open {
            all: HashMap::new(),
            per_ip: HashMap::new(),
            next_id: 0,
        };
        Arc::new(Self {
            answers: AnswerMemory::new(limits.answer_memory_bytes),
            limits,
            started: Instant::now(),
            open: Mutex::new(open),
            none_left: Notify::new(),
        })
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.lock().all.len()
    }

    /// True when none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Admits a new connection or says which limit forbids it. The guard takes it out again when dropped.
    pub fn admit(
        self: &Arc<Self>,
        listener: &Arc<str>,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Result<Admitted, Refused> {
        let ip = peer.ip().to_canonical();
        let mut open = self.open.lock();
        let is_protected = self.limits.protected_listener.as_deref() == Some(&**listener);
        if !is_protected && open.all.len() >= self.limits.max_connections {
            return Err(Refused::TooMany {
                limit: self.limits.max_connections,
            });
        }
        let limit = *self
            .limits
            .max_connections_per_ip_overrides
            .get(&ip)
            .unwrap_or(&self.limits.max_connections_per_ip);
        if open.per_ip.get(&ip).is_some_and(|from_here| *from_here >= limit) || limit == 0 {
            return Err(Refused::TooManyFromAddress { ip, limit });
        }
        *open.per_ip.entry(ip).or_insert(0) += 1;
        let id = open.next_id;
        open.next_id += 1;
        let state = Arc::new(ConnectionState {
            id,
            listener: listener.clone(),
            peer: SocketAddr::new(ip, peer.port()),
            local: SocketAddr::new(local.ip().to_canonical(), local.port()),
            software: Mutex::new(None),
            last_request_ms: AtomicU64::new(self.now_ms()),
            waiting: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
            close: Notify::new(),
            answers: self.answers.clone(),
            answer_bytes: AtomicUsize::new(0),
            taken_ms: AtomicU64::new(0),
            started: self.started,
        });
        open.all.insert(id, state.clone());
        Ok(Admitted {
            state,
            connections: self.clone(),
        })
    }

    fn now_ms(&self) -> u64 {
        ms_since(self.started)
    }

    /// The memory of all answers.
    pub fn answers(&self) -> &AnswerMemory {
        &self.answers
    }

    /// Closes whoever holds answers and does not take them, while others wait for that memory. Called every second.
    pub fn close_slow_readers(&self) {
        if !self.answers.is_short() {
            return;
        }
        let now = self.now_ms();
        let within = u64::try_from(TAKEN_WITHIN.as_millis()).unwrap_or(u64::MAX);
        for state in self.open.lock().all.values() {
            let since = now.saturating_sub(state.taken_ms.load(Ordering::Relaxed));
            if state.answer_bytes() > 0 && since > within {
                log::warn!(
                    client:% = state.peer.ip();
                    "closing the connection of {} ({}): it does not take its answers, and others wait for their memory",
                    state.peer.ip(),
                    state.software_line()
                );
                state.close.notify_one();
            }
        }
    }

    /// How often [`Connections::close_slow_readers`] should run.
    pub const SLOW_READERS_CHECK: Duration = Duration::from_secs(1);

    /// Closes what has completed no request within the limit and waits for no answer. Called every few seconds.
    pub fn close_idle(&self) {
        let Some(max_idle) = self.limits.max_idle else { return };
        let now = self.now_ms();
        let max_idle = u64::try_from(max_idle.as_millis()).unwrap_or(u64::MAX);
        for state in self.open.lock().all.values() {
            let idle = now.saturating_sub(state.last_request_ms.load(Ordering::Relaxed));
            if idle > max_idle && !state.waiting.load(Ordering::Relaxed) {
                log::debug!("closing the connection of {}: no request for {} ms", state.peer, idle);
                state.close.notify_one();
            }
        }
    }

    /// How often [`Connections::close_idle`] should run.
    pub fn sweep_interval(&self) -> Option<Duration> {
        self.limits
            .max_idle
            .map(|idle| (idle / 8).clamp(Duration::from_millis(100), Duration::from_secs(10)))
    }

    /// Asks every connection to finish what it has begun and to close.
    pub fn finish_all(&self) {
        for state in self.open.lock().all.values() {
            state.finishing.store(true, Ordering::Release);
            state.close.notify_one();
        }
    }

    /// Resolves when no connection is open any more.
    pub async fn wait_for_none(&self) {
        loop {
            let none_left = self.none_left.notified();
            if self.is_empty() {
                return;
            }
            none_left.await;
        }
    }
}

fn ms_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// One admitted connection; leaves the registry when dropped.
pub struct Admitted {
    /// Shared with the requests of the connection.
    pub state: Arc<ConnectionState>,
    connections: Arc<Connections>,
}

impl Admitted {
    /// A request was read or answered: the idle time starts anew. `waiting` is true while a request of ours is in flight, so
    /// that a client that waits for us is not taken for idle.
    pub fn touch(&self, waiting: bool) {
        self.state
            .last_request_ms
            .store(self.connections.now_ms(), Ordering::Relaxed);
        self.state.waiting.store(waiting, Ordering::Relaxed);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.all.remove(&self.state.id);
        let ip = self.state.peer.ip();
        if let Some(count) = open.per_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                open.per_ip.remove(&ip);
            }
        }
        if open.all.is_empty() {
            self.connections.none_left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            protected_listener: None,
            max_connections: 3,
            max_connections_per_ip: 2,
            max_connections_per_ip_overrides: HashMap::new(),
            max_idle: Some(Duration::from_millis(1)),
            answer_memory_bytes: 1024,
        }
    }

    fn admit(connections: &Arc<Connections>, last: u8) -> Result<Admitted, Refused> {
        connections.admit(&Arc::from("PLAINTEXT"), address(last), address(9))
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 40_000))
    }

    #[test]
    fn the_limits_hold_and_a_closed_connection_makes_room() {
        let connections = Connections::new(limits());
        let one = admit(&connections, 1).expect("room");
        let _two = admit(&connections, 1).expect("room");
        assert_eq!(
            admit(&connections, 1).err(),
            Some(Refused::TooManyFromAddress {
                ip: address(1).ip(),
                limit: 2
            })
        );
        let _three = admit(&connections, 2).expect("room");
        assert_eq!(admit(&connections, 3).err(), Some(Refused::TooMany { limit: 3 }));
        drop(one);
        assert!(admit(&connections, 1).is_ok());
    }

    #[test]
    fn brokers_come_in_where_clients_do_not() {
        let limits = Limits {
            protected_listener: Some("INSIDE".to_owned()),
            ..limits()
        };
        let connections = Connections::new(limits);
        let _all: Vec<_> = (1..=3).map(|last| admit(&connections, last).expect("room")).collect();
        assert_eq!(admit(&connections, 4).err(), Some(Refused::TooMany { limit: 3 }));
        let inside = connections.admit(&Arc::from("INSIDE"), address(4), address(9));
        assert!(inside.is_ok(), "{:?}", inside.err());
    }

    #[test]
    fn an_override_replaces_the_limit_of_its_address() {
        let mut limits = limits();
        limits.max_connections_per_ip_overrides.insert(address(7).ip(), 0);
        let connections = Connections::new(limits);
        assert!(admit(&connections, 7).is_err());
        assert!(admit(&connections, 8).is_ok());
    }
}
