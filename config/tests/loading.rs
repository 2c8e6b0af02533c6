//! Loading a configuration: defaults, typed fields, every rule between keys, errors and warnings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{
    AdvertisedListener, BrokerConfig, ConfigError, Entry, Listener, Loaded, Origin, SecurityProtocol, Strictness,
    TopicConfig, TopicDefaults, keys, load, load_parsed, sources,
};
use proptest::prelude::*;

fn entries(pairs: &[(&str, &str)], origin: &Origin) -> Vec<Entry> {
    let entry = |(key, value): &(&str, &str)| Entry {
        key: (*key).to_owned(),
        value: Some((*value).to_owned()),
        origin: origin.clone(),
    };
    pairs.iter().map(entry).collect()
}

fn properties() -> Origin {
    Origin::Properties {
        file: "server.properties".into(),
        line: 3,
    }
}

fn load_overrides(pairs: &[(&str, &str)]) -> Result<Loaded, Vec<ConfigError>> {
    load(entries(pairs, &Origin::Override), Strictness::Lenient).map_err(|refused| refused.errors)
}

fn loaded(pairs: &[(&str, &str)]) -> BrokerConfig {
    match load_overrides(pairs) {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{pairs:?} is refused: {errors:?}"),
    }
}

/// The keys at fault, each with its reason.
fn refused(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let errors = load_overrides(pairs).expect_err(&format!("{pairs:?} is accepted"));
    errors.into_iter().map(|error| (error.key, error.reason)).collect()
}

fn assert_refused(pairs: &[(&str, &str)], key: &str, reason: &str) {
    let errors = refused(pairs);
    let found = errors.len() == 1 && errors[0].0 == key && errors[0].1.contains(reason);
    assert!(found, "{pairs:?} gives {errors:?} and not {key}: …{reason}…");
}

#[test]
fn defaults_are_kafkas() {
    let config = BrokerConfig::default();
    assert_eq!(config.broker_id, None);
    assert_eq!(config.first_generated_id(), 1001);
    assert_eq!(config.log_dirs, [PathBuf::from("/tmp/kafka-logs")]);
    assert_eq!(config.metadata_log_dir, PathBuf::from("/tmp/kafka-logs"));
    let listener = Listener {
        name: "PLAINTEXT".to_owned(),
        host: String::new(),
        port: 9092,
        security_protocol: SecurityProtocol::Plaintext,
    };
    assert_eq!(config.listeners, [listener]);
    assert_eq!(config.inter_broker_listener_name, "PLAINTEXT");
    assert!(config.advertised_listeners.is_empty());
    assert_eq!(config.message_max_bytes, 1_048_588);
    assert_eq!(config.zookeeper_connection_timeout_ms, 18_000);
    assert_eq!(*config.topic_defaults, TopicDefaults::default());
    assert_eq!(TopicConfig::default().retention_ms, 7 * 24 * 60 * 60 * 1000);
    assert!(!config.is_set("broker.id"));
}

#[test]
fn the_later_entry_wins() {
    let mut all = entries(&[("num.partitions", "2"), ("num.partitions", "3")], &properties());
    all.extend(entries(&[("num.partitions", "4")], &Origin::Override));
    assert_eq!(load(all, Strictness::Lenient).expect("valid").config.num_partitions, 4);
    let faulty_then_right = [("num.partitions", "x"), ("num.partitions", "3")];
    assert_eq!(loaded(&faulty_then_right).num_partitions, 3);
}

#[test]
fn an_explicit_null_leaves_the_default() {
    let null = Entry {
        key: "num.partitions".to_owned(),
        value: None,
        origin: Origin::Override,
    };
    let config = load(vec![null], Strictness::Lenient).expect("valid").config;
    assert_eq!(config.num_partitions, 1);
    assert!(!config.is_set("num.partitions"));
}

