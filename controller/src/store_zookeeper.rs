//! The znode tree in a ZooKeeper ensemble: [`Store`] over one session of the `zookeeper-client` crate.
//!
//! A thread of its own keeps the session alive, so that no log and no handler can delay its heartbeats. What is asked while the
//! connection is away is sent when it is back. What was under way when the connection broke is asked again where it only
//! reads; of a write nobody knows then whether it happened, and [`StoreError::Unknown`] says so: whoever gets that reads what
//! is there before going on. A session that has ended does not come back; the store says [`StoreError::SessionEnded`] from
//! then on, and a new one is needed.

mod translate;

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use zookeeper_client as zk;

use crate::store::{BoxFuture, Op, OpResult, Stat, Store, StoreError, WatchEvent, WatchKind, Watcher, Znode};
use translate::{create_mode, error, error_of, expected, is_uncertain, of_one, result, session_id, sorted, stat};

/// How to reach an ensemble, as Kafka's `zookeeper.*` keys say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// `zookeeper.connect`: `host:port`, several separated by commas, and perhaps a path below which everything lies.
    pub connect: String,
    /// `zookeeper.session.timeout.ms`
    pub session_timeout: Duration,
    /// `zookeeper.connection.timeout.ms`: how long the first connection may take.
    pub connection_timeout: Duration,
    /// `zookeeper.set.acl`: whether only who has created a znode may change it.
    pub set_acl: bool,
    /// `zookeeper.max.in.flight.requests`, at least 1: reads of one [`Store::get_many`] that are under way at once.
    pub max_in_flight_requests: usize,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No server answered in time.
    #[error(
        "no ZooKeeper server of zookeeper.connect {connect} has answered within {} ms (zookeeper.connection.timeout.ms): {reason}",
        timeout.as_millis()
    )]
    Unreachable {
        /// Who was asked.
        connect: String,
        /// How long.
        timeout: Duration,
        /// What the last one said.
        reason: String,
    },
    /// A server answered, and refused.
    #[error("zookeeper.connect {connect}: {reason}")]
    Refused {
        /// Who was asked.
        connect: String,
        /// What it said.
        reason: String,
    },
    /// The path of `zookeeper.connect` is not there and cannot be made.
    #[error("the path {path} of zookeeper.connect cannot be created: {reason}")]
    Chroot {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
    /// There is no ensemble to open another session with.
    #[error("the metadata store has one session only, and it is over")]
    Over,
    /// No thread could be started.
    #[error("no thread for the ZooKeeper session: {reason}")]
    Thread {
        /// Why.
        reason: String,
    },
}

/// Half of what a server takes as one request by default (`jute.maxbuffer`, 1 MiB less a byte): sizes are estimated.
const MAX_MULTI_BYTES: usize = 512 * 1024;

/// Between two attempts to reach a server.
const PAUSE: Duration = Duration::from_millis(100);

enum Command {
    Get(String, Reply<Znode>),
    GetMany(Vec<String>, Reply<Vec<Option<Znode>>>),
    Exists(String, Reply<Option<Stat>>),
    Children(String, Reply<Vec<String>>),
    GetAndWatch(String, Reply<(Bytes, Stat, Watcher)>),
    ExistsAndWatch(String, Reply<(Option<Stat>, Watcher)>),
    ChildrenAndWatch(String, Reply<(Vec<String>, Watcher)>),
    Multi(Vec<Op>, Reply<Vec<OpResult>>),
    Sync(Reply<()>),
    Close(Reply<()>),
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A [`Store`] in an ensemble. [`Store::close`] ends the session at once; a store that is only dropped leaves it to the servers.
pub struct ZookeeperStore {
    commands: mpsc::UnboundedSender<Command>,
    session_id: i64,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl ZookeeperStore {
    /// Opens a session, and creates the path of `zookeeper.connect` if there is one and it is not there.
    ///
    /// # Errors
    /// Where no server answers in time, or the path cannot be made.
    pub async fn connect(ensemble: Ensemble) -> Result<Self, ConnectError> {
        let (connected, session) = oneshot::channel();
        let (commands, receiver) = mpsc::unbounded_channel();
        let failed = |reason: String| ConnectError::Thread { reason };
        let thread = std::thread::Builder::new()
            .name("zookeeper".to_owned())
            .spawn(move || {
                let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(connected.send(Err(failed(error.to_string())))),
                };
                runtime.block_on(run(ensemble, connected, receiver));
            })
            .map_err(|error| failed(error.to_string()))?;
        let session_id = session
            .await
            .unwrap_or_else(|_| Err(failed("it ended while connecting".to_owned())))?;
        Ok(Self {
            commands,
            session_id,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    /// Sends at once, so that the order of calls is the order of their effects, whenever their futures are polled.
    fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).is_ok();
        Box::pin(async move {
            match sent {
                true => answer.await.unwrap_or(Err(StoreError::Closed)),
                false => Err(StoreError::Closed),
            }
        })
    }
}

impl Store for ZookeeperStore {
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Znode, StoreError>> {
        self.ask(|reply| Command::Get(path.to_owned(), reply))
    }

