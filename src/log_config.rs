//! From a topic's configuration to what its log and its validation need.

use std::sync::Arc;

use config::{BrokerConfig, TopicConfig};
use controller::ConfigMap;
use storage::LogConfig;

/// A topic's configuration in all the forms that a partition uses.
#[derive(Debug, Clone)]
pub struct PartitionConfig {
    /// As the topic sets it.
    pub topic: Arc<TopicConfig>,
    /// For the log.
    pub log: Arc<LogConfig>,
}

impl PartitionConfig {
    /// Reads a topic's overrides over the broker's defaults. Overrides that this broker does not take (another broker wrote them)
    /// are left out, each with a line.
    pub fn new(broker: &BrokerConfig, topic: &str, overrides: &ConfigMap) -> Self {
        let config = TopicConfig::new(&broker.topic_defaults, overrides).unwrap_or_else(|e| {
            log::error!("topic {topic}: its configuration is not valid here and its defaults are used instead: {e}");
            let usable = overrides.iter().filter(|(key, value)| {
                let alone = ConfigMap::from([((*key).clone(), (*value).clone())]);
                TopicConfig::new(&broker.topic_defaults, &alone).is_ok()
            });
            let usable: ConfigMap = usable.map(|(key, value)| (key.clone(), value.clone())).collect();
            TopicConfig::new(&broker.topic_defaults, &usable).unwrap_or_default()
        });
        Self {
            log: Arc::new(LogConfig::new(&config, i64::from(broker.producer_id_expiration_ms))),
            topic: Arc::new(config),
        }
    }
}
