//! The tree of one store into another: a broker that has stood alone takes its metadata along to an ensemble, or back.
//!
//! Ephemeral znodes and notices stay behind, as they belong to processes that run. The cluster's id goes last: a tree without one is
//! nobody's, so what was begun and not finished is simply done again.

use bytes::Bytes;

use crate::store::{ANY_VERSION, Op, Store, StoreError};
use crate::znodes::{self, ZnodeError};

/// Below these lie notices for brokers that run.
const NOTICES: [&str; 3] = [
    znodes::CONFIG_CHANGES,
    "/isr_change_notification",
    "/log_dir_event_notification",
];
/// Operations of one transaction at most.
const OPS_TOGETHER: usize = 1_000;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Whose it is.
    pub cluster_id: String,
    /// How many znodes there are.
    pub znodes: usize,
    /// How many topics are among them.
    pub topics: usize,
}

/// Why nothing was copied, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// One of the stores failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A znode holds something else than it should.
    #[error(transparent)]
    Znode(#[from] ZnodeError),
    /// There is nothing to copy.
    #[error("there are no metadata of a cluster to copy: {} does not exist", znodes::CLUSTER_ID)]
    Nothing,
    /// Brokers run on one of the stores.
    #[error("brokers are registered ({}): stop them first", list(ids))]
    Registered {
        /// Their ids.
        ids: Vec<String>,
    },
    /// There are metadata already.
    #[error("there are metadata of cluster {found} already, with {topics} topics: they are not replaced")]
    Occupied {
        /// Whose they are.
        found: String,
        /// How many topics it has.
        topics: usize,
    },
    /// There are metadata of somebody else already.
    #[error("there are metadata of cluster {found} already, but those to be copied are of cluster {copied}")]
    OtherCluster {
        /// Whose are there.
        found: String,
        /// Whose would come.
        copied: String,
    },
}

fn list(ids: &[String]) -> String {
    ids.join(", ")
}

/// Copies everything that lasts.
///
/// # Errors
/// Where brokers run on either store, the one has nothing, the other has something, or one of them fails.
pub async fn copy(from: &dyn Store, to: &dyn Store) -> Result<Copied, CopyError> {
    let cluster_id = cluster_id(from).await?.ok_or(CopyError::Nothing)?;
    for store in [from, to] {
        let ids = children(store, znodes::BROKER_IDS).await?;
        if !ids.is_empty() {
            return Err(CopyError::Registered { ids });
        }
    }
    if let Some(found) = self::cluster_id(to).await? {
        let topics = children(to, znodes::TOPICS).await?.len();
        return match (found == cluster_id, topics) {
            (false, _) => Err(CopyError::OtherCluster {
                found,
                copied: cluster_id,
            }),
            (true, 1..) => Err(CopyError::Occupied { found, topics }),
            (true, 0) => copy_all(from, to, cluster_id).await,
        };
    }
    copy_all(from, to, cluster_id).await
}

async fn copy_all(from: &dyn Store, to: &dyn Store, cluster_id: String) -> Result<Copied, CopyError> {
    let (mut ops, mut last) = (Vec::new(), Vec::new());
    let mut topics = 0;
    let mut level = top(from).await?;
    while !level.is_empty() {
        let found = from.get_many(level.clone()).await?;
        let there = to.get_many(level.clone()).await?;
        let mut next = Vec::new();
        for ((path, znode), there) in level.into_iter().zip(found).zip(there) {
            // Nobody runs on either store, so what is gone was ephemeral.
            let Some((data, stat)) = znode.filter(|(_, stat)| stat.ephemeral_owner == 0) else {
                continue;
            };
            if stat.num_children > 0 && !NOTICES.contains(&path.as_str()) {
                let names = from.children(&path).await?;
                topics += if path == znodes::TOPICS { names.len() } else { 0 };
                next.extend(names.iter().map(|name| format!("{path}/{name}")));
            }
            let before = there.map(|(_, stat)| stat.version);
            let into = if path == znodes::CLUSTER_ID {
                &mut last
            } else {
                &mut ops
            };
            into.extend(written(path, data, stat.version, before));
        }
        level = next;
    }
    ops.append(&mut last);
    let znodes = ops.len();
    write(to, ops).await?;
    Ok(Copied {
        cluster_id,
        znodes,
        topics,
    })
}

/// The znodes below the root, without those of ZooKeeper itself.
async fn top(from: &dyn Store) -> Result<Vec<String>, StoreError> {
    let names = from.children("/").await?;
    Ok(names
        .into_iter()
        .filter(|name| name != "zookeeper")
        .map(|name| format!("/{name}"))
        .collect())
}

/// How a znode is written where there is one of version `before`, or none. The version of `/brokers/seqid` is what it is about: the
/// number of the last broker id that was given out.
fn written(path: String, data: Bytes, version: i32, before: Option<i32>) -> Vec<Op> {
    let sets = match (path.as_str(), before) {
        (znodes::BROKER_SEQUENCE_ID, before) => version - before.unwrap_or(0),
        (_, before) => i32::from(before.is_some()),
    };
    let mut ops = Vec::new();
    if before.is_none() {
        ops.push(Op::create(path.clone(), data.clone()));
    }
    ops.extend((0..sets).map(|_| Op::set(path.clone(), data.clone(), ANY_VERSION)));
    ops
}

async fn write(to: &dyn Store, ops: Vec<Op>) -> Result<(), StoreError> {
    let mut ops = ops.into_iter().peekable();
    while ops.peek().is_some() {
        let (mut transaction, mut size) = (Vec::new(), 0);
        let fits = |op: &Op, size: usize, count: usize| {
            count == 0 || (count < OPS_TOGETHER && size + op.size() <= to.max_multi_bytes())
        };
        while let Some(op) = ops.next_if(|op| fits(op, size, transaction.len())) {
            size += op.size();
            transaction.push(op);
        }
        to.multi(transaction).await?;
    }
    Ok(())
}

async fn cluster_id(store: &dyn Store) -> Result<Option<String>, CopyError> {
    match store.get(znodes::CLUSTER_ID).await {
        Ok((data, _)) => Ok(Some(znodes::decode_cluster_id(&data)?)),
        Err(StoreError::NoNode { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// No children where there is no znode.
async fn children(store: &dyn Store, path: &str) -> Result<Vec<String>, StoreError> {
    match store.children(path).await {
        Err(StoreError::NoNode { .. }) => Ok(Vec::new()),
        found => found,
    }
}

/// The persistent znodes of a tree but notices, with their data, for tests that compare two.
#[cfg(any(test, feature = "testing"))]
pub async fn lasting(store: &dyn Store) -> Result<std::collections::HashMap<String, Bytes>, StoreError> {
    let mut all = std::collections::HashMap::new();
    let mut left = top(store).await?;
    while let Some(path) = left.pop() {
        let (data, stat) = store.get(&path).await?;
        if stat.ephemeral_owner == 0 {
            if !NOTICES.contains(&path.as_str()) {
                let names = store.children(&path).await?;
                left.extend(names.iter().map(|name| format!("{path}/{name}")));
            }
            all.insert(path, data);
        }
    }
    Ok(all)
}
