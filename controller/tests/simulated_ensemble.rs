//! The ensemble of simulations is a store as any other, and its sessions end as ZooKeeper's do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use controller::store::{CreateMode, StoreError};
use controller::testing::ensemble::Ensemble;
use controller::testing::store_contract;
use controller::{OpenSession, Store};

const TIMEOUT: Duration = Duration::from_secs(6);

fn wait(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(test);
}

#[test]
fn it_is_a_store() {
    let ensemble = Ensemble::new(7);
    let client = ensemble.client(TIMEOUT);
    wait(store_contract::check(&|| {
        let client = client.clone();
        Box::pin(async move { client.open().await.expect("it is reached") })
    }));
}

async fn registered(ensemble: &Ensemble) -> (Arc<controller::testing::ensemble::Client>, Arc<dyn Store>) {
    let client = ensemble.client(TIMEOUT);
    let store = client.open().await.expect("it is reached");
    let data = Bytes::from_static(b"here");
    store.create("/me", data, CreateMode::Ephemeral).await.expect("created");
    (client, store)
}

#[test]
fn a_session_ends_when_nothing_was_heard_of_it_for_long() {
    wait(async {
        let ensemble = Ensemble::new(1);
        let (client, store) = registered(&ensemble).await;
        client.set_link(false);
        ensemble.tell_time(6_000);
        assert!(ensemble.peek("/me").is_some());
        ensemble.tell_time(6_001);
        assert!(ensemble.peek("/me").is_none());
        client.set_link(true);
        assert_eq!(store.get("/me").await, Err(StoreError::SessionEnded));
        assert!(client.has_held(store.session_id()));
    });
}

#[test]
fn without_a_quorum_no_session_ends() {
    wait(async {
        let ensemble = Ensemble::new(1);
        let (client, store) = registered(&ensemble).await;
        ensemble.set_away(true);
        ensemble.tell_time(60_000);
        ensemble.set_away(false);
        ensemble.tell_time(61_000);
        assert!(store.get("/me").await.is_ok());
        client.set_alive(false);
        ensemble.tell_time(67_001);
        assert!(ensemble.peek("/me").is_none(), "its process has ended");
    });
}

#[test]
fn a_watch_is_told_when_the_link_is_mended() {
    wait(async {
        let ensemble = Ensemble::new(1);
        let (client, store) = registered(&ensemble).await;
        let other = ensemble.client(TIMEOUT).open().await.expect("it is reached");
        let (_, _, watcher) = store.get_and_watch("/me").await.expect("it is there");
        client.set_link(false);
        other.set("/me", Bytes::new(), 0).await.expect("it is there");
        let told = tokio::time::timeout(Duration::from_millis(50), watcher);
        assert!(told.await.is_err(), "it is not reached");
        let (_, _, watcher) = other.get_and_watch("/me").await.expect("it is there");
        client.set_link(true);
        store.set("/me", Bytes::new(), 1).await.expect("it is there");
        watcher.await;
    });
}
