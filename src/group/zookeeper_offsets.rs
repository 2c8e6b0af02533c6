//! Offsets as they were kept before Kafka 0.9: in the znode tree, which version 0 of OffsetCommit and OffsetFetch reads
//! and writes to this day. Nothing else knows of them, and they do not expire.

use std::sync::Arc;

use controller::store::{Op, Store, StoreError};

/// Groups that may keep offsets in the znode tree. Nothing ever removes them, so there has to be an end.
pub const MAX_GROUPS_IN_ZNODES: i32 = 10_000;

const CONSUMERS: &str = "/consumers";
const ANY_VERSION: i32 = controller::store::ANY_VERSION;

/// The offsets below `/consumers`.
pub struct ZookeeperOffsets {
    store: Arc<dyn Store>,
}

/// Why an offset in the znode tree could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ZookeeperOffsetsError {
    /// The group's name is no part of a path.
    #[error("group {group_id:?} cannot be the name of a znode")]
    GroupId {
        /// The name.
        group_id: String,
    },
    /// There are as many groups as there may be.
    #[error("{CONSUMERS} has {MAX_GROUPS_IN_ZNODES} groups already")]
    TooManyGroups,
    /// The znode does not hold a number.
    #[error("znode {path} does not hold an offset")]
    NoOffset {
        /// Its path.
        path: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ZookeeperOffsets {
    /// In this tree.
    pub fn new(store: Arc<dyn Store>) -> Self {
        ZookeeperOffsets { store }
    }

    /// The offset of a partition, if there is one.
    pub async fn get(&self, group_id: &str, topic: &str, partition: i32) -> Result<Option<i64>, ZookeeperOffsetsError> {
        let path = path(group_id, topic, partition)?;
        match self.store.get(&path).await {
            Ok((data, _)) => {
                let offset = std::str::from_utf8(&data).ok().and_then(|text| text.parse().ok());
                offset.map(Some).ok_or(ZookeeperOffsetsError::NoOffset { path })
            }
            Err(StoreError::NoNode { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps the offset of a partition.
    pub async fn set(
        &self,
        group_id: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(), ZookeeperOffsetsError> {
        let path = path(group_id, topic, partition)?;
        if self.try_set(&path, offset).await? {
            return Ok(());
        }
        self.create_parents(group_id, topic).await?;
        match self
            .store
            .multi(vec![Op::create(path.clone(), offset.to_string())])
            .await
        {
            Ok(_) => Ok(()),
            // Another request was faster.
            Err(error) if matches!(error.cause(), StoreError::NodeExists { .. }) => {
                self.try_set(&path, offset).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Says whether the znode was there.
    async fn try_set(&self, path: &str, offset: i64) -> Result<bool, ZookeeperOffsetsError> {
        match self
            .store
            .multi(vec![Op::set(path, offset.to_string(), ANY_VERSION)])
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.cause(), StoreError::NoNode { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn create_parents(&self, group_id: &str, topic: &str) -> Result<(), ZookeeperOffsetsError> {
        let group = format!("{CONSUMERS}/{group_id}");
        if self.store.exists(&group).await?.is_none() {
            let groups = self.store.exists(CONSUMERS).await?.map_or(0, |stat| stat.num_children);
            if groups >= MAX_GROUPS_IN_ZNODES {
                return Err(ZookeeperOffsetsError::TooManyGroups);
            }
        }
        let offsets = format!("{group}/offsets");
        let of_topic = format!("{offsets}/{topic}");
        for parent in [CONSUMERS.to_string(), group, offsets, of_topic] {
            match self.store.multi(vec![Op::create(parent, "")]).await {
                Ok(_) => {}
                Err(error) if matches!(error.cause(), StoreError::NodeExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn path(group_id: &str, topic: &str, partition: i32) -> Result<String, ZookeeperOffsetsError> {
    if group_id.is_empty() || group_id == "." || group_id == ".." || group_id.contains(['/', '\0']) {
        return Err(ZookeeperOffsetsError::GroupId {
            group_id: group_id.to_string(),
        });
    }
    Ok(format!("{CONSUMERS}/{group_id}/offsets/{topic}/{partition}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn offsets(dir: &std::path::Path) -> ZookeeperOffsets {
        ZookeeperOffsets::new(Arc::new(
            controller::EmbeddedStore::open(dir).expect("the directory is empty"),
        ))
    }

    #[tokio::test]
    async fn what_is_set_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let before = offsets(dir.path()).await;
        assert_eq!(before.get("g", "t", 0).await.unwrap(), None);
        before.set("g", "t", 0, 5).await.unwrap();
        before.set("g", "t", 0, 7).await.unwrap();
        before.set("g", "t", 1, 9).await.unwrap();
        before.store.close().await.unwrap();
        drop(before);
        let after = offsets(dir.path()).await;
        assert_eq!(after.get("g", "t", 0).await.unwrap(), Some(7));
        assert_eq!(after.get("g", "t", 1).await.unwrap(), Some(9));
        assert_eq!(after.get("h", "t", 0).await.unwrap(), None);
        let (data, _) = after.store.get("/consumers/g/offsets/t/1").await.unwrap();
        assert_eq!(&data[..], b"9");
    }

    #[tokio::test]
    async fn a_group_does_not_leave_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let offsets = offsets(dir.path()).await;
        for group_id in ["", ".", "..", "a/b", "../brokers", "a\0"] {
            let set = offsets.set(group_id, "t", 0, 5).await;
            assert!(
                matches!(set, Err(ZookeeperOffsetsError::GroupId { .. })),
                "{group_id:?}"
            );
        }
    }
}
