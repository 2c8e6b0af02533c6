//! What every [`Store`] owes its callers, checked on one that is given: the embedded one in this crate's tests, one in an
//! ensemble where there is one.

use std::sync::Arc;

use bytes::Bytes;

use crate::store::{ANY_VERSION, BoxFuture, CreateMode, Op, OpResult, Store, StoreError, WatchEvent, WatchKind};

/// Opens another session on the same tree, after the one before was closed.
pub type Open<'a> = &'a dyn Fn() -> BoxFuture<'a, Arc<dyn Store>>;

/// All of it, below znodes of its own.
///
/// # Panics
/// Where the store does something else than ZooKeeper's rules say.
pub async fn check(open: Open<'_>) {
    let store = open().await;
    creates_sets_and_deletes(store.as_ref()).await;
    reads_many(store.as_ref()).await;
    a_multi_is_all_or_nothing(store.as_ref()).await;
    sequences_count_creations(store.as_ref()).await;
    watches_fire_once(store.as_ref()).await;
    calls_take_effect_in_their_order(store.as_ref()).await;
    ephemerals_go_with_their_session(store, open).await;
}

async fn create(store: &dyn Store, path: &str, mode: CreateMode) -> Result<String, StoreError> {
    let created = store.create(path, Bytes::from_static(b"x"), mode).await;
    created.map(|(path, _)| path)
}

async fn creates_sets_and_deletes(store: &dyn Store) {
    let path = |path: &str| StoreError::NoNode { path: path.to_owned() };
    let refused = create(store, "/basic/b", CreateMode::Persistent).await;
    assert!(matches!(refused, Err(StoreError::NoNode { .. })), "{refused:?}");
    let data = Bytes::from_static(b"one");
    let (made, stat) = store
        .create("/basic", data, CreateMode::Persistent)
        .await
        .expect("created");
    assert_eq!((made.as_str(), stat.version, stat.data_length), ("/basic", 0, 3));
    assert_eq!(stat.czxid, stat.mzxid);
    let there = create(store, "/basic", CreateMode::Persistent).await;
    assert_eq!(there, Err(StoreError::NodeExists { path: "/basic".into() }));
    let set = store.set("/basic", Bytes::from_static(b"two!"), 0).await.expect("set");
    assert_eq!((set.version, set.czxid, set.data_length), (1, stat.czxid, 4));
    assert!(set.mzxid > stat.mzxid, "every transaction has a higher zxid");
    let stale = StoreError::BadVersion {
        path: "/basic".into(),
        expected: 0,
    };
    assert_eq!(store.set("/basic", Bytes::new(), 0).await, Err(stale.clone()));
    assert_eq!(store.delete("/basic", 0).await, Err(stale));
    create(store, "/basic/b", CreateMode::Persistent)
        .await
        .expect("created");
    let full = StoreError::NotEmpty { path: "/basic".into() };
    assert_eq!(store.delete("/basic", 1).await, Err(full));
    store.delete("/basic/b", ANY_VERSION).await.expect("deleted");
    let stat = store.exists("/basic").await.expect("read").expect("there");
    assert_eq!(
        (stat.num_children, stat.cversion),
        (0, 2),
        "both changes of its children count"
    );
    assert!(stat.pzxid > set.mzxid);
    store.delete("/basic", 1).await.expect("deleted");
    assert_eq!(store.get("/basic").await, Err(path("/basic")));
    assert_eq!(
        store.set("/basic", Bytes::new(), ANY_VERSION).await,
        Err(path("/basic"))
    );
    assert_eq!(store.children("/basic").await, Err(path("/basic")));
    for path in ["", "a", "/a/", "//", "/./a", "/a/..", "/a\u{0}"] {
        let refused = StoreError::BadArguments { path: path.into() };
        assert_eq!(
            create(store, path, CreateMode::Persistent).await,
            Err(refused),
            "{path:?}"
        );
    }
}

async fn reads_many(store: &dyn Store) {
    let ops = (0..300).map(|number| Op::create(format!("/many/{number:03}"), format!("{number}")));
    let ops = std::iter::once(Op::create("/many", "")).chain(ops);
    store.multi(ops.collect()).await.expect("created");
    let paths = (0..600).map(|number| format!("/many/{number:03}"));
    let found = store.get_many(paths.collect()).await.expect("read");
    for (number, znode) in found.iter().enumerate() {
        let expected = (number < 300).then(|| number.to_string());
        let data = znode
            .as_ref()
            .map(|(data, _)| String::from_utf8_lossy(data).into_owned());
        assert_eq!(data, expected, "{number}");
    }
    let names: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
    assert_eq!(store.children("/many").await.expect("read"), names, "sorted");
}