    fn get_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Bytes, Stat, Watcher), StoreError>> {
        self.ask(|reply| Command::GetAndWatch(path.to_owned(), reply))
    }

    fn get_many(&self, paths: Vec<String>) -> BoxFuture<'static, Result<Vec<Option<Znode>>, StoreError>> {
        self.ask(|reply| Command::GetMany(paths, reply))
    }

    fn exists(&self, path: &str) -> BoxFuture<'static, Result<Option<Stat>, StoreError>> {
        self.ask(|reply| Command::Exists(path.to_owned(), reply))
    }

    fn exists_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Option<Stat>, Watcher), StoreError>> {
        self.ask(|reply| Command::ExistsAndWatch(path.to_owned(), reply))
    }

    fn children(&self, path: &str) -> BoxFuture<'static, Result<Vec<String>, StoreError>> {
        self.ask(|reply| Command::Children(path.to_owned(), reply))
    }

    fn children_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Vec<String>, Watcher), StoreError>> {
        self.ask(|reply| Command::ChildrenAndWatch(path.to_owned(), reply))
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<Vec<OpResult>, StoreError>> {
        self.ask(|reply| Command::Multi(ops, reply))
    }

    fn sync(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.ask(Command::Sync)
    }

    fn max_multi_bytes(&self) -> usize {
        MAX_MULTI_BYTES
    }

    fn session_id(&self) -> i64 {
        self.session_id
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        let closed = self.ask(Command::Close);
        let thread = self.thread.clone();
        Box::pin(async move {
            let closed = closed.await;
            let thread = thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
            // Nothing is left for it to do; a panic of it has answered its callers with `Closed` already.
            drop(thread.map(JoinHandle::join));
            closed
        })
    }
}

async fn run(
    ensemble: Ensemble,
    connected: oneshot::Sender<Result<i64, ConnectError>>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let session = match Session::open(&ensemble).await {
        Ok(session) => Arc::new(session),
        Err(error) => return drop(connected.send(Err(error))),
    };
    if connected.send(Ok(session_id(&session.client))).is_err() {
        return;
    }
    while let Some(command) = commands.recv().await {
        match command {
            Command::Close(reply) => {
                // What came before has been sent; what comes later finds nobody.
                commands.close();
                let mut state = session.client.state_watcher();
                drop(session);
                while !state.peek_state().is_terminated() {
                    state.changed().await;
                }
                return drop(reply.send(Ok(())));
            }
            // In the order of this queue: a task of this thread first runs in the order in which it was spawned.
            command => drop(tokio::spawn(session.clone().carry_out(command))),
        }
    }
}

struct Session {
    client: zk::Client,
    set_acl: bool,
    max_in_flight_requests: usize,
}

impl Session {
    async fn open(ensemble: &Ensemble) -> Result<Self, ConnectError> {
        let (servers, chroot) = match ensemble.connect.find('/') {
            Some(at) => ensemble.connect.split_at(at),
            None => (ensemble.connect.as_str(), "/"),
        };
        let client = connect(ensemble, servers).await?;
        let mut session = Self {
            client,
            set_acl: ensemble.set_acl,
            max_in_flight_requests: ensemble.max_in_flight_requests,
        };
        let chroot = chroot.trim_end_matches('/');
        if !chroot.is_empty() {
            session.go_below(chroot).await.map_err(|error| ConnectError::Chroot {
                path: chroot.to_owned(),
                reason: error.to_string(),
            })?;
        }
        Ok(session)
    }

    /// Has everything lie below a path, which is made if need be. Who may not make it can use one that is there.
    async fn go_below(&mut self, chroot: &str) -> Result<(), zk::Error> {
        let options = zk::CreateMode::Persistent.with_acls(acls(self.set_acl, "/"));
        while again(|| self.client.check_stat(chroot)).await?.is_none() {
            match self.client.mkdir(chroot, &options).await {
                Err(error) if is_uncertain(&error) => {}
                made => made?,
            }
        }
        match self.client.clone().chroot(chroot.to_owned()) {
            Ok(client) => self.client = client,
            Err(_) => return Err(zk::Error::BadArguments(&"not a path")),
        }
        Ok(())
    }

