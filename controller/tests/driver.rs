//! The controller as a broker uses it: real store, real thread, and a sink that writes down what it is told.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use controller::store::{Store, StoreError};
use controller::{
    Applied, Bootstrap, BoxFuture, BrokerRegistration, ConfigMap, ControllerError, ControllerHandle, Effect,
    EffectSink, EmbeddedStore, Endpoint, FailedReplica, LeaderEpoch, NewPartitions, NewTopic, NoPeers, Rejection,
    StartError, Started, TopicConfigChange, TopicPolicy, TopicRef,
};
use support::AlteredStore;

/// The lines that all tests here have written.
struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        self.0.lock().expect("nobody panicked").push(record.args().to_string());
    }

    fn flush(&self) {}
}

impl Lines {
    fn written(&self, beginning: &str) -> usize {
        let lines = self.0.lock().expect("nobody panicked");
        lines.iter().filter(|line| line.starts_with(beginning)).count()
    }
}

fn listen() {
    log::set_logger(&LINES).expect("only one test listens");
    log::set_max_level(log::LevelFilter::Warn);
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

struct Policy;

impl TopicPolicy for Policy {
    fn validate_configs(&self, _: &str, configs: &ConfigMap) -> Result<(), String> {
        match configs.contains_key("no.such.key") {
            true => Err("Unknown topic config name: no.such.key".to_owned()),
            false => Ok(()),
        }
    }

    fn num_partitions(&self) -> i32 {
        2
    }

    fn default_replication_factor(&self) -> i32 {
        1
    }

    fn delete_topic_enable(&self) -> bool {
        true
    }

    fn max_partitions(&self) -> usize {
        20_000
    }
}

/// Writes down effects; partitions of topics named `broken…` fail.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Effect>>>);

impl EffectSink for Recorder {
    fn apply(&mut self, effects: Vec<Effect>) -> BoxFuture<'_, Applied> {
        let fails = |topic: &str| topic.starts_with("broken");
        let reason = || "disk on fire".to_owned();
        let mut failed = Vec::new();
        for effect in &effects {
            match effect {
                Effect::LeaderAndIsr { topics, .. } => {
                    for topic in topics.iter().filter(|topic| fails(&topic.topic)) {
                        failed.extend(topic.partitions.iter().map(|partition| FailedReplica {
                            topic: topic.topic.clone(),
                            partition: partition.partition,
                            error_code: protocol::ErrorCode::KAFKA_STORAGE_ERROR,
                            reason: reason(),
                        }));
                    }
                }
                Effect::StopReplica { partitions, .. } => {
                    failed.extend(
                        partitions
                            .iter()
                            .filter(|partition| fails(&partition.topic))
                            .map(|partition| FailedReplica {
                                topic: partition.topic.clone(),
                                partition: partition.partition,
                                error_code: protocol::ErrorCode::KAFKA_STORAGE_ERROR,
                                reason: reason(),
                            }),
                    );
                }
                Effect::UpdateMetadata { .. } | Effect::TopicConfigChanged { .. } => {}
            }
        }
        self.0.lock().expect("nobody panicked").extend(effects);
        Box::pin(async move {
            Applied {
                failed,
                is_stale: false,
            }
        })
    }
}

impl Recorder {
    fn take(&self) -> Vec<Effect> {
        std::mem::take(&mut self.0.lock().expect("nobody panicked"))
    }

    /// What was told since the last time, one word each.
    fn words(&self) -> Vec<String> {
        let names = |topics: &[controller::TopicState]| {
            let name = |topic: &controller::TopicState| format!("{}×{}", topic.topic, topic.partitions.len());
            topics.iter().map(name).collect::<Vec<_>>().join(",")
        };
        let word = |effect: Effect| match effect {
            Effect::LeaderAndIsr { topics, .. } => format!("lead {}", names(&topics)),
            Effect::UpdateMetadata { topics, .. } => {
                let gone = topics
                    .iter()
                    .any(|topic| topic.partitions.iter().any(|state| state.is_being_deleted()));
                format!("{} {}", if gone { "hide" } else { "show" }, names(&topics))
            }
            Effect::StopReplica { partitions, delete, .. } => {
                format!("stop {}×{} {delete}", partitions[0].topic, partitions.len())
            }
            Effect::TopicConfigChanged { topic, configs } => format!("config {topic} {configs:?}"),
        };
        self.take().into_iter().map(word).collect()
    }
}

