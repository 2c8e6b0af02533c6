//! The tree of one store into another: a broker that has stood alone takes its metadata along to an ensemble, or back.
//!
//! Ephemeral znodes and notices stay behind, as they belong to processes that run. Before anything else a mark is made, and it goes
//! together with the cluster's id, which comes last: so a tree that is half copied is known as such, is nobody's, and is finished or
//! begun anew by copying again.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::store::{ANY_VERSION, Op, Store, StoreError};
use crate::znodes::{self, ZnodeError};

/// Below these lie notices for brokers that run.
const NOTICES: [&str; 6] = [
    znodes::CONFIG_CHANGES,
    "/isr_change_notification",
    "/log_dir_event_notification",
    "/kafka-acl-changes",
    "/kafka-acl-extended-changes",
    "/delegation_token/token_changes",
];
/// What Kafka has below the root and keeps (`ZkData`).
const KAFKAS: [&str; 15] = [
    "admin",
    "brokers",
    "cluster",
    "config",
    "consumers",
    "controller_epoch",
    "delegation_token",
    "feature",
    "isr_change_notification",
    "kafka-acl",
    "kafka-acl-changes",
    "kafka-acl-extended",
    "kafka-acl-extended-changes",
    "latest_producer_id_block",
    "log_dir_event_notification",
];
/// Stands in a tree as long as it is being copied to; holds the id of the cluster that it is copied from.
const MARK: &str = "/sordini.copy";
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
    /// There is something already that nobody has begun to copy.
    #[error("there are {topics} topics already, of a cluster without an id: they are not replaced")]
    Unknown {
        /// How many topics there are.
        topics: usize,
    },
    /// Somebody else's metadata are half copied.
    #[error("the metadata of cluster {found} are half copied to there, but these are of cluster {copied}")]
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
    let topics = children(to, znodes::TOPICS).await?.len();
    if let Some(found) = self::cluster_id(to).await? {
        return Err(CopyError::Occupied { found, topics });
    }
    let is_resumed = begin(to, &cluster_id, topics).await?;
    let copied = read(from).await?;
    if is_resumed {
        let kept: BTreeSet<&str> = copied.iter().map(|(path, _, _)| path.as_str()).collect();
        remove_others(to, &kept).await?;
    }
    let paths: Vec<String> = copied.iter().map(|(path, _, _)| path.clone()).collect();
    let mut ops = Vec::new();
    for ((path, data, version), there) in copied.iter().zip(to.get_many(paths).await?) {
        let before = there.map(|(_, stat)| stat.version);
        if path != znodes::CLUSTER_ID {
            ops.extend(written(path, data, *version, before));
        }
    }
    write(to, ops).await?;
    let id = znodes::encode_cluster_id(&cluster_id);
    let end = vec![Op::create(znodes::CLUSTER_ID, id), Op::delete(MARK, ANY_VERSION)];
    to.multi(end).await?;
    Ok(Copied {
        cluster_id,
        znodes: copied.len(),
        topics: copied.iter().filter(|(path, _, _)| is_topic(path)).count(),
    })
}

/// Makes the mark, or finds the one of an earlier attempt: `true`.
async fn begin(to: &dyn Store, cluster_id: &str, topics: usize) -> Result<bool, CopyError> {
    match to.get(MARK).await {
        Ok((data, _)) if data == cluster_id => Ok(true),
        Ok((data, _)) => Err(CopyError::OtherCluster {
            found: String::from_utf8_lossy(&data).into_owned(),
            copied: cluster_id.to_owned(),
        }),
        Err(StoreError::NoNode { .. }) if topics > 0 => Err(CopyError::Unknown { topics }),
        Err(StoreError::NoNode { .. }) => {
            to.multi(vec![Op::create(MARK, cluster_id.to_owned())]).await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// A znode that lasts: path, data and version.
type Lasting = (String, Bytes, i32);

/// Everything that lasts, parents first.
async fn read(from: &dyn Store) -> Result<Vec<Lasting>, StoreError> {
    let mut copied = Vec::new();
    let mut level = top(from).await?;
    while !level.is_empty() {
        let found = from.get_many(level.clone()).await?;
        let mut parents = Vec::new();
        for (path, znode) in level.into_iter().zip(found) {
            // Nobody runs on either store, so what is gone was ephemeral.
            let Some((data, stat)) = znode.filter(|(_, stat)| stat.ephemeral_owner == 0) else {
                continue;
            };
            if stat.num_children > 0 && !NOTICES.contains(&path.as_str()) {
                // Asked for all together, then awaited one by one.
                parents.push((path.clone(), from.children(&path)));
            }
            copied.push((path, data, stat.version));
        }
        level = Vec::new();
        for (path, names) in parents {
            level.extend(names.await?.iter().map(|name| format!("{path}/{name}")));
        }
    }
    Ok(copied)
}

/// What an earlier attempt has written and is not there any more where that came from.
async fn remove_others(to: &dyn Store, kept: &BTreeSet<&str>) -> Result<(), StoreError> {
    let there = read(to).await?;
    let others = there.iter().rev().map(|(path, _, _)| path.as_str());
    let others = others.filter(|path| !kept.contains(path));
    write(to, others.map(|path| Op::delete(path, ANY_VERSION)).collect()).await
}

fn is_topic(path: &str) -> bool {
    let name = path
        .strip_prefix(znodes::TOPICS)
        .and_then(|rest| rest.strip_prefix('/'));
    name.is_some_and(|name| !name.contains('/'))
}

/// Those of Kafka's znodes below the root that are there: others may share the ensemble.
async fn top(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    let mut top = store.children("/").await?;
    top.retain(|name| KAFKAS.contains(&name.as_str()));
    Ok(top.into_iter().map(|name| format!("/{name}")).collect())
}

/// How a znode is written where there is one of version `before`, or none. The version of `/brokers/seqid` is what it is about: the
/// number of the last broker id that was given out.
fn written(path: &str, data: &Bytes, version: i32, before: Option<i32>) -> Vec<Op> {
    let sets = match (path, before) {
        (znodes::BROKER_SEQUENCE_ID, before) => version - before.unwrap_or(0),
        (_, before) => i32::from(before.is_some()),
    };
    let mut ops = Vec::new();
    if before.is_none() {
        ops.push(Op::create(path, data.clone()));
    }
    ops.extend((0..sets).map(|_| Op::set(path, data.clone(), ANY_VERSION)));
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
