//! The znode tree of a broker that stands alone, in one file of an embedded database.
//!
//! One thread owns file and tree. It takes what has been asked so far, applies it in order, makes all of it durable
//! with one commit, and only then answers; so calls that meet share an fsync, and no async worker waits for a disk.
//! A commit that fails is not tried again: from then on every call fails, as what is on disk is no longer known.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::metadata_file::{Durable, MetadataFile};
pub use crate::metadata_file::{FILE_NAME, FORMAT_VERSION, OpenError};
use crate::store::{ANY_VERSION, BoxFuture, Op, OpResult, Stat, Store, StoreError, Watcher, Znode};
use crate::watches::Watches;
use crate::znode_tree::Tree;

/// Operations that go into one commit at most.
const OPS_PER_COMMIT: usize = 50_000;

enum Read {
    Get(String, oneshot::Sender<Result<Znode, StoreError>>),
    GetMany(Vec<String>, oneshot::Sender<Result<Vec<Option<Znode>>, StoreError>>),
    Exists(String, oneshot::Sender<Result<Option<Stat>, StoreError>>),
    Children(String, oneshot::Sender<Result<Vec<String>, StoreError>>),
    GetAndWatch(String, oneshot::Sender<Result<(Bytes, Stat, Watcher), StoreError>>),
    ExistsAndWatch(String, oneshot::Sender<Result<(Option<Stat>, Watcher), StoreError>>),
    ChildrenAndWatch(String, oneshot::Sender<Result<(Vec<String>, Watcher), StoreError>>),
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
        EmbeddedStore::open_file(directory.join(FILE_NAME))
    }

    /// Opens or creates a file of another name.
    ///
    /// # Errors
    /// As [`open`](EmbeddedStore::open).
    pub fn open_file(path: PathBuf) -> Result<EmbeddedStore, OpenError> {
        let is_new = !path.exists();
        let owner = Owner::open(&path)?;
        if is_new && let Some(directory) = path.parent() {
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
    ) -> BoxFuture<'static, Result<T, StoreError>> {
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
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Znode, StoreError>> {
        self.ask(|reply| Command::Read(Read::Get(path.to_owned(), reply)))
    }

    fn get_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Bytes, Stat, Watcher), StoreError>> {
        self.ask(|reply| Command::Read(Read::GetAndWatch(path.to_owned(), reply)))
    }

    fn get_many(&self, paths: Vec<String>) -> BoxFuture<'static, Result<Vec<Option<Znode>>, StoreError>> {
        self.ask(|reply| Command::Read(Read::GetMany(paths, reply)))
    }

    fn exists(&self, path: &str) -> BoxFuture<'static, Result<Option<Stat>, StoreError>> {
        self.ask(|reply| Command::Read(Read::Exists(path.to_owned(), reply)))
    }

    fn exists_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Option<Stat>, Watcher), StoreError>> {
        self.ask(|reply| Command::Read(Read::ExistsAndWatch(path.to_owned(), reply)))
    }

    fn children(&self, path: &str) -> BoxFuture<'static, Result<Vec<String>, StoreError>> {
        self.ask(|reply| Command::Read(Read::Children(path.to_owned(), reply)))
    }

    fn children_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Vec<String>, Watcher), StoreError>> {
        self.ask(|reply| Command::Read(Read::ChildrenAndWatch(path.to_owned(), reply)))
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<Vec<OpResult>, StoreError>> {
        self.ask(|reply| Command::Multi(ops, reply))
    }

    fn session_id(&self) -> i64 {
        self.session_id
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.ask(Command::Close)
    }
}

/// An answer that waits for the commit: told whether that succeeded.
type Answer = Box<dyn FnOnce(Option<&StoreError>) + Send>;

/// What the thread owns.
struct Owner {
    // Before the file, so that its snapshot is gone when that closes.
    tree: Tree<Durable>,
    file: MetadataFile,
    watches: Watches,
    session_id: i64,
    failed: Option<StoreError>,
}

impl Owner {
    fn open(path: &Path) -> Result<Owner, OpenError> {
        let (file, left) = MetadataFile::open(path)?;
        let corrupted = |error: StoreError| OpenError::Corrupted {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let tree = Tree::new(left.znodes, left.zxid, left.ephemerals).map_err(corrupted)?;
        let mut owner = Owner {
            tree,
            file,
            watches: Watches::default(),
            session_id: left.session_id + 1,
            failed: None,
        };
        // Not committed on its own: if the process ends before the first commit, the next one does the same again.
        owner.delete_ephemerals().map_err(corrupted)?;
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
        match self.file.write(self.tree.changes(), self.tree.zxid(), self.session_id) {
            Ok(base) => self.tree.committed(base),
            Err(error) => {
                self.failed = Some(StoreError::Failed {
                    reason: error.to_string(),
                })
            }
        }
    }
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
