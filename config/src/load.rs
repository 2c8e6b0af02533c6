//! From entries, wherever they were read, to a validated configuration – or to every error at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::broker::{BrokerConfig, ConfigSource, ConfigValue};
use crate::definition::{Applies, Definition};
use crate::error::{ConfigError, Origin, nearest_at_any_distance, nearest_key};
use crate::keys;
use crate::sources::Parsed;
use crate::synonyms::{listener_base_key, topic_defaults};
use crate::validate;
use crate::value::{HIDDEN, Value};

/// What keys of plug-ins and of Kafka's configuration providers begin with, and why they have no effect.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    (
        "config.providers",
        "values of the form ${provider:path:key} are not resolved; write the value itself",
    ),
    ("rsm.config.", "Java classes are not loaded"),
    ("rlmm.config.", "Java classes are not loaded"),
];

/// One entry of a configuration, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value; `None` for an explicit null, which leaves the default.
    pub value: Option<String>,
    /// Where it stands.
    pub origin: Origin,
}

/// What becomes of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// They are handed back beside the configuration.
    Lenient,
    /// They are errors (`--strict`).
    Strict,
}

/// A valid configuration and what deserves a warning.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: BrokerConfig,
    /// In the order of the entries.
    pub warnings: Vec<ConfigError>,
}

/// What is wrong with a configuration that cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// All errors; at least one.
    pub errors: Vec<ConfigError>,
    /// What deserves a warning besides, in the order of the entries: whoever mends the errors wants to know it as well. Empty
    /// where warnings are errors.
    pub warnings: Vec<ConfigError>,
}

/// Every key with its default, read once.
static DEFAULTS: LazyLock<BTreeMap<String, ConfigValue>> = LazyLock::new(|| {
    let default = |definition: &'static Definition| ConfigValue {
        definition: Some(definition),
        value: definition.default_value(),
        source: ConfigSource::Default,
    };
    keys::broker()
        .map(|definition| (definition.name.to_owned(), default(definition)))
        .collect()
});

/// Reads entries, the later ones winning over the earlier, into a configuration. Every error is reported, not just the first.
pub fn load(entries: Vec<Entry>, strictness: Strictness) -> Result<Loaded, Refused> {
    let parsed = Parsed {
        entries,
        ..Parsed::default()
    };
    load_parsed(parsed, strictness)
}

/// [`load`] for sources of which perhaps not everything could be read: what is wrong with the rest is reported beside those errors.
pub fn load_parsed(parsed: Parsed, strictness: Strictness) -> Result<Loaded, Refused> {
    // Keys that seem to contradict each other may do so only for want of one that could not be read.
    let whole = parsed.errors.iter().all(|error| !error.key.is_empty());
    let mut loading = Loading {
        values: DEFAULTS.clone(),
        faulty: parsed.errors.iter().map(|error| error.key.clone()).collect(),
        errors: parsed.errors,
        ..Loading::default()
    };
    for entry in last_of_each_key(parsed.entries) {
        loading.read(entry);
    }
    for (key, reason) in parsed.overruled {
        if loading.is_set(key) {
            loading.warn(key, reason);
        }
    }
    loading.copy_id_synonym();
    let derived = match whole {
        true => validate::derive(&mut loading),
        false => None,
    };
    let Loading {
        values,
        mut errors,
        mut warnings,
        ..
    } = loading;
    if strictness == Strictness::Strict {
        errors.append(&mut warnings);
    }
    match derived {
        Some(derived) if errors.is_empty() => {
            let topic_defaults = topic_defaults(&values);
            Ok(Loaded {
                config: BrokerConfig::new(values, derived, topic_defaults),
                warnings,
            })
        }
        _ => Err(Refused { errors, warnings }),
    }
}

/// What is known of a key of the broker, of one listener's as well.
fn find(key: &str) -> Option<&'static Definition> {
    keys::find_broker(key).or_else(|| listener_base_key(key).and_then(keys::find_broker))
}

/// Whether a key, or one listener's, came with a newer Kafka.
fn is_newer(key: &str) -> bool {
    keys::is_newer(key) || listener_base_key(key).is_some_and(keys::is_newer)
}

/// Whether a key is known.
pub(crate) fn is_known(key: &str) -> bool {
    find(key).is_some() || is_newer(key) || WITHOUT_EFFECT.iter().any(|(prefix, _)| key.starts_with(prefix))
}

/// Whether the value of a key is not to be shown: it is a password, or it seems to be one that is misspelt or unknown here.
pub(crate) fn is_secret(key: &str) -> bool {
    if let Some(known) = find(key) {
        return known.sensitive();
    }
    // Far from every known key it is rather hidden than shown.
    let misspelt = nearest_at_any_distance(key)
        .and_then(|(_, name)| keys::find_broker(name))
        .is_some_and(Definition::sensitive);
    misspelt
        || WITHOUT_EFFECT.iter().any(|(prefix, _)| key.starts_with(prefix))
        || ["password", "passphrase", "secret", "jaas", "credential"]
            .iter()
            .any(|word| key.contains(word))
}

