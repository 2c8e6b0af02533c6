use std::path::Path;

use super::super::config_notices::ConfigNotices;
use super::*;
use crate::EmbeddedStore;
use crate::config_changes::EXPIRATION_MS;

struct Policy;

impl TopicPolicy for Policy {
    fn validate_configs(&self, _: &str, configs: &ConfigMap) -> Result<(), String> {
        match configs.get("retention.ms").map(String::as_str) {
            Some("never") => Err("retention.ms=never".to_owned()),
            _ => Ok(()),
        }
    }

    fn num_partitions(&self) -> i32 {
        1
    }

    fn default_replication_factor(&self) -> i32 {
        1
    }

    fn delete_topic_enable(&self) -> bool {
        true
    }

    fn max_partitions(&self) -> usize {
        1
    }
}

async fn open(directory: &Path) -> EmbeddedStore {
    let store = EmbeddedStore::open(directory).expect("the store opens");
    let paths = ["/brokers", "/brokers/topics", "/brokers/topics/t"];
    let paths = paths.iter().chain(&["/config", "/config/topics", "/config/changes"]);
    let ops = paths.map(|&path| Op::create(path, "")).collect();
    store.multi(ops).await.expect("made");
    store
}

fn retention(value: &str) -> ConfigMap {
    ConfigMap::from([("retention.ms".to_owned(), value.to_owned())])
}

async fn change(store: &EmbeddedStore, value: &str, expected: Option<ConfigMap>) -> Result<Option<i32>, Rejection> {
    let change = TopicConfigChange {
        topic: "t".to_owned(),
        configs: retention(value),
        expected,
    };
    let written = write(store, &Policy, change, false).await.expect("the store is well");
    written.map(|changed| changed.expect("it was written").version)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}

#[test]
fn what_has_changed_meanwhile_is_not_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store = open(directory.path()).await;
        assert_eq!(change(&store, "1", Some(ConfigMap::new())).await, Ok(Some(0)));
        // Another broker, which had read the same.
        let changed = Rejection::ConfigsChanged { topic: "t".to_owned() };
        assert_eq!(change(&store, "2", Some(ConfigMap::new())).await, Err(changed));
        assert_eq!(change(&store, "2", Some(retention("1"))).await, Ok(Some(1)));
        assert_eq!(change(&store, "3", None).await, Ok(Some(2)));
        let refused = change(&store, "never", None).await;
        assert!(matches!(refused, Err(Rejection::InvalidConfig { .. })), "{refused:?}");
        let unknown = TopicConfigChange {
            topic: "u".to_owned(),
            configs: ConfigMap::new(),
            expected: None,
        };
        let refused = write(&store, &Policy, unknown, true).await.expect("the store is well");
        assert_eq!(refused, Err(Rejection::UnknownTopic { topic: "u".to_owned() }));
    });
}

#[test]
fn notices_are_heard_once_and_go_when_they_are_old() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store = open(directory.path()).await;
        let mut notices = ConfigNotices::new();
        for value in ["1", "2"] {
            change(&store, value, None).await.expect("written");
        }
        let heard = notices.hear(&store).await.expect("read");
        assert_eq!(heard.len(), 1, "two notices of one topic: {heard:?}");
        assert_eq!((&heard[0].configs, heard[0].version), (&retention("2"), Some(1)));
        assert_eq!(notices.hear(&store).await, Ok(Vec::new()));

        let count = async || store.children(znodes::CONFIG_CHANGES).await.expect("read").len();
        let written = async |name: &str| {
            let path = format!("{}/{name}", znodes::CONFIG_CHANGES);
            store.get(&path).await.expect("read").1.ctime_ms
        };
        let names = store.children(znodes::CONFIG_CHANGES).await.expect("read");
        let newest = written(&names[1]).await;
        notices.purge(&store, newest + EXPIRATION_MS - 60_000).await;
        assert_eq!(count().await, 2);
        // Somebody else has deleted one of them already.
        let path = format!("{}/{}", znodes::CONFIG_CHANGES, names[0]);
        store.delete(&path, -1).await.expect("deleted");
        notices.purge(&store, newest + EXPIRATION_MS + 1).await;
        assert_eq!(count().await, 0);
        change(&store, "3", None).await.expect("written");
        let heard = notices.hear(&store).await.expect("read");
        assert_eq!((&heard[0].configs, heard[0].version), (&retention("3"), Some(2)));
    });
}