#[test]
fn listeners_have_names_hosts_and_ports() {
    let config = loaded(&[
        ("listeners", "PLAINTEXT://:0, internal://127.0.0.1:9093,V6://[::1]:9093"),
        (
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,INTERNAL:plaintext,V6:PLAINTEXT",
        ),
        (
            "advertised.listeners",
            "PLAINTEXT://broker.example:19092,V6://[fe80::1]:0",
        ),
    ]);
    let shown: Vec<_> = config
        .listeners
        .iter()
        .map(|l| (l.name.as_str(), l.host.as_str(), l.port))
        .collect();
    assert_eq!(
        shown,
        [
            ("PLAINTEXT", "", 0),
            ("INTERNAL", "127.0.0.1", 9093),
            ("V6", "::1", 9093)
        ]
    );
    let advertised = |name: &str, host: &str, port| AdvertisedListener {
        name: name.to_owned(),
        host: host.to_owned(),
        port,
    };
    let expected = [
        advertised("PLAINTEXT", "broker.example", 19092),
        advertised("V6", "fe80::1", 0),
    ];
    assert_eq!(config.advertised_listeners, expected);
}

#[test]
fn listeners_of_a_raft_controller_are_not_opened() {
    let pairs = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.voters", "1@localhost:9093"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        (
            "advertised.listeners",
            "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        ),
        ("controller.listener.names", "CONTROLLER"),
        (
            "listener.security.protocol.map",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL",
        ),
    ];
    let loaded = load_overrides(&pairs).expect("Kafka's own file for its Raft mode is accepted");
    assert_eq!(loaded.config.broker_id, Some(1));
    assert_eq!(loaded.config.listeners.len(), 1);
    assert_eq!(loaded.config.advertised_listeners.len(), 1);
    let warned: Vec<&str> = loaded.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(
        warned,
        ["process.roles", "controller.quorum.voters", "controller.listener.names"]
    );
}

#[test]
fn listeners_are_refused_where_they_contradict_each_other() {
    let map = (
        "listener.security.protocol.map",
        "A:PLAINTEXT,B:PLAINTEXT,PLAINTEXT:PLAINTEXT,S:SSL",
    );
    assert_refused(
        &[("listeners", "PLAINTEXT://:1,PLAINTEXT://:2")],
        "listeners",
        "different name",
    );
    assert_refused(
        &[("listeners", "PLAINTEXT://:1,A://:1"), map],
        "listeners",
        "different port",
    );
    assert_refused(
        &[("listeners", "PLAINTEXT://:1,S://:2"), map],
        "listeners",
        "PLAINTEXT only",
    );
    assert_refused(
        &[("listeners", "PLAINTEXT://:1,C://:2")],
        "listeners",
        "No security protocol defined for listener C",
    );
    assert_refused(&[("listeners", "PLAINTEXT://:65536")], "listeners", "is no port");
    assert_refused(
        &[("listeners", "PLAINTEXT://[::1:9092")],
        "listeners",
        "NAME://host:port",
    );
    assert_refused(
        &[("listeners", "PLAINTEXT://[zz]:9092")],
        "listeners",
        "no IPv6 address",
    );
    assert_refused(&[("listeners", "")], "listeners", "at least one listener");
}

#[test]
fn advertised_and_inter_broker_listeners_are_refused_where_they_contradict_listeners() {
    let map = (
        "listener.security.protocol.map",
        "A:PLAINTEXT,B:PLAINTEXT,PLAINTEXT:PLAINTEXT,S:SSL",
    );
    assert_refused(
        &[("advertised.listeners", "PLAINTEXT://0.0.0.0:1")],
        "advertised.listeners",
        "nonroutable",
    );
    assert_refused(&[("advertised.listeners", "")], "advertised.listeners", "at least one");
    let subset = [
        ("listeners", "PLAINTEXT://:1"),
        ("advertised.listeners", "PLAINTEXT://h:1,A://h:2"),
        map,
    ];
    assert_refused(&subset, "advertised.listeners", "Found A. The valid options");
    let inter_broker = [("listeners", "A://:1"), map];
    assert_refused(
        &inter_broker,
        "inter.broker.listener.name",
        "must be a listener name defined in advertised.listeners",
    );
    assert_refused(
        &[("inter.broker.listener.name", "Z")],
        "inter.broker.listener.name",
        "not found in",
    );
    let both = [
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("security.inter.broker.protocol", "PLAINTEXT"),
    ];
    assert_refused(&both, "inter.broker.listener.name", "Only one of");
    assert_refused(
        &[("listener.security.protocol.map", "PLAINTEXT:P")],
        "listener.security.protocol.map",
        "`P`",
    );
}

