//! The store from one session to the next. Everybody holds the same [`Sessions`]; whoever keeps the broker a member of its cluster
//! puts a new session in the place of one that has ended, and until then every call says [`StoreError::SessionEnded`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;

use crate::session_file::{SessionFile, SessionFileError};
use crate::store::{BoxFuture, Op, OpResult, Stat, Store, StoreError, Watcher, Znode};
use crate::store_zookeeper::{ConnectError, Ensemble, ZookeeperStore};

/// A store of which the session may change.
pub struct Sessions {
    current: RwLock<Arc<dyn Store>>,
    /// How the next session is opened; `None` for a store whose only session ends with the broker.
    next: Option<Arc<dyn OpenSession>>,
}

/// Opens one session after the other.
pub trait OpenSession: Send + Sync {
    /// A new session. It is noted before anything is done in it.
    ///
    /// # Errors
    /// Where no server answers in time, or it could not be noted.
    fn open(&self) -> BoxFuture<'_, Result<Arc<dyn Store>, SessionError>>;

    /// Whether this broker has held this session, in this run or an earlier one.
    fn has_held(&self, session: i64) -> bool;
}

/// Sessions with an ensemble of ZooKeeper servers.
struct OnZookeeper {
    ensemble: Ensemble,
    file: Mutex<SessionFile>,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// None could be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It could not be noted.
    #[error(transparent)]
    File(#[from] SessionFileError),
}

impl Sessions {
    /// The one session of a store that has no others.
    pub fn only(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            current: RwLock::new(store),
            next: None,
        })
    }

    /// The first session with an ensemble. `file` keeps which sessions this broker has had.
    ///
    /// # Errors
    /// Where no server answers in time, the path of `zookeeper.connect` cannot be made, or the file cannot be written.
    pub async fn connect(ensemble: Ensemble, file: SessionFile) -> Result<Arc<Self>, SessionError> {
        let file = Mutex::new(file);
        Sessions::open(Arc::new(OnZookeeper { ensemble, file })).await
    }

    /// The first session of those that `next` opens, with a store that is shared with other brokers.
    ///
    /// # Errors
    /// As [`OpenSession::open`].
    pub async fn open(next: Arc<dyn OpenSession>) -> Result<Arc<Self>, SessionError> {
        Ok(Arc::new(Self {
            current: RwLock::new(next.open().await?),
            next: Some(next),
        }))
    }

    /// Puts a new session in the place of the one that has ended.
    ///
    /// # Errors
    /// As [`connect`](Sessions::connect); the old one stays in its place. [`ConnectError::Over`] where there is none but the first.
    pub(crate) async fn renew(&self) -> Result<(), SessionError> {
        let store = self.next.as_ref().ok_or(ConnectError::Over)?.open().await?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = store;
        Ok(())
    }

    /// Whether the store is shared with other brokers, and its servers may be away.
    pub fn is_ensemble(&self) -> bool {
        self.next.is_some()
    }

    /// Whether this broker holds this session, or has held it.
    pub(crate) fn is_ours(&self, session: i64) -> bool {
        self.session_id() == session || self.next.as_ref().is_some_and(|next| next.has_held(session))
    }

    fn current(&self) -> Arc<dyn Store> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl OpenSession for OnZookeeper {
    fn open(&self) -> BoxFuture<'_, Result<Arc<dyn Store>, SessionError>> {
        Box::pin(async move {
            let store = ZookeeperStore::connect(self.ensemble.clone()).await?;
            let noted = self.file().note(store.session_id());
            if let Err(error) = noted {
                // Nothing has been done in it.
                drop(store.close().await);
                return Err(error.into());
            }
            let store: Arc<dyn Store> = Arc::new(store);
            Ok(store)
        })
    }

    fn has_held(&self, session: i64) -> bool {
        self.file().contains(session)
    }
}

impl OnZookeeper {
    fn file(&self) -> MutexGuard<'_, SessionFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Sessions {
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Znode, StoreError>> {
        self.current().get(path)
    }

    fn get_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Bytes, Stat, Watcher), StoreError>> {
        self.current().get_and_watch(path)
    }

    fn get_many(&self, paths: Vec<String>) -> BoxFuture<'static, Result<Vec<Option<Znode>>, StoreError>> {
        self.current().get_many(paths)
    }

    fn exists(&self, path: &str) -> BoxFuture<'static, Result<Option<Stat>, StoreError>> {
        self.current().exists(path)
    }

    fn exists_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Option<Stat>, Watcher), StoreError>> {
        self.current().exists_and_watch(path)
    }

    fn children(&self, path: &str) -> BoxFuture<'static, Result<Vec<String>, StoreError>> {
        self.current().children(path)
    }

    fn children_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Vec<String>, Watcher), StoreError>> {
        self.current().children_and_watch(path)
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<Vec<OpResult>, StoreError>> {
        self.current().multi(ops)
    }

    fn sync(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.current().sync()
    }

    fn max_multi_bytes(&self) -> usize {
        self.current().max_multi_bytes()
    }

    fn session_id(&self) -> i64 {
        self.current().session_id()
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.current().close()
    }
}
