//! What keeps the store and a request within bounds: notices of changed configurations in a real store, whose clock the test turns
//! on; the partitions that one request may add.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use controller::store::Store;
use controller::{
    Applied, Bootstrap, BoxFuture, BrokerRegistration, ConfigMap, ControllerHandle, Effect, EffectSink, NewPartitions,
    NewTopic, NoPeers, Rejection, TopicConfigChange, TopicPolicy,
};
use support::AlteredStore;

struct Policy;

impl TopicPolicy for Policy {
    fn validate_configs(&self, _: &str, _: &ConfigMap) -> Result<(), String> {
        Ok(())
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
        200_000
    }
}

struct Deaf;

impl EffectSink for Deaf {
    fn apply(&mut self, _: Vec<Effect>) -> BoxFuture<'_, Applied> {
        Box::pin(async { Applied::default() })
    }
}

async fn start(store: &Arc<AlteredStore>) -> ControllerHandle {
    let bootstrap = Bootstrap::new(store.clone()).await.expect("the store is there");
    bootstrap.cluster_id(None).await.expect("a cluster id");
    let registration = BrokerRegistration {
        id: 1,
        endpoints: Vec::new(),
        rack: None,
        jmx_port: -1,
        features: BTreeMap::new(),
        sordini: None,
    };
    let started = controller::driver::start(
        bootstrap,
        registration,
        Arc::new(Policy),
        Box::new(Deaf),
        Arc::new(NoPeers),
    )
    .await;
    started.expect("the controller starts").handle
}

async fn change(handle: &ControllerHandle) {
    let change = TopicConfigChange {
        topic: "t".into(),
        configs: ConfigMap::new(),
        expected: None,
    };
    let changed = handle.alter_topic_configs(vec![change], false).await;
    assert_eq!(changed, Ok(vec![Ok(())]));
}

async fn notices(store: &AlteredStore) -> usize {
    store
        .children("/config/changes")
        .await
        .expect("the store is open")
        .len()
}

#[test]
fn notices_do_not_pile_up_while_a_controller_runs_nor_over_its_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let open = |by_ms| {
        let store = AlteredStore::open(directory.path());
        store.age(by_ms);
        Arc::new(store)
    };
    runtime.block_on(async {
        let store = open(0);
        let handle = start(&store).await;
        let created = handle.create_topics(vec![NewTopic::with_defaults("t")], false).await;
        assert!(created.expect("answered")[0].is_ok());
        for _ in 0..3 {
            change(&handle).await;
        }
        assert_eq!(notices(&store).await, 3);
        // From here on each is an hour old when it is written.
        store.age(60 * 60 * 1000);
        change(&handle).await;
        assert_eq!(notices(&store).await, 4, "the first three are new");
        handle.shutdown().await.expect("stopped");
        drop(store);

        let store = open(60 * 60 * 1000);
        let handle = start(&store).await;
        assert_eq!(notices(&store).await, 0, "all are old now");
        for _ in 0..3 {
            change(&handle).await;
            assert_eq!(notices(&store).await, 1, "each takes the one before with it");
        }
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn one_request_may_not_add_any_number_of_partitions() {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let handle = start(&Arc::new(AlteredStore::open(directory.path()))).await;
        let topic = |name: &str, num_partitions| NewTopic {
            num_partitions,
            ..NewTopic::with_defaults(name)
        };
        let refused = |requested| {
            let limit = 10_000;
            Rejection::TooManyPartitionsInRequest { requested, limit }
        };
        let asked = vec![topic("a", 10_000), NewTopic::with_defaults("one by default")];
        let refusals = handle.create_topics(asked, true).await;
        assert_eq!(refusals, Ok(vec![Err(refused(10_001)), Err(refused(10_001))]));
        let asked = vec![topic("a", 9_998), topic("b", 2), topic("c", -7)];
        let answers = handle.create_topics(asked, true).await.expect("answered");
        assert!(answers[0].is_ok() && answers[1].is_ok(), "{answers:?}");
        let created = handle.create_topics(vec![topic("t", 2)], false).await;
        assert!(created.expect("answered")[0].is_ok());
        let more = |count| NewPartitions {
            topic: "t".into(),
            count,
            assignments: None,
        };
        let refusal = handle.create_partitions(vec![more(10_003)], true).await;
        assert_eq!(refusal, Ok(vec![Err(refused(10_001))]));
        assert_eq!(
            handle.create_partitions(vec![more(10_002)], true).await,
            Ok(vec![Ok(())])
        );
        handle.shutdown().await.expect("stopped");
    });
}