async fn a_multi_is_all_or_nothing(store: &dyn Store) {
    let check = |version| Op::Check {
        path: "/multi".into(),
        version,
    };
    let ops = |version| {
        vec![
            Op::create("/multi", "1"),
            Op::create("/multi/b", "2"),
            Op::set("/multi", "3", 0),
            Op::delete("/multi/b", 0),
            check(version),
        ]
    };
    let cause = StoreError::BadVersion {
        path: "/multi".into(),
        expected: 7,
    };
    let failed = StoreError::Multi {
        index: 4,
        error: Box::new(cause),
    };
    assert_eq!(store.multi(ops(7)).await, Err(failed));
    assert_eq!(store.exists("/multi").await, Ok(None));
    let results = store.multi(ops(1)).await.expect("all of it");
    let [
        OpResult::Created { path, .. },
        _,
        OpResult::Set(set),
        OpResult::Deleted,
        OpResult::Checked,
    ] = &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!((path.as_str(), set.version), ("/multi", 1));
    assert_eq!(set.czxid, set.mzxid, "one transaction, one zxid");
    let any = store.multi(vec![check(ANY_VERSION)]).await;
    assert_eq!(any, Ok(vec![OpResult::Checked]), "it only has to be there");
    assert_eq!(store.multi(Vec::new()).await, Ok(Vec::new()));
}

async fn sequences_count_creations(store: &dyn Store) {
    create(store, "/changes", CreateMode::Persistent)
        .await
        .expect("created");
    for number in 0..4 {
        let expected = format!("/changes/change_{number:010}");
        let made = create(store, "/changes/change_", CreateMode::PersistentSequential).await;
        assert_eq!(made.as_ref(), Ok(&expected));
        if number % 2 == 0 {
            store.delete(&expected, 0).await.expect("deleted");
        }
    }
}

async fn watches_fire_once(store: &dyn Store) {
    let event = |kind, path: &str| WatchEvent {
        kind,
        path: path.into(),
    };
    let (none, created) = store.exists_and_watch("/watched").await.expect("watched");
    assert_eq!(none, None);
    let (_, children) = store.children_and_watch("/").await.expect("watched");
    create(store, "/watched", CreateMode::Persistent)
        .await
        .expect("created");
    assert_eq!(created.await, event(WatchKind::Created, "/watched"));
    assert_eq!(children.await, event(WatchKind::ChildrenChanged, "/"));
    let (_, _, changed) = store.get_and_watch("/watched").await.expect("watched");
    let (_, children) = store.children_and_watch("/watched").await.expect("watched");
    let (_, deleted) = store.exists_and_watch("/watched/b").await.expect("watched");
    create(store, "/watched/b", CreateMode::Persistent)
        .await
        .expect("created");
    assert_eq!(deleted.await, event(WatchKind::Created, "/watched/b"));
    assert_eq!(children.await, event(WatchKind::ChildrenChanged, "/watched"));
    store.set("/watched", Bytes::from_static(b"1"), 0).await.expect("set");
    assert_eq!(changed.await, event(WatchKind::DataChanged, "/watched"));
    let (_, children) = store.children_and_watch("/watched/b").await.expect("watched");
    store.delete("/watched/b", 0).await.expect("deleted");
    assert_eq!(children.await, event(WatchKind::Deleted, "/watched/b"));
}

/// Several at once, each of which needs the one before.
async fn calls_take_effect_in_their_order(store: &dyn Store) {
    create(store, "/order", CreateMode::Persistent).await.expect("created");
    let asked: Vec<_> = (0..200)
        .map(|version| store.set("/order", Bytes::from(version.to_string()), version))
        .collect();
    let last = store.get("/order");
    for (version, answer) in asked.into_iter().enumerate() {
        assert_eq!(answer.await.map(|stat| stat.version), Ok(version as i32 + 1));
    }
    assert_eq!(
        last.await.expect("read").0,
        "199",
        "a read sees the writes that were asked before it"
    );
}

async fn ephemerals_go_with_their_session(store: Arc<dyn Store>, open: Open<'_>) {
    create(store.as_ref(), "/ids", CreateMode::Persistent)
        .await
        .expect("created");
    create(store.as_ref(), "/ids/1", CreateMode::Ephemeral)
        .await
        .expect("created");
    let first = store.exists("/ids/1").await.expect("read").expect("there");
    assert_eq!(first.ephemeral_owner, store.session_id());
    let below = create(store.as_ref(), "/ids/1/x", CreateMode::Persistent).await;
    assert!(
        matches!(below, Err(StoreError::NoChildrenForEphemerals { .. })),
        "{below:?}"
    );
    let (_, never) = store.exists_and_watch("/never").await.expect("watched");
    let session = store.session_id();
    store.close().await.expect("closed");
    assert_eq!(never.await.kind, WatchKind::SessionEnded);
    let closed = store.get("/ids").await;
    assert!(
        matches!(closed, Err(StoreError::Closed | StoreError::SessionEnded)),
        "{closed:?}"
    );
    let store = open().await;
    assert_ne!(store.session_id(), session);
    assert_eq!(store.children("/ids").await.expect("read"), [""; 0]);
    create(store.as_ref(), "/ids/1", CreateMode::Ephemeral)
        .await
        .expect("created");
    let second = store.exists("/ids/1").await.expect("read").expect("there");
    assert!(second.czxid > first.czxid, "zxids rise over sessions");
    store.close().await.expect("closed");
}