fn registration() -> BrokerRegistration {
    BrokerRegistration {
        id: 1,
        endpoints: vec![Endpoint {
            listener_name: "PLAINTEXT".into(),
            security_protocol: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
        }],
        rack: None,
        jmx_port: -1,
        features: BTreeMap::new(),
        sordini: Some("0.1.0".into()),
    }
}

async fn start(directory: &Path, recorder: &Recorder) -> Started {
    let store = Arc::new(EmbeddedStore::open(directory).expect("the store opens"));
    start_on(store, recorder).await.expect("the controller starts")
}

async fn start_on(store: Arc<dyn Store>, recorder: &Recorder) -> Result<Started, StartError> {
    let bootstrap = Bootstrap::new(store).await?;
    bootstrap.cluster_id(None).await?;
    controller::driver::start(
        bootstrap,
        registration(),
        Arc::new(Policy),
        Box::new(recorder.clone()),
        Arc::new(NoPeers),
    )
    .await
}

async fn create(handle: &ControllerHandle, name: &str) -> Result<controller::CreatedTopic, Rejection> {
    let created = handle.create_topics(vec![NewTopic::with_defaults(name)], false).await;
    match created {
        Err(ControllerError::NotController) => Err(Rejection::NotController),
        created => created.expect("the controller answers").pop().expect("one answer"),
    }
}

#[test]
fn a_broker_starts_on_an_empty_directory_and_again() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let recorder = Recorder::default();
        let first = start(directory.path(), &recorder).await;
        assert_eq!(first.snapshot.controller_id, 1);
        assert_eq!(first.snapshot.controller_epoch.0, 1);
        assert_eq!(first.snapshot.cluster_id.len(), 22);
        assert_eq!(first.snapshot.brokers.len(), 1);
        assert_eq!(recorder.words(), ["show "]);
        create(&first.handle, "t").await.expect("created");
        first.handle.shutdown().await.expect("stopped");
        assert_eq!(create_after(&first.handle).await, ControllerError::Stopped);
        recorder.take();

        let second = start(directory.path(), &recorder).await;
        assert_eq!(second.snapshot.cluster_id, first.snapshot.cluster_id);
        assert_eq!(second.snapshot.controller_epoch.0, 2);
        assert!(second.snapshot.broker_epoch > first.snapshot.broker_epoch);
        let partition = &second.snapshot.topics[0].partitions[0];
        assert_eq!(
            (partition.leader, partition.leader_epoch),
            (1, LeaderEpoch(0)),
            "its leader registered in time"
        );
        assert_eq!(partition.controller_epoch.0, 1, "nothing was written");
        assert_eq!(recorder.words(), ["lead t×2", "show t×2"]);
        second.handle.shutdown().await.expect("stopped");
    });
}

async fn create_after(handle: &ControllerHandle) -> ControllerError {
    handle
        .create_topics(vec![NewTopic::with_defaults("late")], false)
        .await
        .expect_err("it has stopped")
}

