//! Configurations as DescribeConfigs shows them.

use std::collections::BTreeMap;

use config::{
    BrokerConfig, ConfigEntry, ConfigSource, Entry, InvalidTopicConfig, Origin, Strictness, TopicConfig, ValueType,
    load,
};

fn broker(pairs: &[(&str, &str)]) -> BrokerConfig {
    let origin = Origin::Properties {
        file: "server.properties".into(),
        line: 1,
    };
    let entry = |(key, value): &(&str, &str)| Entry {
        key: (*key).to_owned(),
        value: Some((*value).to_owned()),
        origin: origin.clone(),
    };
    load(pairs.iter().map(entry).collect(), Strictness::Lenient)
        .expect("valid")
        .config
}

fn overrides(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn find(entries: Vec<ConfigEntry>, name: &str) -> ConfigEntry {
    entries
        .into_iter()
        .find(|entry| entry.name == name)
        .unwrap_or_else(|| panic!("{name} is not shown"))
}

fn synonyms(entry: &ConfigEntry) -> Vec<String> {
    let shown = |synonym: &config::ConfigSynonym| {
        format!(
            "{}:{}={}",
            synonym.source,
            synonym.name,
            synonym.value.as_deref().unwrap_or("null")
        )
    };
    entry.synonyms.iter().map(shown).collect()
}

#[test]
fn a_default_of_the_broker() {
    let entry = find(BrokerConfig::default().describe(), "num.io.threads");
    assert_eq!(entry.value.as_deref(), Some("8"));
    assert_eq!(
        (entry.source, entry.read_only, entry.sensitive),
        (ConfigSource::Default, true, false)
    );
    assert_eq!(entry.value_type, Some(ValueType::Int));
    assert_eq!(synonyms(&entry), ["DEFAULT_CONFIG:num.io.threads=8"]);
}

#[test]
fn what_the_broker_was_started_with() {
    let config = broker(&[
        ("log.retention.hours", "2"),
        ("broker.id", "5"),
        ("some.plug-in.key", "x"),
    ]);
    let hours = find(config.describe(), "log.retention.hours");
    assert_eq!((hours.source, hours.read_only), (ConfigSource::StaticBroker, true));
    assert_eq!(
        synonyms(&hours),
        [
            "STATIC_BROKER_CONFIG:log.retention.hours=2",
            "DEFAULT_CONFIG:log.retention.hours=168"
        ]
    );
    let ms = find(config.describe(), "log.retention.ms");
    assert_eq!((ms.value.as_deref(), ms.source), (None, ConfigSource::Default));
    assert_eq!(synonyms(&ms), [""; 0]);
    assert_eq!(find(config.describe(), "node.id").value.as_deref(), Some("5"));
    let unknown = find(config.describe(), "some.plug-in.key");
    assert_eq!(
        (unknown.value, unknown.sensitive, unknown.value_type),
        (None, true, None)
    );
}

#[test]
fn synonyms_of_one_setting_stand_in_kafkas_order() {
    let config = broker(&[("log.retention.ms", "3"), ("log.retention.hours", "2")]);
    let ms = find(config.describe(), "log.retention.ms");
    let expected = [
        "STATIC_BROKER_CONFIG:log.retention.ms=3",
        "STATIC_BROKER_CONFIG:log.retention.hours=2",
        "DEFAULT_CONFIG:log.retention.hours=168",
    ];
    assert_eq!(synonyms(&ms), expected);
}

#[test]
fn internal_keys_are_shown_only_where_they_are_set() {
    let shown = |config: BrokerConfig| {
        config
            .describe()
            .iter()
            .any(|entry| entry.name == "log.initial.task.delay.ms")
    };
    assert!(!shown(BrokerConfig::default()));
    assert!(shown(broker(&[("log.initial.task.delay.ms", "5")])));
}

#[test]
fn a_topic_shows_its_overrides_over_the_broker() {
    let config = broker(&[("log.segment.bytes", "1000"), ("log.retention.minutes", "2")]);
    let entries = config
        .describe_topic(&overrides(&[("segment.bytes", "500")]))
        .expect("valid");
    assert_eq!(entries.len(), 36);
    let segment = find(entries.clone(), "segment.bytes");
    assert_eq!(
        (segment.value.as_deref(), segment.source),
        (Some("500"), ConfigSource::DynamicTopic)
    );
    let expected = [
        "DYNAMIC_TOPIC_CONFIG:segment.bytes=500",
        "STATIC_BROKER_CONFIG:log.segment.bytes=1000",
        "DEFAULT_CONFIG:log.segment.bytes=1073741824",
    ];
    assert_eq!(synonyms(&segment), expected);
    // Kafka begins with the first synonym of the topic key, which nobody set here.
    let retention = find(entries, "retention.ms");
    assert_eq!(
        (retention.value.as_deref(), retention.source),
        (Some("120000"), ConfigSource::Default)
    );
    assert_eq!(synonyms(&retention), [""; 0]);
}

#[test]
fn a_topic_is_typed() {
    let config = broker(&[("log.roll.hours", "1"), ("log.cleanup.policy", "compact,delete")]);
    let defaults = TopicConfig::new(&config.topic_defaults, &BTreeMap::new()).expect("valid");
    assert_eq!(defaults.segment_ms, 3_600_000);
    assert!(defaults.cleanup_policy.compact && defaults.cleanup_policy.delete);
    let pairs = [
        ("max.compaction.lag.ms", "1000"),
        ("message.timestamp.difference.max.ms", "7"),
    ];
    let topic = TopicConfig::new(&config.topic_defaults, &overrides(&pairs)).expect("valid");
    assert_eq!((topic.max_segment_ms(), topic.segment_ms), (1000, 3_600_000));
    assert_eq!(
        (
            topic.message_timestamp_before_max_ms,
            topic.message_timestamp_after_max_ms
        ),
        (7, 7)
    );
    assert_eq!(topic.overrides, overrides(&pairs));
}

#[test]
fn a_faulty_topic_says_why() {
    let config = BrokerConfig::default();
    let refused = |pairs: &[(&str, &str)]| {
        let error = TopicConfig::new(&config.topic_defaults, &overrides(pairs)).expect_err("faulty");
        (error.to_string(), error)
    };
    let (text, error) = refused(&[("retention.sm", "1")]);
    assert_eq!(text, "Unknown topic config name: retention.sm");
    assert_eq!(error, InvalidTopicConfig::UnknownKey("retention.sm".to_owned()));
    let (text, _) = refused(&[("retention.ms", "week")]);
    assert_eq!(
        text,
        "Invalid value week for configuration retention.ms: Not a number of type LONG"
    );
}
