//! The znode tree of a broker that stands alone, in one file of an embedded database.
//!
//! One thread owns file and tree. It takes what has been asked so far, applies it in order, makes all of it durable
//! with one commit, and only then answers; so calls that meet share an fsync, and no async worker waits for a disk.
//! A commit that fails is not tried again: from then on every call fails, as what is on disk is no longer known.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use redb::{Database, DatabaseError, ReadOnlyTable, ReadableDatabase, TableDefinition};
use tokio::sync::{mpsc, oneshot};

use crate::store::{
    ANY_VERSION, BoxFuture, Op, OpResult, Stat, Store, StoreError, WatchEvent, WatchKind, WatchMode, WatchStream,
    Watcher, Znode,
};
use crate::znode_tree::{Base, Key, Node, Tree};

/// The file's name inside `metadata.log.dir`.
pub const FILE_NAME: &str = "sordini.metadata";

/// Version of the file's layout; a file with a higher one is refused.
pub const FORMAT_VERSION: u64 = 1;

/// Cache of the database in bytes; what is read often is small, and the tree's readers keep their own state.
const CACHE_BYTES: usize = 1 << 20;

/// Operations that go into one commit at most.
const OPS_PER_COMMIT: usize = 50_000;

const ZNODES: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("znodes");
const EPHEMERALS: TableDefinition<'static, &'static str, ()> = TableDefinition::new("ephemerals");
const NUMBERS: TableDefinition<'static, &'static str, u64> = TableDefinition::new("numbers");

const NUMBER_FORMAT: &str = "format_version";
const NUMBER_ZXID: &str = "zxid";
const NUMBER_SESSION: &str = "session_id";

/// Why the file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A newer Sordini wrote it.
    #[error("{} has format version {found}, but this release reads up to {FORMAT_VERSION}: use a newer release", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// It is damaged, or not a metadata store.
    #[error("{} is damaged or not a metadata store: {reason}", path.display())]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// It cannot be opened, read or written.
    #[error("{} cannot be opened: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        reason: String,
    },
}

enum Read {
    Get(String, oneshot::Sender<Result<Znode, StoreError>>),
    GetMany(Vec<String>, oneshot::Sender<Result<Vec<Option<Znode>>, StoreError>>),
    Exists(String, oneshot::Sender<Result<Option<Stat>, StoreError>>),
    Children(String, oneshot::Sender<Result<Vec<String>, StoreError>>),
    GetAndWatch(String, oneshot::Sender<Result<(Bytes, Stat, Watcher), StoreError>>),
    ExistsAndWatch(String, oneshot::Sender<Result<(Option<Stat>, Watcher), StoreError>>),
    ChildrenAndWatch(String, oneshot::Sender<Result<(Vec<String>, Watcher), StoreError>>),
    Watch(String, WatchMode, oneshot::Sender<Result<WatchStream, StoreError>>),
}

