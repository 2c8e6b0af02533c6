//! Configurations as DescribeConfigs shows them: every key with its value, source and synonyms (Kafka's `ConfigHelper`).

use std::collections::BTreeMap;

use crate::broker::{BrokerConfig, ConfigSource};
use crate::definition::{Definition, ValueType};
use crate::keys;
use crate::synonyms;
use crate::topic::{InvalidTopicConfig, TopicConfig};
use crate::value::Value;

/// One key as DescribeConfigs shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// Its value in force; `None` for null and for what is sensitive.
    pub value: Option<String>,
    /// Whether it cannot be changed while the broker runs.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the value is a secret; a key of which nothing is known counts as one.
    pub sensitive: bool,
    /// Every place that gives the key a value, first the one that counts.
    pub synonyms: Vec<ConfigSynonym>,
    /// The type of the key; `None` where nothing is known of it.
    pub value_type: Option<ValueType>,
    /// What the key does; `None` where nothing is known of it.
    pub doc: Option<&'static str>,
}

/// One place that gives a key a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key as it is called there.
    pub name: String,
    /// The value there; `None` for what is sensitive.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

impl BrokerConfig {
    /// Every key of the broker, by name. Kafka's internal keys are shown only where they are set.
    pub fn describe(&self) -> Vec<ConfigEntry> {
        let shown = self.values.iter().filter(|(name, value)| {
            let internal = value.definition.is_some_and(|definition| definition.internal);
            !internal || self.is_set(name)
        });
        let entry = |(name, value): (&String, &crate::broker::ConfigValue)| {
            let definition = value.definition;
            let sensitive = definition.is_none_or(Definition::sensitive);
            let synonyms = self.synonyms(name, sensitive);
            ConfigEntry {
                value: if sensitive { None } else { value.value.to_text() },
                // Whatever `Definition::update_mode` says of Kafka: in this version no key of the broker changes while it
                // runs, and admin clients must not offer what would fail.
                read_only: true,
                source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
                sensitive,
                synonyms,
                value_type: definition.map(|definition| definition.value_type),
                doc: keys::find_broker(name).map(|known| known.doc),
                name: name.clone(),
            }
        };
        shown.map(entry).collect()
    }

    /// Every place that gives a broker key its value: under all its names first what was set, then the defaults. What comes
    /// before the key itself is left out.
    fn synonyms(&self, name: &str, sensitive: bool) -> Vec<ConfigSynonym> {
        let names = synonyms::of_broker_key(name);
        let synonym = |name: &String, value: &Value, source| {
            let text = value.to_text()?;
            Some(ConfigSynonym {
                name: name.clone(),
                value: (!sensitive).then_some(text),
                source,
            })
        };
        let set = names
            .iter()
            .filter(|name| self.is_set(name))
            .filter_map(|name| synonym(name, &self.values.get(name)?.value, ConfigSource::StaticBroker));
        let defaults = names
            .iter()
            .filter_map(|name| synonym(name, &keys::find_broker(name)?.default_value(), ConfigSource::Default));
        set.chain(defaults).skip_while(|synonym| synonym.name != name).collect()
    }

    /// Every key of a topic with these overrides, by name.
    pub fn describe_topic(&self, overrides: &BTreeMap<String, String>) -> Result<Vec<ConfigEntry>, InvalidTopicConfig> {
        let values = TopicConfig::values(&self.topic_defaults, overrides)?;
        let entry = |definition: &'static Definition| {
            let name = definition.name;
            let value = values.get(name).and_then(Value::to_text);
            let own = overrides.contains_key(name).then(|| ConfigSynonym {
                name: name.to_owned(),
                value: value.clone(),
                source: ConfigSource::DynamicTopic,
            });
            let of_broker = synonyms::of_topic_key(name)
                .first()
                .map(|key| self.synonyms(key, definition.sensitive()));
            let synonyms: Vec<ConfigSynonym> = own.into_iter().chain(of_broker.unwrap_or_default()).collect();
            ConfigEntry {
                name: name.to_owned(),
                value,
                read_only: false,
                source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
                sensitive: definition.sensitive(),
                synonyms,
                value_type: Some(definition.value_type),
                doc: Some(definition.doc),
            }
        };
        Ok(keys::topic().map(entry).collect())
    }
}