#[test]
fn the_znodes_are_those_of_kafka() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(directory.path()).expect("the store opens"));
        let started = start_on(store.clone(), &Recorder::default()).await.expect("started");
        let mut topic = NewTopic::with_defaults("t1");
        topic.configs = vec![("retention.ms".into(), Some("3600000".into()))];
        let created = started
            .handle
            .create_topics(vec![topic], false)
            .await
            .expect("answered")
            .pop()
            .expect("one");
        let topic_id = created.expect("created").topic_id;
        started
            .handle
            .allocate_producer_id_block(1, None)
            .await
            .expect("a block");

        let mut dump = Vec::new();
        let mut paths = vec![String::new()];
        while let Some(parent) = paths.pop() {
            let listed = if parent.is_empty() { "/" } else { &parent };
            let children = store.children(listed).await.expect("it was listed");
            paths.extend(children.iter().map(|name| format!("{parent}/{name}")));
            let (data, stat) = store.get(listed).await.expect("nothing is deleted meanwhile");
            let owned = if stat.ephemeral_owner != 0 { " [E]" } else { "" };
            let text = String::from_utf8(data.to_vec()).expect("text");
            dump.push(format!("{parent}{owned} v{} => {text}", stat.version));
        }
        let timeless = |line: &str| {
            let (head, tail) = line.split_once("\"timestamp\":\"").unwrap_or((line, "\""));
            head.to_owned() + tail.split_once('"').map_or("", |(_, tail)| tail)
        };
        let dump: Vec<String> = dump.iter().map(|line| timeless(line)).collect();
        let has = |line: &str| {
            assert!(
                dump.iter().any(|found| found == line),
                "{line}\nin\n{}",
                dump.join("\n")
            )
        };
        has("/brokers/seqid v0 => ");
        has("/brokers/topics/t1/partitions v0 => ");
        has("/brokers/topics/t1/partitions/0 v0 => ");
        has(
            "/brokers/topics/t1/partitions/0/state v0 => {\"controller_epoch\":1,\"leader\":1,\"version\":1,\"leader_epoch\":0,\"isr\":[1]}",
        );
        has("/config/topics/t1 v0 => {\"config\":{\"retention.ms\":\"3600000\"},\"version\":1}");
        has("/controller_epoch v1 => 1");
        has("/feature v0 => {\"features\":{},\"status\":1,\"version\":2}");
        has("/latest_producer_id_block v0 => {\"block_end\":\"999\",\"block_start\":\"0\",\"broker\":1,\"version\":1}");
        has(&format!(
            "/brokers/topics/t1 v0 => {{\"version\":3,\"partitions\":{{\"0\":[1],\"1\":[1]}},\"adding_replicas\":{{}},\"removing_replicas\":{{}},\"topic_id\":\"{topic_id}\"}}"
        ));
        assert!(
            dump.iter().any(|line| line.starts_with("/brokers/ids/1 [E] v1 => ")),
            "{dump:?}"
        );
        assert!(
            dump.iter().any(|line| line.starts_with("/controller [E] v0 => ")),
            "{dump:?}"
        );
        started.handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn topics_come_grow_and_change() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let recorder = Recorder::default();
        let Started { handle, .. } = start(directory.path(), &recorder).await;
        recorder.take();
        let created = create(&handle, "t").await.expect("created");
        assert_eq!((created.num_partitions, created.replication_factor), (2, 1));
        assert_eq!(recorder.words(), ["lead t×2", "show t×2"], "before the answer");
        assert_eq!(
            create(&handle, "t").await,
            Err(Rejection::TopicExists { topic: "t".into() })
        );

        let more = NewPartitions {
            topic: "t".into(),
            count: 5,
            assignments: None,
        };
        let grown = handle
            .create_partitions(vec![more.clone(), more], false)
            .await
            .expect("answered");
        let refused = Rejection::PartitionsNotIncreased {
            topic: "t".into(),
            current: 5,
            requested: 5,
        };
        assert_eq!(grown, [Ok(()), Err(refused)]);
        assert_eq!(recorder.words(), ["lead t×3", "show t×3"]);

        let configs = ConfigMap::from([("retention.ms".to_owned(), "5".to_owned())]);
        let change = |configs| {
            vec![TopicConfigChange {
                topic: "t".into(),
                configs,
                expected: None,
            }]
        };
        let changed = handle
            .alter_topic_configs(change(configs), false)
            .await
            .expect("answered");
        assert_eq!(changed, [Ok(())]);
        assert_eq!(recorder.words(), ["config t {\"retention.ms\": \"5\"}"]);
        let unknown = ConfigMap::from([("no.such.key".to_owned(), String::new())]);
        let refused = handle
            .alter_topic_configs(change(unknown), false)
            .await
            .expect("answered");
        assert!(
            matches!(refused[0], Err(Rejection::InvalidConfig { .. })),
            "{refused:?}"
        );
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn a_deleted_topic_is_gone_and_its_name_is_free() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let recorder = Recorder::default();
        let Started { handle, .. } = start(directory.path(), &recorder).await;
        let created = create(&handle, "t").await.expect("created");
        recorder.take();
        let by_id = TopicRef::Id(created.topic_id);
        let deleted = handle
            .delete_topics(vec![by_id.clone()])
            .await
            .expect("answered")
            .pop()
            .expect("one");
        assert_eq!(deleted.expect("deleted").name, "t");
        assert_eq!(recorder.words(), ["hide t×2", "stop t×2 true"]);
        let again = handle
            .delete_topics(vec![by_id, TopicRef::Name("t".into())])
            .await
            .expect("answered");
        let unknown = Rejection::UnknownTopicId {
            topic_id: created.topic_id,
        };
        assert_eq!(
            again,
            [Err(unknown), Err(Rejection::UnknownTopic { topic: "t".into() })]
        );

        let once_more = create(&handle, "t").await.expect("its name is free at once");
        assert_ne!(once_more.topic_id, created.topic_id);
        handle.shutdown().await.expect("stopped");
        let Started { handle, snapshot } = start(directory.path(), &recorder).await;
        assert_eq!(snapshot.topics.len(), 1);
        assert_eq!(snapshot.topics[0].topic_id, once_more.topic_id);
        assert_eq!(snapshot.topics[0].partitions.len(), 2);
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn requests_that_meet_are_all_answered_and_share_what_they_can() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let recorder = Recorder::default();
        let Started { handle, .. } = start(directory.path(), &recorder).await;
        recorder.take();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..200 {
            let handle = handle.clone();
            // Every name is asked for twice: one creation, one refusal.
            tasks.spawn(async move { create(&handle, &format!("t{}", number / 2)).await.is_ok() });
        }
        assert_eq!(
            tasks.join_all().await.into_iter().filter(|&created| created).count(),
            100
        );
        assert!(
            recorder.words().len() < 200,
            "effects of creations that met go together"
        );

        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let handle = handle.clone();
            tasks.spawn(async move { handle.allocate_producer_id_block(1, None).await.expect("a block") });
        }
        let mut blocks = tasks.join_all().await;
        blocks.sort_by_key(|block| block.first);
        for (number, block) in (0..).zip(&blocks) {
            assert_eq!((block.first, block.last), (number * 1000, number * 1000 + 999));
        }
        handle.shutdown().await.expect("stopped");
        let Started { handle, snapshot } = start(directory.path(), &recorder).await;
        assert_eq!(snapshot.topics.len(), 100);
        assert_eq!(
            handle.allocate_producer_id_block(1, None).await.expect("a block").first,
            50_000
        );
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn topics_that_are_deleted_together_are_hidden_and_stopped_together() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let recorder = Recorder::default();
        let Started { handle, .. } = start(directory.path(), &recorder).await;
        let names: Vec<String> = (0..3).map(|n| format!("t{n}")).collect();
        let topics = names.iter().map(NewTopic::with_defaults).collect();
        handle.create_topics(topics, false).await.expect("created");
        recorder.take();
        let refs = names.into_iter().map(TopicRef::Name).collect();
        let deleted = handle.delete_topics(refs).await.expect("answered");
        assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
        // A broker's work for each of these grows with all that it holds.
        assert_eq!(recorder.words(), ["hide t0×2,t1×2,t2×2", "stop t0×6 true"]);
        handle.shutdown().await.expect("stopped");
        let Started { handle, snapshot } = start(directory.path(), &recorder).await;
        assert!(snapshot.topics.is_empty(), "{:?}", snapshot.topics);
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn validate_only_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let recorder = Recorder::default();
        let Started { handle, .. } = start(directory.path(), &recorder).await;
        recorder.take();
        let answers = handle
            .create_topics(vec![NewTopic::with_defaults("t")], true)
            .await
            .expect("answered");
        let valid = answers[0].as_ref().expect("valid");
        assert!(valid.topic_id.is_zero() && valid.num_partitions == 2);
        assert_eq!(recorder.words(), [""; 0]);
        create(&handle, "t").await.expect("still free");
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn a_failed_log_directory_takes_leaders_away_until_the_next_start() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let recorder = Recorder::default();
        let Started { handle, .. } = start(directory.path(), &recorder).await;
        recorder.take();
        listen();
        create(&handle, "broken").await.expect("created");
        // The failure is followed up after the answer; another request comes after that.
        handle.report_offline_replicas(Vec::new()).await.expect("answered");
        let effects = recorder.take();
        let Some(Effect::UpdateMetadata { topics, .. }) = effects.last() else {
            panic!("{effects:?}")
        };
        let partition = &topics[0].partitions[0];
        assert_eq!((partition.leader, partition.leader_epoch), (-1, LeaderEpoch(1)));
        assert_eq!((&partition.isr, &partition.offline_replicas), (&vec![1], &vec![1]));

        let deleted = handle
            .delete_topics(vec![TopicRef::Name("broken".into())])
            .await
            .expect("answered");
        assert!(deleted[0].is_ok());
        let marked = Rejection::TopicMarkedForDeletion { topic: "broken".into() };
        assert_eq!(create(&handle, "broken").await, Err(marked), "its logs are still there");
        let line = "the replica of broken-0 is offline";
        assert_eq!(LINES.written(line), 1, "that its deletion fails is no news");
        handle.shutdown().await.expect("stopped");
        recorder.take();
        let Started { handle, snapshot } = start(directory.path(), &recorder).await;
        assert_eq!(snapshot.topics, []);
        assert_eq!(recorder.words(), ["hide broken×2", "stop broken×2 true"], "tried again");
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn a_write_that_fails_changes_nothing_and_a_broken_store_ends_it() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store = Arc::new(AlteredStore::open(directory.path()));
        let recorder = Recorder::default();
        let handle = start_on(store.clone(), &recorder).await.expect("started").handle;
        recorder.take();

        let lost = StoreError::BadVersion {
            path: "/brokers/topics/t".into(),
            expected: 1,
        };
        store.fail_next(lost.clone());
        let ask = |name: &str| handle.create_topics(vec![NewTopic::with_defaults(name)], false);
        assert_eq!(ask("t").await, Err(ControllerError::Store(lost)));
        create(&handle, "t")
            .await
            .expect("the state was loaded anew, without the topic");
        assert_eq!(
            recorder.words(),
            ["show ", "lead t×2", "show t×2"],
            "the broker is told what is written, all of it, and nothing else"
        );

        let broken = StoreError::Failed {
            reason: "no space left".into(),
        };
        store.fail_next(broken.clone());
        for _ in 0..2 {
            assert_eq!(ask("u").await, Err(ControllerError::Store(broken.clone())));
        }
        handle.shutdown().await.expect("the file itself is well");
        let snapshot = start(directory.path(), &recorder).await.snapshot;
        assert_eq!(
            snapshot.topics.iter().map(|topic| &*topic.topic).collect::<Vec<_>>(),
            ["t"]
        );
    });
}