#[test]
fn what_asks_for_tls_is_named_once_and_nothing_else_is() {
    let listeners = ("listeners", "SSL://:9093");
    assert_refused(&[listeners], "listeners", "SSL://:9093 asks for SSL, but");
    let advertised = ("advertised.listeners", "SSL://broker.example:9093");
    assert_refused(&[listeners, advertised], "listeners", "asks for SSL, but");
    let between = ("security.inter.broker.protocol", "SASL_SSL");
    assert_refused(&[between], between.0, "asks for SASL_SSL, but");
    let errors = refused(&[listeners, between]);
    let keys: Vec<&str> = errors.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["listeners", between.0], "each is to be changed: {errors:?}");
    assert_refused(&[("listeners", "C://:1")], "listeners", "No security protocol");
}

#[test]
fn every_faulty_listener_is_named() {
    let errors = refused(&[("listeners", "PLAINTEXT://:x,what,A://:1:2:3")]);
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn numbers_are_refused_where_they_contradict_each_other() {
    assert_refused(&[("log.retention.ms", "0")], "log.retention.ms", "unlimited (-1)");
    assert_refused(&[("log.roll.ms", "0")], "log.roll.ms", "greater than or equal to 1");
    assert_refused(
        &[("log.roll.jitter.ms", "-1")],
        "log.roll.jitter.ms",
        "greater than or equal to 0",
    );
    assert_refused(
        &[("log.cleaner.threads", "200")],
        "log.cleaner.dedupe.buffer.size",
        "1MB per cleaner thread",
    );
    assert_refused(
        &[
            ("replica.fetch.wait.max.ms", "30001"),
            ("replica.lag.time.max.ms", "40000"),
        ],
        "replica.fetch.wait.max.ms",
        "replica.socket.timeout.ms should",
    );
    assert_refused(
        &[("replica.lag.time.max.ms", "499")],
        "replica.fetch.wait.max.ms",
        "changes in ISR",
    );
    assert_refused(
        &[("offsets.commit.required.acks", "4")],
        "offsets.commit.required.acks",
        "between 0 and",
    );
    assert_refused(
        &[("offsets.topic.compression.codec", "5")],
        "offsets.topic.compression.codec",
        "4 (zstd)",
    );
    assert_refused(
        &[("group.min.session.timeout.ms", "1800001")],
        "group.min.session.timeout.ms",
        "must not be above",
    );
}

#[test]
fn limits_of_connections_and_versions_are_refused_where_they_contradict_each_other() {
    assert_refused(
        &[("queued.max.request.bytes", "100")],
        "queued.max.request.bytes",
        "larger or equal",
    );
    assert_refused(
        &[("max.connections.per.ip", "0")],
        "max.connections.per.ip",
        "can be set to zero only if",
    );
    assert_refused(
        &[("max.connections.per.ip.overrides", "a:b")],
        "max.connections.per.ip.overrides",
        "host:count",
    );
    assert_refused(
        &[("connections.max.idle.ms", "100")],
        "connection.failed.authentication.delay.ms",
        "always be less",
    );
    assert_refused(&[("socket.send.buffer.bytes", "0")], "socket.send.buffer.bytes", "-1");
    assert_refused(
        &[("inter.broker.protocol.version", "2.7")],
        "inter.broker.protocol.version",
        "before 2.8",
    );
    assert_refused(
        &[("inter.broker.protocol.version", "4.0")],
        "inter.broker.protocol.version",
        "after 3.9",
    );
    assert_refused(
        &[("group.share.session.timeout.ms", "1")],
        "group.share.session.timeout.ms",
        "greater than or equals",
    );
}

#[test]
fn a_faulty_value_is_not_reported_a_second_time_by_a_rule() {
    let errors = refused(&[("socket.request.max.bytes", "many"), ("queued.max.request.bytes", "1")]);
    assert_eq!(
        errors,
        [(
            "socket.request.max.bytes".to_owned(),
            "Not a number of type INT".to_owned()
        )]
    );
}

#[test]
fn broker_ids() {
    assert_eq!(loaded(&[("broker.id", "7")]).broker_id, Some(7));
    assert_eq!(loaded(&[("node.id", "8")]).broker_id, Some(8));
    assert_eq!(loaded(&[("reserved.broker.max.id", "50")]).first_generated_id(), 51);
    assert_refused(
        &[("broker.id", "1"), ("node.id", "2")],
        "node.id",
        "same value as `broker.id`",
    );
    assert_refused(&[("broker.id", "1001")], "broker.id", "reserved.broker.max.id");
    assert_refused(
        &[("broker.id.generation.enable", "false")],
        "broker.id",
        "greater than or equal to 0",
    );
    assert_eq!(
        loaded(&[("broker.id.generation.enable", "false"), ("broker.id", "1001")]).broker_id,
        Some(1001)
    );
    assert_eq!(
        loaded(&[("process.roles", "broker"), ("node.id", "3000")]).broker_id,
        Some(3000)
    );
}

#[test]
fn log_directories() {
    let config = loaded(&[("log.dirs", "/a, /b"), ("log.dir", "/c"), ("metadata.log.dir", "/m")]);
    assert_eq!(config.log_dirs, [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert_eq!(config.metadata_log_dir, PathBuf::from("/m"));
    assert_eq!(loaded(&[("log.dir", "/c")]).metadata_log_dir, PathBuf::from("/c"));
    assert_refused(&[("log.dirs", " , ")], "log.dirs", "At least one log directory");
    assert_refused(&[("log.dirs", "/a,/b,/a")], "log.dirs", "/a is named twice");
}

#[test]
fn one_directory_takes_the_place_of_all() {
    let mut config = loaded(&[("log.dirs", "/a,/b"), ("metadata.log.dir", "/m")]);
    config.use_directory(Path::new("/t"));
    assert_eq!(
        (config.log_dirs.as_slice(), &config.metadata_log_dir),
        (&["/t".into()][..], &"/t".into())
    );
    let shown = config
        .describe()
        .into_iter()
        .find(|entry| entry.name == "log.dirs")
        .expect("shown");
    assert_eq!(shown.value.as_deref(), Some("/t"));
}

#[test]
fn internal_topics_need_no_more_replicas_than_there_are_brokers() {
    let config = BrokerConfig::default();
    assert_eq!(config.offsets_topic_replication_factor, 3);
    let replicas = |brokers| config.offsets_topic_replication_factor_for(brokers);
    assert_eq!(
        [replicas(0), replicas(1), replicas(2), replicas(3), replicas(9)],
        [1, 1, 2, 3, 3]
    );
    let config = loaded(&[("offsets.topic.replication.factor", "3")]);
    assert_eq!(
        config.offsets_topic_replication_factor_for(1),
        3,
        "what was asked for is not made less"
    );
}

#[test]
fn an_unknown_key_is_an_error_or_a_warning_by_its_source() {
    let pairs = [("num.io.thread", "3")];
    let yaml = Origin::Yaml {
        file: "sordini.yaml".into(),
        line: Some(4),
    };
    let errors = load(entries(&pairs, &yaml), Strictness::Lenient)
        .expect_err("unknown in YAML")
        .errors;
    let expected = "sordini.yaml:4: num.io.thread=3: unknown key; the nearest known key is num.io.threads";
    assert_eq!(errors[0].to_string(), expected);
    assert!(load(entries(&pairs, &Origin::Override), Strictness::Lenient).is_err());

    let loaded = load(entries(&pairs, &properties()), Strictness::Lenient).expect("a warning in properties");
    let expected = "server.properties:3: num.io.thread=3: unknown key; the nearest known key is num.io.threads";
    assert_eq!(loaded.warnings[0].to_string(), expected);
    assert_eq!(loaded.config.num_io_threads, 8);
    let refused = load(entries(&pairs, &properties()), Strictness::Strict).expect_err("errors of warnings");
    assert_eq!((refused.errors.len(), refused.warnings), (1, Vec::new()));

    let mut both = entries(&pairs, &properties());
    both.extend(entries(&[("num.io.threads", "lots")], &properties()));
    let refused = load(both, Strictness::Lenient).expect_err("no number");
    assert_eq!(refused.errors[0].key, "num.io.threads");
    assert_eq!(refused.warnings[0].to_string(), expected, "said beside the error");
}

#[test]
fn a_key_without_effect_is_a_warning_only_if_it_is_changed() {
    let loaded =
        load_overrides(&[("auto.include.jmx.reporter", "false"), ("ssl.protocol", "TLSv1.2")]).expect("warnings");
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "--override: auto.include.jmx.reporter=false: has no effect here: there is no JMX",
        "--override: ssl.protocol=TLSv1.2: has no effect yet: TLS",
    ];
    assert_eq!(warnings, expected);
    let defaults = [("auto.include.jmx.reporter", "TRUE"), ("ssl.protocol", "TLSv1.3")];
    assert_eq!(load_overrides(&defaults).expect("defaults").warnings, []);
}

#[test]
fn zookeeper_is_where_the_key_says() {
    loaded(&[("zookeeper.connect", "")]);
    loaded(&[("zookeeper.connect", "one:2181,two:2181/kafka")]);
    assert_refused(
        &[("zookeeper.connect", "one:2181:x")],
        "zookeeper.connect",
        "\"one:2181:x\" is not host:port",
    );
    assert_refused(
        &[
            ("zookeeper.connect", "one:2181"),
            ("process.roles", "broker"),
            ("node.id", "1"),
        ],
        "zookeeper.connect",
        "contradicts process.roles = broker",
    );
    assert_refused(
        &[("zookeeper.connect", "one:2181"), ("zookeeper.session.timeout.ms", "0")],
        "zookeeper.session.timeout.ms",
        "greater than 0",
    );
}

#[test]
fn what_this_version_cannot_do_safely_is_refused() {
    assert_refused(
        &[
            ("zookeeper.connect", "localhost:2181"),
            ("zookeeper.ssl.client.enable", "true"),
        ],
        "zookeeper.ssl.client.enable",
        "without TLS",
    );
    assert_refused(
        &[("zookeeper.connect", "localhost:2181"), ("zookeeper.set.acl", "true")],
        "zookeeper.set.acl",
        "identity",
    );
    assert_refused(
        &[("authorizer.class.name", "kafka.security.authorizer.AclAuthorizer")],
        "authorizer.class.name",
        "everybody",
    );
    assert_refused(
        &[("process.roles", "controller"), ("node.id", "1")],
        "process.roles",
        "a controller without a broker",
    );
    assert_refused(&[("process.roles", "broker")], "process.roles", "needs `node.id`");
    assert_refused(
        &[("process.roles", "broker"), ("node.id", "-1")],
        "broker.id",
        "greater than or equal to 0",
    );
}

#[test]
fn secrets_are_never_shown() {
    let pairs = [
        ("ssl.key.password", "hunter2"),
        ("ssl.key.passwort", "hunter2"),
        ("my.secret", "hunter2"),
    ];
    let errors = load_overrides(&pairs).expect_err("two keys are unknown");
    assert!(!format!("{errors:?}").contains("hunter2"), "{errors:?}");
    let loaded = load(entries(&pairs, &properties()), Strictness::Lenient).expect("warnings");
    assert!(!format!("{:?}", loaded.warnings).contains("hunter2"));
    assert!(!format!("{:?}", loaded.config.values["ssl.key.password"]).contains("hunter2"));
    assert!(!format!("{:?}", loaded.config.describe()).contains("hunter2"));
}

#[test]
fn what_is_wrong_beside_what_cannot_be_read_is_said_at_once() {
    let lines = |yaml: &str| -> Vec<String> {
        let parsed = sources::parse_file("s.yaml", yaml.as_bytes());
        let refused = load_parsed(parsed, Strictness::Lenient).expect_err(yaml);
        refused.errors.iter().map(ToString::to_string).collect()
    };
    // The end of the file, and with it perhaps the other id, is unknown.
    let torn = lines("num.io.threads: lots\nnode.id: 1\nbroker.id: 2\nlog.dirs: [a\nb");
    assert_eq!(torn.len(), 2, "{torn:?}");
    assert!(
        torn[0].contains("is no YAML") && torn[1].contains("num.io.threads=lots"),
        "{torn:?}"
    );
    // Which of two values is meant is unknown, all else is known.
    let twice = lines("node.id: 1\nnode.id: 2\nbroker.id: 2\nlog.roll.ms: 0\n");
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert!(
        twice[0].contains("given twice") && twice[1].contains("log.roll.ms"),
        "{twice:?}"
    );
}

#[test]
fn keys_of_one_listener_are_judged_by_their_base() {
    assert_refused(
        &[("listener.name.plaintext.max.connections", "x")],
        "listener.name.plaintext.max.connections",
        "INT",
    );
    let errors = load_overrides(&[("listener.name.plaintext.max.connection", "5")]).expect_err("no such base");
    assert_eq!(errors[0].reason, "unknown key");
    let loaded = load_overrides(&[("listener.name.plaintext.max.connections", "5")]).expect("known");
    assert_eq!(loaded.warnings[0].reason, "has no effect yet: limits of one listener");
    let per_mechanism = [("listener.name.sasl.plain.sasl.jaas.config", "x")];
    let loaded = load_overrides(&per_mechanism).expect("known");
    assert_eq!(loaded.warnings[0].value.as_deref(), Some("[hidden]"));
}

#[test]
fn keys_of_plug_ins_have_no_effect() {
    let loaded = load_overrides(&[("rsm.config.bucket", "b"), ("config.providers.file.class", "x")]).expect("warnings");
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "--override: rsm.config.bucket=[hidden]: has no effect here: Java classes are not loaded",
        "--override: config.providers.file.class=[hidden]: has no effect here: values of the form ${provider:path:key} are \
         not resolved; write the value itself",
    ];
    assert_eq!(warnings, expected);
}

proptest! {
    /// Whatever is set, loading ends with a configuration or with errors that name a key.
    #[test]
    fn any_values_of_any_keys_are_judged(
        pairs in prop::collection::vec((0..keys::broker().count(), "[ -~]{0,12}|-?[0-9]{1,11}|[A-C]{1,2}://[a-z:\\[\\]]{0,6}:[0-9]{1,5}"), 0..6),
    ) {
        let names: Vec<&str> = keys::broker().map(|definition| definition.name).collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(index, value)| (names[*index], value.as_str())).collect();
        match load_overrides(&pairs) {
            Ok(loaded) => {
                prop_assert!(!loaded.config.log_dirs.is_empty() && !loaded.config.listeners.is_empty());
                prop_assert!(TopicConfig::new(&loaded.config.topic_defaults, &BTreeMap::new()).is_ok());
            }
            Err(errors) => prop_assert!(!errors.is_empty() && errors.iter().all(|error| !error.key.is_empty())),
        }
    }
}
