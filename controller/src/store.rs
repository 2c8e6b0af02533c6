//! The znode tree that the controller keeps its data in, as ZooKeeper defines it: one trait, so that one broker alone
//! keeps the same tree in a file ([`crate::store_embedded`]) that a cluster keeps in an ensemble.
//!
//! What every implementation owes its callers:
//! - writes of one caller take effect in the order of its calls, reads see every write that was answered before;
//! - an answered write is durable;
//! - a [`multi`](Store::multi) happens as a whole or not at all;
//! - zxids rise with every transaction, over restarts too;
//! - a watch's event can be received before any answer that shows the change that caused it.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

/// A future in a box, so that [`Store`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What ZooKeeper knows about a znode beside its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stat {
    /// Transaction that created the znode. Of a broker's registration: the broker epoch.
    pub czxid: i64,
    /// Transaction that last changed its data.
    pub mzxid: i64,
    /// Transaction that last added or removed a child.
    pub pzxid: i64,
    /// Time of creation, ms since 1970.
    pub ctime_ms: i64,
    /// Time of the last change of its data, ms since 1970.
    pub mtime_ms: i64,
    /// How often its data was set.
    pub version: i32,
    /// How often its set of children changed.
    pub cversion: i32,
    /// Session that owns it; 0 for a persistent znode.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
}

/// How long a znode lives, and whether its name gets a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateMode {
    /// Until it is deleted.
    Persistent,
    /// Until it is deleted; ten digits of the parent's counter are appended to its name.
    PersistentSequential,
    /// Until the session ends.
    Ephemeral,
    /// Until the session ends; ten digits of the parent's counter are appended to its name.
    EphemeralSequential,
}

impl CreateMode {
    /// Whether the znode goes with its session.
    pub fn is_ephemeral(self) -> bool {
        matches!(self, CreateMode::Ephemeral | CreateMode::EphemeralSequential)
    }

    /// Whether a number is appended to the name.
    pub fn is_sequential(self) -> bool {
        matches!(self, CreateMode::PersistentSequential | CreateMode::EphemeralSequential)
    }
}

/// Stands for any version in [`Op::Set`], [`Op::Delete`] and [`Op::Check`].
pub const ANY_VERSION: i32 = -1;

/// One operation of a [`Store::multi`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Create a znode; its parent must exist.
    Create {
        /// Absolute path; with a sequential mode, the start of it.
        path: String,
        /// Its data. ZooKeeper's null reads as empty, and is never written.
        data: Bytes,
        /// Kind of znode.
        mode: CreateMode,
    },
    /// Replace a znode's data.
    Set {
        /// Absolute path.
        path: String,
        /// New data.
        data: Bytes,
        /// Version it must have, or [`ANY_VERSION`].
        version: i32,
    },
    /// Remove a znode without children.
    Delete {
        /// Absolute path.
        path: String,
        /// Version it must have, or [`ANY_VERSION`].
        version: i32,
    },
    /// Only compare a znode's version.
    Check {
        /// Absolute path.
        path: String,
        /// Version it must have, or [`ANY_VERSION`] where it only has to exist.
        version: i32,
    },
}

impl Op {
    /// A persistent znode.
    pub fn create(path: impl Into<String>, data: impl Into<Bytes>) -> Op {
        Op::Create {
            path: path.into(),
            data: data.into(),
            mode: CreateMode::Persistent,
        }
    }

    /// New data for a znode of this version.
    pub fn set(path: impl Into<String>, data: impl Into<Bytes>, version: i32) -> Op {
        Op::Set {
            path: path.into(),
            data: data.into(),
            version,
        }
    }

    /// The end of a znode of this version.
    pub fn delete(path: impl Into<String>, version: i32) -> Op {
        Op::Delete {
            path: path.into(),
            version,
        }
    }

    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        /// Header, lengths, flags and an access control list.
        const AROUND: usize = 100;
        let data = match self {
            Op::Create { data, .. } | Op::Set { data, .. } => data.len(),
            Op::Delete { .. } | Op::Check { .. } => 0,
        };
        AROUND + self.path().len() + data
    }

    /// The path as given.
    pub fn path(&self) -> &str {
        match self {
            Op::Create { path, .. } | Op::Set { path, .. } | Op::Delete { path, .. } | Op::Check { path, .. } => path,
        }
    }
}

