//! A store for tests that is not quite what it should be.
#![allow(dead_code)]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use bytes::Bytes;
use controller::store::{Op, OpResult, Stat, Store, StoreError, Watcher, Znode};
use controller::{BoxFuture, EmbeddedStore};

/// The embedded store; everything in it may be older than it is, and a write may fail.
pub struct AlteredStore {
    inner: EmbeddedStore,
    older_by_ms: AtomicI64,
    next_failure: Mutex<Option<StoreError>>,
    loses_next_answer: AtomicBool,
    max_multi_bytes: AtomicUsize,
    multis: AtomicUsize,
}

impl AlteredStore {
    /// Opens the store in a directory, as it should be for now.
    pub fn open(directory: &Path) -> Self {
        Self {
            inner: EmbeddedStore::open(directory).expect("the store opens"),
            older_by_ms: AtomicI64::new(0),
            next_failure: Mutex::default(),
            loses_next_answer: AtomicBool::new(false),
            max_multi_bytes: AtomicUsize::new(usize::MAX),
            multis: AtomicUsize::new(0),
        }
    }

    /// From now on what was created seems to be older by this.
    pub fn age(&self, by_ms: i64) {
        self.older_by_ms.store(by_ms, Ordering::Relaxed);
    }

    /// The next write happens, and nobody hears of it.
    pub fn lose_next_answer(&self) {
        self.loses_next_answer.store(true, Ordering::Relaxed);
    }

    /// Takes no larger transactions from now on.
    pub fn limit_multis_to(&self, bytes: usize) {
        self.max_multi_bytes.store(bytes, Ordering::Relaxed);
    }

    /// How many transactions there have been.
    pub fn multis(&self) -> usize {
        self.multis.load(Ordering::Relaxed)
    }

    /// The next write fails with this.
    pub fn fail_next(&self, error: StoreError) {
        *self.next_failure.lock().expect("nobody panicked") = Some(error);
    }
}

impl Store for AlteredStore {
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Znode, StoreError>> {
        self.inner.get(path)
    }

    fn get_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Bytes, Stat, Watcher), StoreError>> {
        self.inner.get_and_watch(path)
    }

    fn get_many(&self, paths: Vec<String>) -> BoxFuture<'static, Result<Vec<Option<Znode>>, StoreError>> {
        let (found, by_ms) = (self.inner.get_many(paths), self.older_by_ms.load(Ordering::Relaxed));
        Box::pin(async move {
            let mut found = found.await?;
            let stats = found.iter_mut().flatten().map(|(_, stat)| stat);
            stats.for_each(|stat| stat.ctime_ms -= by_ms);
            Ok(found)
        })
    }

    fn exists(&self, path: &str) -> BoxFuture<'static, Result<Option<Stat>, StoreError>> {
        self.inner.exists(path)
    }

    fn exists_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Option<Stat>, Watcher), StoreError>> {
        self.inner.exists_and_watch(path)
    }

    fn children(&self, path: &str) -> BoxFuture<'static, Result<Vec<String>, StoreError>> {
        self.inner.children(path)
    }

    fn children_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Vec<String>, Watcher), StoreError>> {
        self.inner.children_and_watch(path)
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<Vec<OpResult>, StoreError>> {
        let failure = self.next_failure.lock().expect("nobody panicked").take();
        if let Some(error) = failure {
            return Box::pin(std::future::ready(Err(error)));
        }
        self.multis.fetch_add(1, Ordering::Relaxed);
        let is_lost = self.loses_next_answer.swap(false, Ordering::Relaxed);
        let (results, by_ms) = (self.inner.multi(ops), self.older_by_ms.load(Ordering::Relaxed));
        Box::pin(async move {
            let mut results = results.await?;
            if is_lost {
                let reason = "connection to server has lost".to_owned();
                return Err(StoreError::Unknown { reason });
            }
            for result in &mut results {
                if let OpResult::Created { stat: Some(stat), .. } = result {
                    stat.ctime_ms -= by_ms;
                }
            }
            Ok(results)
        })
    }

    fn max_multi_bytes(&self) -> usize {
        self.max_multi_bytes.load(Ordering::Relaxed)
    }

    fn session_id(&self) -> i64 {
        self.inner.session_id()
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.inner.close()
    }
}