#[test]
fn what_was_written_and_not_answered_is_found_and_told() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store = Arc::new(AlteredStore::open(directory.path()));
        let recorder = Recorder::default();
        let bootstrap = Bootstrap::new(store.clone()).await.expect("top-level znodes");
        bootstrap.cluster_id(None).await.expect("an id");
        store.lose_next_answer();
        let sink = Box::new(recorder.clone());
        let started =
            controller::driver::start(bootstrap, registration(), Arc::new(Policy), sink, Arc::new(NoPeers)).await;
        let handle = started.expect("its registration was there").handle;
        recorder.take();

        store.lose_next_answer();
        let lost = handle.create_topics(vec![NewTopic::with_defaults("t")], false).await;
        assert!(
            matches!(lost, Err(ControllerError::Store(StoreError::Unknown { .. }))),
            "{lost:?}"
        );
        assert_eq!(
            create(&handle, "t").await.map(drop),
            Err(Rejection::TopicExists { topic: "t".into() })
        );
        create(&handle, "u").await.expect("created");
        assert_eq!(recorder.words(), ["lead t×2", "show t×2", "lead u×2", "show u×2"]);
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn a_configuration_that_was_written_and_not_answered_is_told_as_well() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store = Arc::new(AlteredStore::open(directory.path()));
        let recorder = Recorder::default();
        let handle = start_on(store.clone(), &recorder).await.expect("started").handle;
        create(&handle, "t").await.expect("created");
        recorder.take();
        store.lose_next_answer();
        let change = TopicConfigChange {
            topic: "t".into(),
            configs: [("retention.ms".to_owned(), "7".to_owned())].into(),
            expected: None,
        };
        let lost = handle.alter_topic_configs(vec![change], false).await;
        assert!(
            matches!(lost, Err(ControllerError::Store(StoreError::Unknown { .. }))),
            "{lost:?}"
        );
        handle
            .allocate_producer_id_block(1, None)
            .await
            .expect("it goes on after that");
        let told = recorder.take().into_iter().find_map(|effect| match effect {
            Effect::LeaderAndIsr { topics, .. } => topics[0].configs.get("retention.ms").cloned(),
            _ => None,
        });
        assert_eq!(told.as_deref(), Some("7"));
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn what_is_too_large_for_one_transaction_is_written_in_several() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store = Arc::new(AlteredStore::open(directory.path()));
        let recorder = Recorder::default();
        let handle = start_on(store.clone(), &recorder).await.expect("started").handle;
        store.limit_multis_to(4_000);
        let before = store.multis();
        let mut large = NewTopic::with_defaults("large");
        large.num_partitions = 200;
        let created = handle.create_topics(vec![large], false).await.expect("answered");
        created.into_iter().for_each(|topic| drop(topic.expect("created")));
        assert!(store.multis() - before > 10, "{}", store.multis() - before);
        let states = store.children("/brokers/topics/large/partitions").await.expect("read");
        assert_eq!(states.len(), 200);
        handle.shutdown().await.expect("stopped");
        let snapshot = start(directory.path(), &recorder).await.snapshot;
        assert_eq!(snapshot.topics[0].partitions.len(), 200);
    });
}

