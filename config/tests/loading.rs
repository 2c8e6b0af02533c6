//! Loading a configuration: defaults, typed fields, every rule between keys, errors and warnings.

use std::path::PathBuf;

use config::{BrokerConfig, ConfigError, Entry, Loaded, Origin, Strictness, TopicConfig, TopicDefaults, load};

fn entries(pairs: &[(&str, &str)], origin: &Origin) -> Vec<Entry> {
    let entry = |(key, value): &(&str, &str)| Entry {
        key: (*key).to_owned(),
        value: Some((*value).to_owned()),
        origin: origin.clone(),
    };
    pairs.iter().map(entry).collect()
}

fn load_overrides(pairs: &[(&str, &str)]) -> Result<Loaded, Vec<ConfigError>> {
    load(entries(pairs, &Origin::Override), Strictness::Lenient)
}

fn loaded(pairs: &[(&str, &str)]) -> BrokerConfig {
    match load_overrides(pairs) {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{pairs:?} is refused: {errors:?}"),
    }
}

#[test]
fn defaults_are_kafkas() {
    let config = BrokerConfig::default();
    assert_eq!(config.broker_id, None);
    assert_eq!(config.first_generated_id(), 1001);
    assert_eq!(config.log_dirs, [PathBuf::from("/tmp/kafka-logs")]);
    assert_eq!(config.metadata_log_dir, PathBuf::from("/tmp/kafka-logs"));
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(
        (config.listeners[0].name.as_str(), config.listeners[0].host.as_str()),
        ("PLAINTEXT", "")
    );
    assert_eq!(config.listeners[0].port, 9092);
    assert_eq!(config.inter_broker_listener_name, "PLAINTEXT");
    assert!(config.advertised_listeners.is_empty());
    assert_eq!(config.message_max_bytes, 1_048_588);
    assert_eq!(config.zookeeper_connection_timeout_ms, 18_000);
    assert_eq!(*config.topic_defaults, TopicDefaults::default());
    assert_eq!(TopicConfig::default().retention_ms, 7 * 24 * 60 * 60 * 1000);
}