/// What one operation of a successful [`Store::multi`] gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpResult {
    /// The path that was created (with its number).
    Created {
        /// Full path.
        path: String,
        /// Stat right after. Of several operations together ZooKeeper's servers do not tell it (ZOOKEEPER-4667).
        stat: Option<Stat>,
    },
    /// The stat right after the data was set.
    Set(Stat),
    /// It is gone.
    Deleted,
    /// It had the version.
    Checked,
}

/// What happened to a watched znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WatchKind {
    /// It was created.
    Created,
    /// It was deleted.
    Deleted,
    /// Its data was set.
    DataChanged,
    /// A child came or went.
    ChildrenChanged,
    /// The session is over: nothing more will be told.
    SessionEnded,
}

/// One event of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchEvent {
    /// What happened.
    pub kind: WatchKind,
    /// To which znode.
    pub path: String,
}

/// A watch that fires once. Await it; dropping it forgets it.
pub struct Watcher(pub(crate) BoxFuture<'static, WatchEvent>);

impl Future for Watcher {
    type Output = WatchEvent;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<WatchEvent> {
        self.0.as_mut().poll(context)
    }
}

/// Why an operation failed: ZooKeeper's errors by name, and what can befall a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The znode, or the parent of a znode to be created, is not there.
    #[error("no znode {path}")]
    NoNode {
        /// Its path.
        path: String,
    },
    /// The znode to be created is there already.
    #[error("znode {path} exists already")]
    NodeExists {
        /// Its path.
        path: String,
    },
    /// Another version than expected.
    #[error("znode {path} has another version than {expected}")]
    BadVersion {
        /// Its path.
        path: String,
        /// Version that was asked for.
        expected: i32,
    },
    /// The znode to be deleted has children.
    #[error("znode {path} has children")]
    NotEmpty {
        /// Its path.
        path: String,
    },
    /// The parent is ephemeral.
    #[error("znode {path} is below an ephemeral znode")]
    NoChildrenForEphemerals {
        /// The path to be created.
        path: String,
    },
    /// Not a path: it must start with `/`, not end with one, and have no empty, `.` or `..` part.
    #[error("{path:?} is not a znode path")]
    BadArguments {
        /// What was given.
        path: String,
    },
    /// Operation number `index` of a multi failed; nothing of it happened.
    #[error("operation {index} of a multi failed: {error}")]
    Multi {
        /// Its place, from 0.
        index: usize,
        /// Why it failed.
        error: Box<StoreError>,
    },
    /// Who may read or write the znode is listed with it, and this session is not.
    #[error("znode {path} may not be read or written by this broker")]
    NoAuth {
        /// Its path.
        path: String,
    },
    /// The connection broke while a write was under way: it may have happened or not. Whoever gets this reads before going on.
    #[error("the connection to ZooKeeper broke ({reason}); what was being written may be there or not")]
    Unknown {
        /// How it broke.
        reason: String,
    },
    /// ZooKeeper refused it for a reason of its own, a quota for example; nothing happened.
    #[error("ZooKeeper refuses what concerns znode {path}: {reason}")]
    Refused {
        /// Its path.
        path: String,
        /// What ZooKeeper said.
        reason: String,
    },
    /// The session is over and its ephemeral znodes are gone; this store does nothing any more.
    #[error("the ZooKeeper session is over")]
    SessionEnded,
    /// The file could not be written or read; nothing is tried again, every later call fails with this as well.
    #[error("the metadata store failed: {reason}")]
    Failed {
        /// What the file system or the database said.
        reason: String,
    },
    /// The store is closed.
    #[error("the metadata store is closed")]
    Closed,
}

impl StoreError {
    /// The error of the one operation that made a multi fail, or the error itself.
    pub fn cause(&self) -> &StoreError {
        match self {
            StoreError::Multi { error, .. } => error.cause(),
            other => other,
        }
    }
}

/// Refuses what is not the path of a znode, by ZooKeeper's rules.
pub(crate) fn check_path(path: &str) -> Result<(), StoreError> {
    let parts_are_good = || path[1..].split('/').all(|part| !matches!(part, "" | "." | ".."));
    let characters_are_good = || !path.chars().any(char::is_control);
    if path == "/" || (path.starts_with('/') && parts_are_good() && characters_are_good()) {
        Ok(())
    } else {
        Err(StoreError::BadArguments { path: path.to_owned() })
    }
}