/// Later entries win, as in a Java properties file and as `--override` says.
fn last_of_each_key(entries: Vec<Entry>) -> Vec<Entry> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<Entry> = entries
        .into_iter()
        .rev()
        .filter(|entry| seen.insert(entry.key.clone()))
        .collect();
    kept.reverse();
    kept
}

/// A configuration while it is read.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    pub(crate) values: BTreeMap<String, ConfigValue>,
    pub(crate) origins: BTreeMap<String, (String, Origin)>,
    /// Keys whose value could not be read; checks that involve one say nothing.
    pub(crate) faulty: BTreeSet<String>,
    pub(crate) errors: Vec<ConfigError>,
    pub(crate) warnings: Vec<ConfigError>,
}

impl Loading {
    fn read(&mut self, entry: Entry) {
        let Entry { key, value, origin } = entry;
        let Some(definition) = find(&key) else {
            return self.read_unknown(key, value, origin);
        };
        let Some(text) = value else { return };
        let shown = if definition.sensitive() {
            HIDDEN.to_owned()
        } else {
            text.clone()
        };
        self.origins.insert(key.clone(), (shown, origin));
        match definition.parse(&text) {
            Ok(value) => {
                self.warn_if_without_effect(&key, definition, &value);
                self.values.insert(
                    key,
                    ConfigValue {
                        definition: Some(definition),
                        value,
                        source: ConfigSource::StaticBroker,
                    },
                );
            }
            Err(invalid) => {
                self.error(&key, invalid.reason);
                self.faulty.insert(key);
            }
        }
    }

    fn read_unknown(&mut self, key: String, text: Option<String>, origin: Origin) {
        if let Some((_, reason)) = WITHOUT_EFFECT.iter().find(|(prefix, _)| key.starts_with(prefix)) {
            self.origins.insert(key.clone(), (HIDDEN.to_owned(), origin));
            return self.warn(&key, format!("has no effect here: {reason}"));
        }
        // No mistake, and so no error wherever it stands: like a key of 3.9.1 that does not apply here.
        let newer = is_newer(&key);
        let (reason, nearest) = match newer {
            true => ("has no effect here: it came with a newer Kafka than 3.9", None),
            false => ("unknown key", nearest_key(&key)),
        };
        let is_warning = newer || origin.is_from_kafka();
        let finding = ConfigError {
            key: key.clone(),
            value: text
                .clone()
                .map(|text| if is_secret(&key) { HIDDEN.to_owned() } else { text }),
            reason: reason.to_owned(),
            nearest,
            origin: Some(origin),
        };
        if !is_warning {
            return self.errors.push(finding);
        }
        self.warnings.push(finding);
        let Some(text) = text else { return };
        self.values.insert(
            key,
            ConfigValue {
                definition: None,
                value: Value::String(text),
                source: ConfigSource::StaticBroker,
            },
        );
    }

    fn warn_if_without_effect(&mut self, key: &str, definition: &Definition, value: &Value) {
        if *value == definition.default_value() {
            return;
        }
        match definition.applies {
            Applies::Yes if key != definition.name => self.warn(key, "has no effect yet: limits of one listener"),
            Applies::Yes => {}
            Applies::Not(instead) => self.warn(key, format!("has no effect here: {instead}")),
            Applies::NotYet(what) => self.warn(key, format!("has no effect yet: {what}")),
        }
    }

    /// `node.id` and `broker.id` are one (Kafka's `KafkaConfig.populateSynonyms`).
    fn copy_id_synonym(&mut self) {
        for (set, unset) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
            if self.is_set(set) && !self.is_set(unset) {
                let (value, source) = (self.values[set].value.clone(), self.values[set].source);
                if let Some(copy) = self.values.get_mut(unset) {
                    (copy.value, copy.source) = (value, source);
                }
                if let Some(origin) = self.origins.get(set).cloned() {
                    self.origins.insert(unset.to_owned(), origin);
                }
            }
        }
    }

    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.values
            .get(key)
            .is_some_and(|value| value.source != ConfigSource::Default)
    }

    /// Records an error of a key; its value and place are looked up.
    pub(crate) fn error(&mut self, key: &str, reason: impl Into<String>) {
        let finding = self.finding(key, reason.into());
        self.errors.push(finding);
    }

    /// Records a warning of a key.
    pub(crate) fn warn(&mut self, key: &str, reason: impl Into<String>) {
        let finding = self.finding(key, reason.into());
        self.warnings.push(finding);
    }

    fn finding(&self, key: &str, reason: String) -> ConfigError {
        let (value, origin) = match self.origins.get(key) {
            Some((text, origin)) => (Some(text.clone()), Some(origin.clone())),
            None => (self.values.get(key).and_then(|value| value.value.to_text()), None),
        };
        ConfigError {
            key: key.to_owned(),
            value,
            reason,
            nearest: None,
            origin,
        }
    }
}