    async fn carry_out(self: Arc<Self>, command: Command) {
        match command {
            Command::Get(path, reply) => give(reply, self.get(&path).await),
            Command::GetMany(paths, reply) => give(reply, self.get_many(paths).await),
            Command::Exists(path, reply) => {
                let found = again(|| self.client.check_stat(&path)).await;
                give(reply, found.map(|found| found.map(stat)).map_err(|e| error(&path, e)));
            }
            Command::Children(path, reply) => {
                let found = again(|| self.client.list_children(&path)).await;
                give(reply, found.map(sorted).map_err(|e| error(&path, e)));
            }
            Command::GetAndWatch(path, reply) => {
                let found = again(|| self.client.get_and_watch_data(&path)).await;
                let found = found.map(|(data, found, watch)| (data.into(), stat(found), watcher(&path, watch)));
                give(reply, found.map_err(|e| error(&path, e)));
            }
            Command::ExistsAndWatch(path, reply) => {
                let found = again(|| self.client.check_and_watch_stat(&path)).await;
                let found = found.map(|(found, watch)| (found.map(stat), watcher(&path, watch)));
                give(reply, found.map_err(|e| error(&path, e)));
            }
            Command::ChildrenAndWatch(path, reply) => {
                let found = again(|| self.client.list_and_watch_children(&path)).await;
                let found = found.map(|(names, watch)| (sorted(names), watcher(&path, watch)));
                give(reply, found.map_err(|e| error(&path, e)));
            }
            Command::Multi(ops, reply) => give(reply, self.multi(&ops).await),
            Command::Sync(reply) => {
                let synced = again(|| self.client.sync("/")).await;
                give(reply, synced.map_err(|e| error("/", e)));
            }
            Command::Close(_) => unreachable!("a close is not carried out beside others"),
        }
    }

    async fn get(&self, path: &str) -> Result<Znode, StoreError> {
        let found = again(|| self.client.get_data(path)).await;
        found
            .map(|(data, found)| (data.into(), stat(found)))
            .map_err(|e| error(path, e))
    }