impl Op {
    /// Refuses what is not a path. One that gets a number may be empty before it.
    pub(crate) fn check_path(&self) -> Result<(), StoreError> {
        match self {
            Op::Create { path, mode, .. }
                if mode.is_sequential() && path.len() > 1 && path.ends_with('/') && !path.ends_with("//") =>
            {
                check_path(&path[..path.len() - 1])
            }
            _ => check_path(self.path()),
        }
    }
}

/// A znode's data and stat.
pub type Znode = (Bytes, Stat);

/// A znode tree. Its futures need not be polled: a call takes its place in the order of calls when it is made, but for reads of an
/// ensemble that are repeated after the connection broke and all but the first reads of [`get_many`](Store::get_many), which may
/// show later writes as well. Calls that are made without awaiting each other may be answered by one durable write; where the
/// connection breaks, a later one of them may happen although an earlier one did not.
pub trait Store: Send + Sync {
    /// Data and stat of a znode.
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Znode, StoreError>>;

    /// As [`get`](Store::get), and a watch for its next change.
    fn get_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Bytes, Stat, Watcher), StoreError>>;

    /// Data and stat of many znodes, `None` where there is none, in the order of the paths.
    fn get_many(&self, paths: Vec<String>) -> BoxFuture<'static, Result<Vec<Option<Znode>>, StoreError>>;

    /// The stat of a znode, if it exists.
    fn exists(&self, path: &str) -> BoxFuture<'static, Result<Option<Stat>, StoreError>>;

    /// As [`exists`](Store::exists), and a watch for its creation or next change.
    fn exists_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Option<Stat>, Watcher), StoreError>>;

    /// The names (not paths) of a znode's children, sorted.
    fn children(&self, path: &str) -> BoxFuture<'static, Result<Vec<String>, StoreError>>;

    /// As [`children`](Store::children), and a watch for the next change of that set.
    fn children_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Vec<String>, Watcher), StoreError>>;

    /// All of these in one transaction, or none ([`StoreError::Multi`] says which one failed).
    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<Vec<OpResult>, StoreError>>;

    /// Sees to it that later reads show what every session has written up to now.
    fn sync(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// How many bytes the operations of one [`multi`](Store::multi) may have together, by [`Op::size`].
    fn max_multi_bytes(&self) -> usize {
        usize::MAX
    }

    /// This session's id, the owner of the ephemeral znodes that it creates.
    fn session_id(&self) -> i64;

    /// Ends the session: its ephemeral znodes go, pending calls are answered first.
    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>>;

    /// Creates a znode; answers with its full path and stat.
    fn create(
        &self,
        path: &str,
        data: Bytes,
        mode: CreateMode,
    ) -> BoxFuture<'static, Result<(String, Stat), StoreError>> {
        let op = Op::Create {
            path: path.to_owned(),
            data,
            mode,
        };
        let asked = self.multi(vec![op]);
        Box::pin(async move {
            match one(asked.await)? {
                OpResult::Created { path, stat: Some(stat) } => Ok((path, stat)),
                other => unreachable!("a create was answered with {other:?}"),
            }
        })
    }

    /// Replaces a znode's data if it has this version (or [`ANY_VERSION`]).
    fn set(&self, path: &str, data: Bytes, version: i32) -> BoxFuture<'static, Result<Stat, StoreError>> {
        let op = Op::Set {
            path: path.to_owned(),
            data,
            version,
        };
        let asked = self.multi(vec![op]);
        Box::pin(async move {
            match one(asked.await)? {
                OpResult::Set(stat) => Ok(stat),
                other => unreachable!("a set was answered with {other:?}"),
            }
        })
    }

    /// Deletes a znode if it has this version (or [`ANY_VERSION`]).
    fn delete(&self, path: &str, version: i32) -> BoxFuture<'static, Result<(), StoreError>> {
        let op = Op::Delete {
            path: path.to_owned(),
            version,
        };
        let asked = self.multi(vec![op]);
        Box::pin(async move { one(asked.await).map(drop) })
    }
}

/// The single result of a multi of one operation, its error without the wrapping.
fn one(results: Result<Vec<OpResult>, StoreError>) -> Result<OpResult, StoreError> {
    match results {
        Ok(mut results) => Ok(results.pop().expect("one operation, one result")),
        Err(StoreError::Multi { error, .. }) => Err(*error),
        Err(other) => Err(other),
    }
}
