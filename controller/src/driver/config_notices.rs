//! What `/config/changes` says: which configurations have changed. Whoever changes one writes a notice; each broker reads what it names
//! (Kafka's `ZkConfigManager`). A topic stays due until its configuration was read.

use std::collections::{BTreeMap, BTreeSet};

use super::watching::ChildWatch;
use crate::config_changes::{EXPIRATION_MS, PURGED_WITH_A_NEW_ONE};
use crate::effects::ConfigMap;
use crate::store::{ANY_VERSION, Store, StoreError};
use crate::znodes;

/// Notices as far as they were heard.
pub(super) struct ConfigNotices {
    watch: ChildWatch,
    /// The last one that was read.
    last: Option<String>,
    due: BTreeSet<String>,
    /// Those that are there, and when they were written, ms since 1970.
    written: BTreeMap<String, i64>,
}

/// A topic's configuration as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicConfigs {
    pub(super) topic: String,
    pub(super) configs: ConfigMap,
    /// Of its znode; `None` where there is none.
    pub(super) version: Option<i32>,
}

impl ConfigNotices {
    pub(super) fn new() -> Self {
        ConfigNotices {
            watch: ChildWatch::new(znodes::CONFIG_CHANGES),
            last: None,
            due: BTreeSet::new(),
            written: BTreeMap::new(),
        }
    }

    /// Resolves when it is time to [hear](ConfigNotices::hear).
    pub(super) async fn changed(&mut self) {
        self.watch.changed().await;
    }

    /// The configurations that have changed since the last time, as they are now. What cannot be read now stays due.
    pub(super) async fn hear(&mut self, store: &dyn Store) -> Result<Vec<TopicConfigs>, StoreError> {
        let names = self.watch.look(store).await?;
        let is_new = |name: &&String| self.last.as_ref().is_none_or(|last| *name > last);
        let new: Vec<String> = names.iter().filter(is_new).cloned().collect();
        let paths = new.iter().map(|name| format!("{}/{name}", znodes::CONFIG_CHANGES));
        let found = store.get_many(paths.collect()).await;
        let found = found.inspect_err(|_| self.watch.look_again())?;
        for (name, znode) in new.iter().zip(found) {
            // One that is gone was old.
            let Some((data, stat)) = znode else { continue };
            self.written.insert(name.clone(), stat.ctime_ms);
            match znodes::decode_config_change(name, &data) {
                Ok(entity) => self.due.extend(entity.strip_prefix("topics/").map(str::to_owned)),
                Err(error) => log::error!("{error}; what it announces is not read"),
            }
        }
        self.written.retain(|name, _| names.binary_search(name).is_ok());
        self.last = names.into_iter().max().or(self.last.take());
        self.read_due(store).await
    }

    /// Deletes those that are too old to be of use to anybody, the oldest first and not too many at once. Java brokers do that as well.
    pub(super) async fn purge(&mut self, store: &dyn Store, now_ms: i64) {
        let is_obsolete = |(_, written_ms): &(&String, &i64)| now_ms.saturating_sub(**written_ms) > EXPIRATION_MS;
        let obsolete = self.written.iter().filter(is_obsolete).map(|(name, _)| name.clone());
        let obsolete: Vec<String> = obsolete.take(PURGED_WITH_A_NEW_ONE).collect();
        let delete = |name: &String| store.delete(&format!("{}/{name}", znodes::CONFIG_CHANGES), ANY_VERSION);
        // Asked for together, then awaited one by one.
        let deleted: Vec<_> = obsolete.iter().map(delete).collect();
        for (name, deleted) in obsolete.iter().zip(deleted) {
            match deleted.await {
                Ok(()) | Err(StoreError::NoNode { .. }) => drop(self.written.remove(name)),
                Err(error) => return log::info!("old notices of changed configurations stay for now: {error}"),
            }
        }
    }

    async fn read_due(&mut self, store: &dyn Store) -> Result<Vec<TopicConfigs>, StoreError> {
        let mut read = Vec::new();
        for topic in self.due.clone() {
            let path = znodes::topic_config(&topic);
            let found = store.get_many(vec![path.clone()]).await;
            let found = found.inspect_err(|_| self.watch.look_again())?.pop().flatten();
            let version = found.as_ref().map(|(_, stat)| stat.version);
            let configs = found.map_or_else(|| Ok(ConfigMap::new()), |(data, _)| znodes::decode_config(&path, &data));
            self.due.remove(&topic);
            match configs {
                Ok(configs) => read.push(TopicConfigs {
                    topic,
                    configs,
                    version,
                }),
                // It is read again with the next notice; until then what was known holds.
                Err(error) => log::error!("{error}; the configuration of topic {topic} stays as it was"),
            }
        }
        Ok(read)
    }
}
