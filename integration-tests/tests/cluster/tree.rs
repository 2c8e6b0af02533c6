//! The znode tree, as a test looks at it.

use std::time::Duration;

use controller::store::{ANY_VERSION, CreateMode, Stat, Store};
use controller::{Ensemble, ZookeeperStore};
use tokio::runtime::Runtime;

/// A session of the test's own.
pub struct Tree {
    runtime: Runtime,
    store: ZookeeperStore,
}

impl Tree {
    /// Opens one; `connect` as in `zookeeper.connect`.
    pub fn open(connect: &str) -> Tree {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let ensemble = Ensemble {
            connect: connect.to_owned(),
            session_timeout: Duration::from_secs(30),
            connection_timeout: Duration::from_secs(30),
            set_acl: false,
            max_in_flight_requests: 10,
        };
        let store = runtime.block_on(ZookeeperStore::connect(ensemble)).expect("a session");
        Tree { runtime, store }
    }

    pub fn text(&self, path: &str) -> String {
        let (data, _) = self.runtime.block_on(self.store.get(path)).expect("the znode is there");
        String::from_utf8(data.to_vec()).expect("text")
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        let text = self.text(path);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} holds {text:?}: {error}"))
    }

    pub fn stat(&self, path: &str) -> Stat {
        let stat = self.runtime.block_on(self.store.exists(path)).expect("read");
        stat.unwrap_or_else(|| panic!("no znode {path}"))
    }

    pub fn exists(&self, path: &str) -> bool {
        self.runtime.block_on(self.store.exists(path)).expect("read").is_some()
    }

    pub fn children(&self, path: &str) -> Vec<String> {
        self.runtime
            .block_on(self.store.children(path))
            .expect("the znode is there")
    }

    pub fn create(&self, path: &str, data: &str) {
        let created = self.store.create(path, data.to_owned().into(), CreateMode::Persistent);
        self.runtime.block_on(created).expect("created");
    }

    pub fn create_ephemeral(&self, path: &str) {
        let created = self.store.create(path, "{}".into(), CreateMode::Ephemeral);
        self.runtime.block_on(created).expect("created");
    }

    pub fn set(&self, path: &str, data: &str) {
        let set = self.store.set(path, data.to_owned().into(), ANY_VERSION);
        self.runtime.block_on(set).expect("set");
    }

    pub fn delete(&self, path: &str) {
        self.runtime
            .block_on(self.store.delete(path, ANY_VERSION))
            .expect("deleted");
    }
}
