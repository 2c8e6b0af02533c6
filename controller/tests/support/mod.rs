//! A store for tests that is not quite what it should be.
#![allow(dead_code)]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use controller::store::{Op, OpResult, Stat, Store, StoreError, Watcher, Znode};
use controller::{BoxFuture, EmbeddedStore};

/// The embedded store; everything in it may be older than it is, and a write may fail.
pub struct AlteredStore {
    inner: EmbeddedStore,
    older_by_ms: AtomicI64,
    next_failure: Mutex<Option<StoreError>>,
}

impl AlteredStore {
    /// Opens the store in a directory, as it should be for now.
    pub fn open(directory: &Path) -> Self {
        Self {
            inner: EmbeddedStore::open(directory).expect("the store opens"),
            older_by_ms: AtomicI64::new(0),
            next_failure: Mutex::default(),
        }
    }

    /// From now on what was created seems to be older by this.
    pub fn age(&self, by_ms: i64) {
        self.older_by_ms.store(by_ms, Ordering::Relaxed);
    }

    /// The next write fails with this.
    pub fn fail_next(&self, error: StoreError) {
        *self.next_failure.lock().expect("nobody panicked") = Some(error);
    }

    fn make_older(&self, stat: &mut Stat) {
        stat.ctime_ms -= self.older_by_ms.load(Ordering::Relaxed);
    }
}

impl Store for AlteredStore {
    fn get(&self, path: &str) -> BoxFuture<'_, Result<Znode, StoreError>> {
        self.inner.get(path)
    }

    fn get_and_watch(&self, path: &str) -> BoxFuture<'_, Result<(Bytes, Stat, Watcher), StoreError>> {
        self.inner.get_and_watch(path)
    }

    fn get_many(&self, paths: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<Znode>>, StoreError>> {
        Box::pin(async move {
            let mut found = self.inner.get_many(paths).await?;
            found.iter_mut().flatten().for_each(|(_, stat)| self.make_older(stat));
            Ok(found)
        })
    }

    fn exists(&self, path: &str) -> BoxFuture<'_, Result<Option<Stat>, StoreError>> {
        self.inner.exists(path)
    }

    fn exists_and_watch(&self, path: &str) -> BoxFuture<'_, Result<(Option<Stat>, Watcher), StoreError>> {
        self.inner.exists_and_watch(path)
    }

    fn children(&self, path: &str) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        self.inner.children(path)
    }

    fn children_and_watch(&self, path: &str) -> BoxFuture<'_, Result<(Vec<String>, Watcher), StoreError>> {
        self.inner.children_and_watch(path)
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'_, Result<Vec<OpResult>, StoreError>> {
        let failure = self.next_failure.lock().expect("nobody panicked").take();
        Box::pin(async move {
            if let Some(error) = failure {
                return Err(error);
            }
            let mut results = self.inner.multi(ops).await?;
            for result in &mut results {
                if let OpResult::Created { stat: Some(stat), .. } = result {
                    self.make_older(stat);
                }
            }
            Ok(results)
        })
    }

    fn session_id(&self) -> i64 {
        self.inner.session_id()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.inner.close()
    }
}
