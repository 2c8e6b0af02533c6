//! ZooKeeper's rules for a tree of znodes, as plain data: what each operation changes, what it refuses, which events it
//! causes. Changes pile up in an overlay over a base (a file) until whoever drives the tree has made them durable.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::store::{ANY_VERSION, CreateMode, Op, OpResult, Stat, StoreError, WatchEvent, WatchKind, check_path};

/// A znode.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Node {
    pub data: Bytes,
    pub stat: Stat,
}

/// Where znodes rest that have not changed since the last durable write.
pub(crate) trait Base {
    fn node(&self, key: &Key) -> Result<Option<Node>, StoreError>;
    /// Keys from `first` (inclusive) to `end` (exclusive), in order.
    fn keys(&self, first: &Key, end: &Key) -> Result<Vec<Key>, StoreError>;
}

/// A path with its depth in front, so that the children of one znode lie side by side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub Vec<u8>);

impl Key {
    fn of(path: &str) -> Result<Key, StoreError> {
        let depth = if path == "/" {
            0
        } else {
            path.bytes().filter(|&byte| byte == b'/').count()
        };
        let depth = u8::try_from(depth).map_err(|_| StoreError::BadArguments { path: path.to_owned() })?;
        let mut key = Vec::with_capacity(path.len() + 1);
        key.push(depth);
        key.extend_from_slice(path.as_bytes());
        Ok(Key(key))
    }

    /// First and one past the last key of the children of `path`.
    fn children_of(path: &str) -> Result<(Key, Key), StoreError> {
        let prefix = if path == "/" {
            "/".to_owned()
        } else {
            format!("{path}/")
        };
        let mut first = Key::of(&prefix)?;
        first.0[0] = if path == "/" { 1 } else { first.0[0] };
        let mut end = first.clone();
        *end.0.last_mut().expect("a key is never empty") = b'/' + 1;
        Ok((first, end))
    }

    pub(crate) fn path(&self) -> &str {
        std::str::from_utf8(&self.0[1..]).expect("keys are made of paths")
    }

    fn name(&self) -> &str {
        let path = self.path();
        path.rsplit_once('/').map_or(path, |(_, name)| name)
    }
}

/// The tree. One transaction at a time.
pub(crate) struct Tree<B> {
    base: B,
    overlay: BTreeMap<Key, Option<Node>>,
    zxid: i64,
    ephemerals: BTreeSet<String>,
}

/// What a successful transaction gave and caused.
pub(crate) type Outcome = (Vec<OpResult>, Vec<WatchEvent>);

/// Undoes a transaction: keys and what the overlay held for them.
type Undo = Vec<(Key, Option<Option<Node>>)>;

impl<B: Base> Tree<B> {
    /// A tree over `base`, whose last transaction was `zxid` and which holds these ephemeral znodes.
    pub fn new(base: B, zxid: i64, ephemerals: BTreeSet<String>) -> Result<Self, StoreError> {
        let mut tree = Tree {
            base,
            overlay: BTreeMap::new(),
            zxid,
            ephemerals,
        };
        let root = Key::of("/")?;
        if tree.node(&root)?.is_none() {
            tree.overlay.insert(root, Some(Node::default()));
        }
        Ok(tree)
    }

    pub fn zxid(&self) -> i64 {
        self.zxid
    }

    pub fn ephemerals(&self) -> &BTreeSet<String> {
        &self.ephemerals
    }

    /// What is not durable yet.
    pub fn changes(&self) -> &BTreeMap<Key, Option<Node>> {
        &self.overlay
    }

    /// The changes are durable, and the base shows them.
    pub fn committed(&mut self, base: B) {
        self.base = base;
        self.overlay.clear();
    }

    pub fn get(&self, path: &str) -> Result<Option<Node>, StoreError> {
        check_path(path)?;
        self.node(&Key::of(path)?)
    }