enum Command {
    Read(Read),
    Multi(Vec<Op>, oneshot::Sender<Result<Vec<OpResult>, StoreError>>),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// A [`Store`] in a file. Dropping it waits for what was asked; [`Store::close`] also ends the session.
pub struct EmbeddedStore {
    commands: Option<mpsc::UnboundedSender<Command>>,
    session_id: i64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens or creates [`FILE_NAME`] in `directory`, which must exist. Ephemeral znodes of an earlier process are gone.
    pub fn open(directory: &Path) -> Result<EmbeddedStore, OpenError> {
        let path = directory.join(FILE_NAME);
        let is_new = !path.exists();
        let owner = Owner::open(&path)?;
        if is_new {
            let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
            synced.map_err(|error| OpenError::Io {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        }
        let session_id = owner.session_id;
        let (commands, receiver) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("metadata-store".to_owned())
            .spawn(move || owner.run(receiver))
            .map_err(|error| OpenError::Io {
                path,
                reason: format!("no thread: {error}"),
            })?;
        Ok(EmbeddedStore {
            commands: Some(commands),
            session_id,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Sends at once, so that the order of calls is the order of their effects, whenever their futures are polled.
    fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let sent = self
            .commands
            .as_ref()
            .is_some_and(|commands| commands.send(command(reply)).is_ok());
        Box::pin(async move {
            if sent {
                answer.await.unwrap_or(Err(StoreError::Closed))
            } else {
                Err(StoreError::Closed)
            }
        })
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.commands = None;
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .take();
        if let Some(thread) = thread {
            // A panic of that thread has answered its callers with `Closed` already.
            drop(thread.join());
        }
    }
}

impl Store for EmbeddedStore {
    fn get(&self, path: &str) -> BoxFuture<'_, Result<Znode, StoreError>> {
        self.ask(|reply| Command::Read(Read::Get(path.to_owned(), reply)))
    }

    fn get_and_watch(&self, path: &str) -> BoxFuture<'_, Result<(Bytes, Stat, Watcher), StoreError>> {
        self.ask(|reply| Command::Read(Read::GetAndWatch(path.to_owned(), reply)))
    }

    fn get_many(&self, paths: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<Znode>>, StoreError>> {
        self.ask(|reply| Command::Read(Read::GetMany(paths, reply)))
    }

    fn exists(&self, path: &str) -> BoxFuture<'_, Result<Option<Stat>, StoreError>> {
        self.ask(|reply| Command::Read(Read::Exists(path.to_owned(), reply)))
    }

    fn exists_and_watch(&self, path: &str) -> BoxFuture<'_, Result<(Option<Stat>, Watcher), StoreError>> {
        self.ask(|reply| Command::Read(Read::ExistsAndWatch(path.to_owned(), reply)))
    }

    fn children(&self, path: &str) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        self.ask(|reply| Command::Read(Read::Children(path.to_owned(), reply)))
    }

    fn children_and_watch(&self, path: &str) -> BoxFuture<'_, Result<(Vec<String>, Watcher), StoreError>> {
        self.ask(|reply| Command::Read(Read::ChildrenAndWatch(path.to_owned(), reply)))
    }

    fn watch(&self, path: &str, mode: WatchMode) -> BoxFuture<'_, Result<WatchStream, StoreError>> {
        self.ask(|reply| Command::Read(Read::Watch(path.to_owned(), mode, reply)))
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Vec<OpResult>, StoreError>> {
        self.ask(|reply| Command::Multi(ops, reply))
    }

    fn session_id(&self) -> i64 {
        self.session_id
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.ask(Command::Close)
    }
}

/// An answer that waits for the commit: told whether that succeeded.
type Answer = Box<dyn FnOnce(Option<&StoreError>) + Send>;

/// What the thread owns.
struct Owner {
    // Before the database, so that its snapshot is gone when that closes.
    tree: Tree<Durable>,
    database: Database,
    watches: Watches,
    session_id: i64,
    failed: Option<StoreError>,
}

impl Owner {
    fn open(path: &Path) -> Result<Owner, OpenError> {
        let database = open_database(path)?;
        let corrupted = |error: &dyn std::fmt::Display| OpenError::Corrupted {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let numbers = read_numbers(&database).map_err(|error| corrupted(&error))?;
        let found = numbers.get(NUMBER_FORMAT).copied();
        match found {
            Some(found) if found > FORMAT_VERSION => {
                return Err(OpenError::NewerFormat {
                    path: path.to_owned(),
                    found,
                });
            }
            None if !numbers.is_empty() => return Err(corrupted(&"it has no format version")),
            _ => {}
        }
        let base = Durable::read(&database).map_err(|error| corrupted(&error))?;
        let ephemerals = read_ephemerals(&database).map_err(|error| corrupted(&error))?;
        let zxid = numbers.get(NUMBER_ZXID).copied().unwrap_or(0) as i64;
        let session_id = numbers.get(NUMBER_SESSION).copied().unwrap_or(0) as i64 + 1;
        let tree = Tree::new(base, zxid, ephemerals).map_err(|error| corrupted(&error))?;
        let mut owner = Owner {
            database,
            tree,
            watches: Watches::default(),
            session_id,
            failed: None,
        };
        // Not committed on its own: if the process ends before the first commit, the next one does the same again.
        owner.delete_ephemerals().map_err(|error| corrupted(&error))?;
        Ok(owner)
    }

    fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut closed_by = None;
        while let Some(mut command) = commands.blocking_recv() {
            let mut answers: Vec<Answer> = Vec::new();
            let mut ops = 0;
            loop {
                match command {
                    Command::Read(read) => answers.push(self.read(read)),
                    Command::Multi(multi, reply) => {
                        ops += multi.len();
                        answers.push(self.multi(multi, reply));
                    }
                    Command::Close(reply) => {
                        if let Err(error) = self.delete_ephemerals() {
                            self.failed.get_or_insert(error);
                        }
                        closed_by = Some(reply);
                        break;
                    }
                }
                if ops >= OPS_PER_COMMIT {
                    break;
                }
                match commands.try_recv() {
                    Ok(next) => command = next,
                    Err(_) => break,
                }
            }
            self.commit();
            for answer in answers {
                answer(self.failed.as_ref());
            }
            if closed_by.is_some() {
                break;
            }
        }
        self.watches.end();
        let failed = self.failed.take();
        // The lock on the file goes with the database: whoever asked for the end may open it again.
        drop(self);
        if let Some(reply) = closed_by {
            send(reply, failed.map_or(Ok(()), Err));
        }
    }

