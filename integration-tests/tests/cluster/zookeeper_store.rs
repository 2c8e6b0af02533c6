//! The store in an ensemble, against a real server: what every store owes its callers, and what happens when the server goes
//! away.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use controller::store::{ANY_VERSION, CreateMode, Store, StoreError};
use controller::testing::store_contract;
use controller::{BoxFuture, ConnectError, Ensemble, ZookeeperStore};
use integration_tests::zookeeper::ZooKeeper;

fn ensemble(connect: String) -> Ensemble {
    Ensemble {
        connect,
        session_timeout: Duration::from_secs(10),
        connection_timeout: Duration::from_secs(30),
        set_acl: false,
        max_in_flight_requests: 10,
    }
}

async fn open(connect: String) -> Arc<dyn Store> {
    Arc::new(ZookeeperStore::connect(ensemble(connect)).await.expect("a session"))
}

#[tokio::test]
async fn it_is_a_store() {
    let server = ZooKeeper::start();
    let connect = server.connect();
    let open = || -> BoxFuture<'_, Arc<dyn Store>> { Box::pin(open(connect.clone())) };
    store_contract::check(&open).await;
}

#[tokio::test]
async fn a_missing_chroot_is_made_and_everything_lies_below_it() {
    let server = ZooKeeper::start();
    let below = open(format!("{}/deep/down", server.connect())).await;
    below
        .create("/a", Bytes::from_static(b"1"), CreateMode::Persistent)
        .await
        .expect("created");
    let whole = open(server.connect()).await;
    assert_eq!(whole.get("/deep/down/a").await.expect("read").0, "1");
    assert_eq!(below.children("/").await.expect("read"), ["a"]);
    let (_, _, changed) = below.get_and_watch("/a").await.expect("watched");
    whole
        .set("/deep/down/a", Bytes::from_static(b"2"), ANY_VERSION)
        .await
        .expect("set");
    assert_eq!(changed.await.path, "/a", "paths of events are those below it as well");
}

#[tokio::test]
async fn a_server_that_is_away_delays_reads_and_leaves_writes_unknown() {
    let mut server = ZooKeeper::start();
    let store = open(server.connect()).await;
    store
        .create("/a", Bytes::from_static(b"1"), CreateMode::Persistent)
        .await
        .expect("created");
    server.pause();
    let write = store.set("/a", Bytes::from_static(b"2"), 0);
    let read = store.get("/a");
    // It takes both, then it is gone without having seen them.
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.kill();
    server.restart();
    let written = write.await;
    assert!(matches!(written, Err(StoreError::Unknown { .. })), "{written:?}");
    let (data, stat) = read.await.expect("read again");
    assert_eq!((&data[..], stat.version), (&b"1"[..], 0));
    store
        .set("/a", Bytes::from_static(b"3"), 0)
        .await
        .expect("the session goes on");
}

#[tokio::test]
async fn a_session_that_ended_says_so_to_all_calls_and_watches() {
    let mut server = ZooKeeper::start();
    let mut short = ensemble(server.connect());
    short.session_timeout = Duration::from_secs(1);
    let store = ZookeeperStore::connect(short).await.expect("a session");
    let (_, never) = store.exists_and_watch("/never").await.expect("watched");
    server.pause();
    let event = never.await;
    assert_eq!(event.kind, controller::store::WatchKind::SessionEnded);
    assert_eq!(store.get("/").await, Err(StoreError::SessionEnded));
    server.resume();
    store.close().await.expect("there is nothing left to close");
    let next = open(server.connect()).await;
    assert_eq!(next.exists("/never").await, Ok(None));
}

#[tokio::test]
async fn nobody_there_is_one_clear_error() {
    let mut nobody = ensemble("127.0.0.1:1/chroot".to_owned());
    nobody.connection_timeout = Duration::from_millis(300);
    let error = ZookeeperStore::connect(nobody).await.err().expect("nobody is there");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with("no ZooKeeper server of zookeeper.connect 127.0.0.1:1/chroot has answered within 300 ms"),
        "{text}"
    );
}