#[test]
fn a_controller_that_is_deposed_stands_for_election_again() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store = Arc::new(AlteredStore::open(directory.path()));
        let recorder = Recorder::default();
        let handle = start_on(store.clone(), &recorder).await.expect("started").handle;
        create(&handle, "t").await.expect("created");
        recorder.take();
        let epoch = || async { store.get("/controller_epoch").await.expect("read").0 };
        assert_eq!(epoch().await, "1");

        // As people do who want another controller.
        store.delete("/controller", 0).await.expect("deleted");
        let mut created = create(&handle, "u").await;
        while created == Err(Rejection::NotController) {
            created = create(&handle, "u").await;
        }
        created.expect("there is a controller again");
        assert_eq!(epoch().await, "2");
        assert_eq!(recorder.words(), ["lead t×2", "show t×2", "lead u×2", "show u×2"]);

        let stale = StoreError::BadVersion {
            path: "/controller_epoch".into(),
            expected: 1,
        };
        store.fail_next(stale);
        let refused = handle.create_topics(vec![NewTopic::with_defaults("v")], false).await;
        assert_eq!(refused, Err(ControllerError::NotController));
        handle.shutdown().await.expect("stopped");
    });
}

#[test]
fn foreign_metadata_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    wait(async {
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(directory.path()).expect("the store opens"));
        let bootstrap = Bootstrap::new(store.clone()).await.expect("top-level znodes");
        let adopted = bootstrap
            .cluster_id(Some("hr4YV5i9R0urM2G-sHxESQ"))
            .await
            .expect("adopted");
        assert_eq!(adopted, "hr4YV5i9R0urM2G-sHxESQ");
        let other = bootstrap.cluster_id(Some("other")).await.expect_err("another cluster");
        assert!(matches!(other, StartError::InconsistentClusterId { .. }), "{other}");
        assert_eq!(bootstrap.generate_broker_id(1000).await, Ok(1001));
        assert_eq!(bootstrap.generate_broker_id(1000).await, Ok(1002));
        let path = "/brokers/topics/t";
        store
            .create(path, "garbage".into(), controller::store::CreateMode::Persistent)
            .await
            .expect("created");
        let error = start_on(store, &Recorder::default()).await.err().expect("refused");
        assert!(error.to_string().contains(path), "{error}");
    });
}