    fn multi(&mut self, ops: Vec<Op>, reply: oneshot::Sender<Result<Vec<OpResult>, StoreError>>) -> Answer {
        let result = match &self.failed {
            Some(error) => Err(error.clone()),
            None => self.tree.multi(ops, self.session_id, now_ms()),
        };
        match result {
            Ok((results, events)) => {
                // Before any answer that shows the change: answers wait for the commit.
                events.iter().for_each(|event| self.watches.fire(event));
                answer(reply, Ok(results))
            }
            Err(error) => answer(reply, Err(error)),
        }
    }

    fn read(&mut self, read: Read) -> Answer {
        match read {
            Read::Get(path, reply) => answer(reply, self.get(&path)),
            Read::GetMany(paths, reply) => {
                let get = |path: String| Ok(self.tree.get(&path)?.map(|node| (node.data, node.stat)));
                answer(reply, paths.into_iter().map(get).collect())
            }
            Read::Exists(path, reply) => answer(reply, self.tree.get(&path).map(|node| node.map(|node| node.stat))),
            Read::Children(path, reply) => answer(reply, self.tree.children(&path)),
            Read::GetAndWatch(path, reply) => {
                let result = self
                    .get(&path)
                    .map(|(data, stat)| (data, stat, self.watches.data(path)));
                answer(reply, result)
            }
            Read::ExistsAndWatch(path, reply) => {
                let stat = self.tree.get(&path).map(|node| node.map(|node| node.stat));
                answer(reply, stat.map(|stat| (stat, self.watches.data(path))))
            }
            Read::ChildrenAndWatch(path, reply) => {
                let result = self
                    .tree
                    .children(&path)
                    .map(|names| (names, self.watches.children(path)));
                answer(reply, result)
            }
            Read::Watch(path, mode, reply) => answer(reply, Ok(self.watches.stay(path, mode))),
        }
    }

    fn get(&self, path: &str) -> Result<Znode, StoreError> {
        let node = self
            .tree
            .get(path)?
            .ok_or_else(|| StoreError::NoNode { path: path.to_owned() })?;
        Ok((node.data, node.stat))
    }

    fn delete_ephemerals(&mut self) -> Result<(), StoreError> {
        let ops: Vec<Op> = self
            .tree
            .ephemerals()
            .iter()
            .map(|path| Op::delete(path.as_str(), ANY_VERSION))
            .collect();
        if ops.is_empty() {
            return Ok(());
        }
        let (_, events) = self.tree.multi(ops, self.session_id, now_ms())?;
        events.iter().for_each(|event| self.watches.fire(event));
        Ok(())
    }

    fn commit(&mut self) {
        if self.failed.is_some() || self.tree.changes().is_empty() {
            return;
        }
        match self.write().and_then(|()| Durable::read(&self.database)) {
            Ok(base) => self.tree.committed(base),
            Err(error) => {
                self.failed = Some(StoreError::Failed {
                    reason: error.to_string(),
                })
            }
        }
    }