    async fn get_many(&self, paths: Vec<String>) -> Result<Vec<Option<Znode>>, StoreError> {
        let found = stream::iter(paths).map(|path| async move {
            match self.get(&path).await {
                Ok(znode) => Ok(Some(znode)),
                Err(StoreError::NoNode { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        });
        found.buffered(self.max_in_flight_requests).try_collect().await
    }

    /// One operation goes without a transaction around it, whose answer would not tell the stat of what was created.
    async fn one(&self, op: &Op) -> Result<OpResult, zk::Error> {
        match op {
            Op::Create { path, data, mode } => {
                let options = create_mode(*mode).with_acls(acls(self.set_acl, path));
                let (created, sequence) = self.client.create(path, data, &options).await?;
                let number = mode.is_sequential().then(|| sequence.to_string());
                Ok(OpResult::Created {
                    path: path.clone() + &number.unwrap_or_default(),
                    stat: Some(stat(created)),
                })
            }
            Op::Set { path, data, version } => {
                let set = self.client.set_data(path, data, expected(*version)).await?;
                Ok(OpResult::Set(stat(set)))
            }
            Op::Delete { path, version } => {
                self.client.delete(path, expected(*version)).await?;
                Ok(OpResult::Deleted)
            }
            Op::Check { path, version } => {
                let mut writer = self.client.new_multi_writer();
                writer.add_check_version(path, *version)?;
                writer.commit().await?;
                Ok(OpResult::Checked)
            }
        }
    }

    async fn multi(&self, ops: &[Op]) -> Result<Vec<OpResult>, StoreError> {
        for (index, op) in ops.iter().enumerate() {
            op.check_path().map_err(|error| StoreError::Multi {
                index,
                error: Box::new(error),
            })?;
        }
        if let [op] = ops {
            let result = self.one(op).await;
            return result
                .map(|result| vec![result])
                .map_err(|found| of_one(error_of(Some(op), found)));
        }
        let mut writer = self.client.new_multi_writer();
        for op in ops {
            self.add(&mut writer, op).map_err(|e| error(op.path(), e))?;
        }
        let results = match writer.commit().await {
            Ok(results) => results,
            Err(zk::MultiWriteError::OperationFailed { index, source }) => {
                let error = Box::new(error_of(ops.get(index), source));
                return Err(StoreError::Multi { index, error });
            }
            Err(zk::MultiWriteError::RequestFailed { source }) => {
                return Err(error(ops.first().map_or("/", Op::path), source));
            }
        };
        Ok(results.into_iter().map(result).collect())
    }

    fn add(&self, writer: &mut zk::MultiWriter<'_>, op: &Op) -> Result<(), zk::Error> {
        match op {
            Op::Create { path, data, mode } => {
                writer.add_create(path, data, &create_mode(*mode).with_acls(acls(self.set_acl, path)))
            }
            Op::Set { path, data, version } => writer.add_set_data(path, data, expected(*version)),
            Op::Delete { path, version } => writer.add_delete(path, expected(*version)),
            Op::Check { path, version } => writer.add_check_version(path, *version),
        }
    }
}

/// A session with one of the servers. The crate gives up after the session's timeout; how long the first connection may take is
/// another matter.
async fn connect(ensemble: &Ensemble, servers: &str) -> Result<zk::Client, ConnectError> {
    let failed = |reason: String| ConnectError::Unreachable {
        connect: ensemble.connect.clone(),
        timeout: ensemble.connection_timeout,
        reason,
    };
    // Spaces after commas are allowed, as in Kafka.
    let servers: Vec<&str> = servers.split(',').map(str::trim).collect();
    let servers = servers.join(",");
    let mut reason = "timeout".to_owned();
    let connecting = async {
        loop {
            let connector = zk::Client::connector().with_session_timeout(ensemble.session_timeout);
            match connector.connect(&servers).await {
                Ok(client) => return Ok(client),
                Err(error @ (zk::Error::AuthFailed | zk::Error::BadArguments(_))) => return Err(error),
                Err(error) => reason = error.to_string(),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(ensemble.connection_timeout, connecting).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(ConnectError::Refused {
            connect: ensemble.connect.clone(),
            reason: error.to_string(),
        }),
        Err(_) => Err(failed(reason)),
    }
}

/// As Kafka's `ZkData.defaultAcls`: with `zookeeper.set.acl` the creator alone may change a znode, and everybody may read it unless it
/// holds secrets. `/consumers` belongs to consumers of old, which have no identity.
fn acls(set_acl: bool, path: &str) -> zk::Acls<'static> {
    const CREATOR_ALL_AND_WORLD_READ: &[zk::Acl] = &[
        zk::Acl::new_const(zk::Permission::ALL, "auth", ""),
        zk::Acl::new_const(zk::Permission::READ, "world", "anyone"),
    ];
    match (set_acl && path != "/consumers", is_sensitive(path)) {
        (false, _) => zk::Acls::anyone_all(),
        (true, true) => zk::Acls::creator_all(),
        (true, false) => zk::Acls::new(CREATOR_ALL_AND_WORLD_READ),
    }
}

/// Where Kafka keeps secrets (`ZkData.SensitiveRootPaths`).
fn is_sensitive(path: &str) -> bool {
    let is_below = |root: &&str| {
        let rest = path.strip_prefix(root);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ["/config/users", "/config/brokers", "/delegation_token/tokens"]
        .iter()
        .any(is_below)
}

/// Reads again as often as the connection breaks meanwhile: what is asked while there is none is sent when there is one.
async fn again<T, F: Future<Output = Result<T, zk::Error>>>(read: impl Fn() -> F) -> Result<T, zk::Error> {
    loop {
        match read().await {
            Err(broken) if is_uncertain(&broken) => tokio::time::sleep(Duration::from_millis(10)).await,
            done => return done,
        }
    }
}

/// A watch's event on its way to whoever waits. A task of this thread waits for it, as the crate's own future panics where its
/// session's task is gone; it ends when nobody waits any more.
fn watcher(path: &str, watch: zk::OneshotWatcher) -> Watcher {
    let (mut sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let event = tokio::select! {
            event = watch.changed() => event,
            () = sender.closed() => return,
        };
        let kind = match event.event_type {
            zk::EventType::NodeCreated => WatchKind::Created,
            zk::EventType::NodeDeleted => WatchKind::Deleted,
            zk::EventType::NodeDataChanged => WatchKind::DataChanged,
            zk::EventType::NodeChildrenChanged => WatchKind::ChildrenChanged,
            zk::EventType::Session => WatchKind::SessionEnded,
        };
        // Whoever waited may be gone.
        let _ = sender.send(kind);
    });
    let path = path.to_owned();
    Watcher(Box::pin(async move {
        let kind = receiver.await.unwrap_or(WatchKind::SessionEnded);
        WatchEvent { kind, path }
    }))
}

/// Whoever has stopped waiting does not need the answer.
fn give<T>(reply: Reply<T>, answer: Result<T, StoreError>) {
    drop(reply.send(answer));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what_is_as_kafka_has_it() {
        let kind = |set_acl, path| {
            let acls = acls(set_acl, path);
            match () {
                () if acls == zk::Acls::anyone_all() => "open",
                () if acls == zk::Acls::creator_all() => "creator",
                () => "creator, and everybody reads",
            }
        };
        assert_eq!(kind(false, "/config/users/alice"), "open");
        assert_eq!(kind(true, "/brokers/ids/1"), "creator, and everybody reads");
        for secret in [
            "/config/users",
            "/config/users/alice",
            "/config/brokers/1",
            "/delegation_token/tokens/x",
        ] {
            assert_eq!(kind(true, secret), "creator", "{secret}");
        }
        assert_eq!(kind(true, "/config/usersettings"), "creator, and everybody reads");
        assert_eq!(kind(true, "/consumers"), "open");
    }
}