    /// Names of the children, sorted.
    pub fn children(&self, path: &str) -> Result<Vec<String>, StoreError> {
        if self.get(path)?.is_none() {
            return Err(StoreError::NoNode { path: path.to_owned() });
        }
        let (first, end) = Key::children_of(path)?;
        let mut keys: BTreeSet<Key> = self.base.keys(&first, &end)?.into_iter().collect();
        for (key, node) in self.overlay.range(first..end) {
            if node.is_some() {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        Ok(keys.iter().map(|key| key.name().to_owned()).collect())
    }

    /// All operations, or none.
    pub fn multi(&mut self, ops: Vec<Op>, session: i64, now_ms: i64) -> Result<Outcome, StoreError> {
        let zxid = self.zxid + 1;
        let mut undo = Undo::new();
        let mut results = Vec::with_capacity(ops.len());
        let mut events = Vec::new();
        for (index, op) in ops.into_iter().enumerate() {
            match self.apply(op, Transaction { zxid, session, now_ms }, &mut undo, &mut events) {
                Ok(result) => results.push(result),
                Err(error) => {
                    self.roll_back(undo);
                    return Err(StoreError::Multi {
                        index,
                        error: Box::new(error),
                    });
                }
            }
        }
        if !undo.is_empty() {
            self.zxid = zxid;
        }
        for (key, _) in &undo {
            self.note_ephemeral(key);
        }
        Ok((results, events))
    }

    fn apply(
        &mut self,
        op: Op,
        transaction: Transaction,
        undo: &mut Undo,
        events: &mut Vec<WatchEvent>,
    ) -> Result<OpResult, StoreError> {
        op.check_path()?;
        match op {
            Op::Create { path, data, mode } => self.create(path, data, mode, transaction, undo, events),
            Op::Set { path, data, version } => {
                let (key, mut node) = self.expect(&path, version)?;
                node.stat.version = node.stat.version.wrapping_add(1);
                node.stat.mzxid = transaction.zxid;
                node.stat.mtime_ms = transaction.now_ms;
                node.stat.data_length = data.len() as i32;
                node.data = data;
                let stat = node.stat;
                self.put(key, Some(node), undo);
                events.push(WatchEvent {
                    kind: WatchKind::DataChanged,
                    path,
                });
                Ok(OpResult::Set(stat))
            }
            Op::Delete { path, version } => {
                let (key, node) = self.expect(&path, version)?;
                if path == "/" {
                    return Err(StoreError::BadArguments { path });
                }
                if node.stat.num_children > 0 {
                    return Err(StoreError::NotEmpty { path });
                }
                self.put(key, None, undo);
                self.change_parent(&path, -1, transaction.zxid, undo)?;
                events.push(WatchEvent {
                    kind: WatchKind::Deleted,
                    path: path.clone(),
                });
                events.push(WatchEvent {
                    kind: WatchKind::ChildrenChanged,
                    path: parent_of(&path).to_owned(),
                });
                Ok(OpResult::Deleted)
            }
            Op::Check { path, version } => self.expect(&path, version).map(|_| OpResult::Checked),
        }
    }

    fn create(
        &mut self,
        mut path: String,
        data: Bytes,
        mode: CreateMode,
        transaction: Transaction,
        undo: &mut Undo,
        events: &mut Vec<WatchEvent>,
    ) -> Result<OpResult, StoreError> {
        let parent_path = parent_of(&path).to_owned();
        let parent = self.node(&Key::of(&parent_path)?)?.ok_or(StoreError::NoNode {
            path: parent_path.clone(),
        })?;
        if parent.stat.ephemeral_owner != 0 {
            return Err(StoreError::NoChildrenForEphemerals { path });
        }
        if mode.is_sequential() {
            // ZooKeeper counts creations alone for this, and shows creations and deletions together as `cversion`.
            let created = (parent.stat.cversion + parent.stat.num_children) / 2;
            // A file of an earlier version may hold names that were counted otherwise.
            let is_free = |name: &String| Ok(self.node(&Key::of(name)?)?.is_none());
            let mut names = (created..).map(|number| format!("{path}{number:010}"));
            path = loop {
                match names.next() {
                    Some(name) if is_free(&name)? => break name,
                    Some(_) => {}
                    None => return Err(StoreError::NodeExists { path }),
                }
            };
        }
        let key = Key::of(&path)?;
        if self.node(&key)?.is_some() {
            return Err(StoreError::NodeExists { path });
        }
        let stat = Stat {
            czxid: transaction.zxid,
            mzxid: transaction.zxid,
            pzxid: transaction.zxid,
            ctime_ms: transaction.now_ms,
            mtime_ms: transaction.now_ms,
            ephemeral_owner: if mode.is_ephemeral() { transaction.session } else { 0 },
            data_length: data.len() as i32,
            ..Stat::default()
        };
        self.put(key, Some(Node { data, stat }), undo);
        self.change_parent(&path, 1, transaction.zxid, undo)?;
        events.push(WatchEvent {
            kind: WatchKind::Created,
            path: path.clone(),
        });
        events.push(WatchEvent {
            kind: WatchKind::ChildrenChanged,
            path: parent_path,
        });
        Ok(OpResult::Created { path, stat: Some(stat) })
    }

    fn change_parent(&mut self, path: &str, children: i32, zxid: i64, undo: &mut Undo) -> Result<(), StoreError> {
        let parent_path = parent_of(path);
        let key = Key::of(parent_path)?;
        let mut parent = self.node(&key)?.ok_or_else(|| StoreError::NoNode {
            path: parent_path.to_owned(),
        })?;
        parent.stat.cversion = parent.stat.cversion.wrapping_add(1);
        parent.stat.num_children += children;
        parent.stat.pzxid = zxid;
        self.put(key, Some(parent), undo);
        Ok(())
    }

    fn node(&self, key: &Key) -> Result<Option<Node>, StoreError> {
        match self.overlay.get(key) {
            Some(node) => Ok(node.clone()),
            None => self.base.node(key),
        }
    }

    fn expect(&self, path: &str, version: i32) -> Result<(Key, Node), StoreError> {
        let key = Key::of(path)?;
        let node = self
            .node(&key)?
            .ok_or_else(|| StoreError::NoNode { path: path.to_owned() })?;
        if version != ANY_VERSION && version != node.stat.version {
            return Err(StoreError::BadVersion {
                path: path.to_owned(),
                expected: version,
            });
        }
        Ok((key, node))
    }

    fn put(&mut self, key: Key, node: Option<Node>, undo: &mut Undo) {
        let before = self.overlay.insert(key.clone(), node);
        undo.push((key, before));
    }

    fn roll_back(&mut self, undo: Undo) {
        for (key, before) in undo.into_iter().rev() {
            match before {
                Some(node) => self.overlay.insert(key, node),
                None => self.overlay.remove(&key),
            };
        }
    }

    fn note_ephemeral(&mut self, key: &Key) {
        match self.overlay.get(key) {
            Some(Some(node)) if node.stat.ephemeral_owner != 0 => {
                self.ephemerals.insert(key.path().to_owned());
            }
            Some(None) => {
                self.ephemerals.remove(key.path());
            }
            _ => {}
        }
    }
}

#[derive(Clone, Copy)]
struct Transaction {
    zxid: i64,
    session: i64,
    now_ms: i64,
}

fn parent_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &path[..slash],
    }
}