    fn write(&mut self) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut znodes = transaction.open_table(ZNODES)?;
            let mut ephemerals = transaction.open_table(EPHEMERALS)?;
            for (key, node) in self.tree.changes() {
                match node {
                    Some(node) => {
                        znodes.insert(key.0.as_slice(), encode(node).as_slice())?;
                        if node.stat.ephemeral_owner != 0 {
                            ephemerals.insert(key.path(), ())?;
                        }
                    }
                    None => {
                        znodes.remove(key.0.as_slice())?;
                        ephemerals.remove(key.path())?;
                    }
                }
            }
            let mut numbers = transaction.open_table(NUMBERS)?;
            numbers.insert(NUMBER_FORMAT, FORMAT_VERSION)?;
            numbers.insert(NUMBER_ZXID, self.tree.zxid() as u64)?;
            numbers.insert(NUMBER_SESSION, self.session_id as u64)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn open_database(path: &Path) -> Result<Database, OpenError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    // A damaged file can make the database panic instead of fail, so that is caught as well.
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builder.create(path)));
    let path = path.to_owned();
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(OpenError::Locked { path }),
        Ok(Err(DatabaseError::Storage(redb::StorageError::Io(error)))) => match error.kind() {
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => Err(OpenError::Corrupted {
                path,
                reason: error.to_string(),
            }),
            _ => Err(OpenError::Io {
                path,
                reason: error.to_string(),
            }),
        },
        Ok(Err(error)) => Err(OpenError::Corrupted {
            path,
            reason: error.to_string(),
        }),
        Err(_) => Err(OpenError::Corrupted {
            path,
            reason: "its pages contradict each other".to_owned(),
        }),
    }
}

fn read_numbers(database: &Database) -> Result<HashMap<String, u64>, redb::Error> {
    use redb::ReadableTable;
    let Some(table) = existing(database.begin_read()?.open_table(NUMBERS))? else {
        return Ok(HashMap::new());
    };
    let mut numbers = HashMap::new();
    for entry in table.iter()? {
        let (name, number) = entry?;
        numbers.insert(name.value().to_owned(), number.value());
    }
    Ok(numbers)
}

fn read_ephemerals(database: &Database) -> Result<BTreeSet<String>, redb::Error> {
    use redb::ReadableTable;
    let Some(table) = existing(database.begin_read()?.open_table(EPHEMERALS))? else {
        return Ok(BTreeSet::new());
    };
    let mut paths = BTreeSet::new();
    for entry in table.iter()? {
        paths.insert(entry?.0.value().to_owned());
    }
    Ok(paths)
}

/// A new file has no tables before its first commit.
fn existing<T>(table: Result<T, redb::TableError>) -> Result<Option<T>, redb::Error> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The last committed state of the file.
struct Durable {
    znodes: Option<ReadOnlyTable<&'static [u8], &'static [u8]>>,
}

impl Durable {
    fn read(database: &Database) -> Result<Durable, redb::Error> {
        Ok(Durable {
            znodes: existing(database.begin_read()?.open_table(ZNODES))?,
        })
    }
}

fn failed(error: redb::StorageError) -> StoreError {
    StoreError::Failed {
        reason: error.to_string(),
    }
}

impl Base for Durable {
    fn node(&self, key: &Key) -> Result<Option<Node>, StoreError> {
        let Some(znodes) = &self.znodes else { return Ok(None) };
        let value = znodes.get(key.0.as_slice()).map_err(failed)?;
        value.map(|value| decode(key, value.value())).transpose()
    }

    fn keys(&self, first: &Key, end: &Key) -> Result<Vec<Key>, StoreError> {
        let Some(znodes) = &self.znodes else {
            return Ok(Vec::new());
        };
        let range = znodes
            .range::<&[u8]>(first.0.as_slice()..end.0.as_slice())
            .map_err(failed)?;
        range
            .map(|entry| entry.map(|(key, _)| Key(key.value().to_vec())).map_err(failed))
            .collect()
    }
}

const STAT_BYTES: usize = 60;

/// Stat and data: six numbers of 8 bytes, three of 4, big-endian, then the data.
fn encode(node: &Node) -> Vec<u8> {
    let stat = &node.stat;
    let mut bytes = Vec::with_capacity(STAT_BYTES + node.data.len());
    for number in [
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        stat.ctime_ms,
        stat.mtime_ms,
        stat.ephemeral_owner,
    ] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    for number in [stat.version, stat.cversion, stat.num_children] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&node.data);
    bytes
}

fn decode(key: &Key, bytes: &[u8]) -> Result<Node, StoreError> {
    let Some((head, data)) = bytes.split_at_checked(STAT_BYTES) else {
        let reason = format!(
            "the entry of {} has {} bytes, fewer than {STAT_BYTES}",
            key.path(),
            bytes.len()
        );
        return Err(StoreError::Failed { reason });
    };
    let long = |index: usize| i64::from_be_bytes(head[index * 8..index * 8 + 8].try_into().expect("8 bytes"));
    let int = |index: usize| i32::from_be_bytes(head[48 + index * 4..52 + index * 4].try_into().expect("4 bytes"));
    let stat = Stat {
        czxid: long(0),
        mzxid: long(1),
        pzxid: long(2),
        ctime_ms: long(3),
        mtime_ms: long(4),
        ephemeral_owner: long(5),
        version: int(0),
        cversion: int(1),
        num_children: int(2),
        data_length: data.len() as i32,
    };
    Ok(Node {
        data: Bytes::copy_from_slice(data),
        stat,
    })
}

fn now_ms() -> i64 {
    // A clock before 1970 has nothing better to say than 0.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

fn answer<T: Send + 'static>(reply: oneshot::Sender<Result<T, StoreError>>, result: Result<T, StoreError>) -> Answer {
    Box::new(move |failed| match failed {
        Some(error) => send(reply, Err(error.clone())),
        None => send(reply, result),
    })
}

/// Whoever no longer waits does not need the answer.
fn send<T>(reply: oneshot::Sender<T>, value: T) {
    drop(reply.send(value));
}

#[derive(Default)]
struct Watches {
    data: HashMap<String, Vec<oneshot::Sender<WatchEvent>>>,
    children: HashMap<String, Vec<oneshot::Sender<WatchEvent>>>,
    staying: Vec<(String, WatchMode, mpsc::UnboundedSender<WatchEvent>)>,
}

impl Watches {
    fn data(&mut self, path: String) -> Watcher {
        watcher(self.data.entry(path.clone()).or_default(), path)
    }

    fn children(&mut self, path: String) -> Watcher {
        watcher(self.children.entry(path.clone()).or_default(), path)
    }

    fn stay(&mut self, path: String, mode: WatchMode) -> WatchStream {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.staying.push((path, mode, sender));
        WatchStream(receiver)
    }

    fn fire(&mut self, event: &WatchEvent) {
        let once = match event.kind {
            WatchKind::ChildrenChanged => [self.children.remove(&event.path), None],
            WatchKind::Deleted => [self.data.remove(&event.path), self.children.remove(&event.path)],
            _ => [self.data.remove(&event.path), None],
        };
        for sender in once.into_iter().flatten().flatten() {
            send(sender, event.clone());
        }
        self.staying.retain(|(path, mode, sender)| {
            let concerns = match mode {
                WatchMode::Persistent => event.path == *path,
                WatchMode::PersistentRecursive => {
                    event.kind != WatchKind::ChildrenChanged && is_at_or_below(&event.path, path)
                }
            };
            if concerns {
                sender.send(event.clone()).is_ok()
            } else {
                !sender.is_closed()
            }
        });
    }

    fn end(&mut self) {
        for (path, senders) in self.data.drain().chain(self.children.drain()) {
            for sender in senders {
                send(
                    sender,
                    WatchEvent {
                        kind: WatchKind::SessionEnded,
                        path: path.clone(),
                    },
                );
            }
        }
        self.staying.clear();
    }
}

fn watcher(senders: &mut Vec<oneshot::Sender<WatchEvent>>, path: String) -> Watcher {
    let (sender, receiver) = oneshot::channel();
    senders.retain(|sender| !sender.is_closed());
    senders.push(sender);
    let ended = WatchEvent {
        kind: WatchKind::SessionEnded,
        path,
    };
    Watcher(Box::pin(async move { receiver.await.unwrap_or(ended) }))
}

fn is_at_or_below(path: &str, root: &str) -> bool {
    root == "/"
        || path
            .strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
