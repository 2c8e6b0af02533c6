//! Keys that set the same thing: a topic key and the broker keys behind it, and broker keys in several units.

use std::collections::BTreeMap;

use crate::broker::ConfigValue;
use crate::keys;
use crate::metadata_version;
use crate::topic::TopicDefaults;
use crate::value::Value;

const HOUR_MS: i64 = 60 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;

/// A topic key and the broker keys that give its default, first what counts most (Kafka's `ServerTopicConfigSynonyms`).
const TOPIC: &[(&str, &[&str])] = &[
    ("cleanup.policy", &["log.cleanup.policy"]),
    ("compression.gzip.level", &["compression.gzip.level"]),
    ("compression.lz4.level", &["compression.lz4.level"]),
    ("compression.type", &["compression.type"]),
    ("compression.zstd.level", &["compression.zstd.level"]),
    ("delete.retention.ms", &["log.cleaner.delete.retention.ms"]),
    ("file.delete.delay.ms", &["log.segment.delete.delay.ms"]),
    ("flush.messages", &["log.flush.interval.messages"]),
    (
        "flush.ms",
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    ),
    ("index.interval.bytes", &["log.index.interval.bytes"]),
    ("local.retention.bytes", &["log.local.retention.bytes"]),
    ("local.retention.ms", &["log.local.retention.ms"]),
    ("max.compaction.lag.ms", &["log.cleaner.max.compaction.lag.ms"]),
    ("max.message.bytes", &["message.max.bytes"]),
    ("message.downconversion.enable", &["log.message.downconversion.enable"]),
    ("message.format.version", &["log.message.format.version"]),
    (
        "message.timestamp.after.max.ms",
        &["log.message.timestamp.after.max.ms"],
    ),
    (
        "message.timestamp.before.max.ms",
        &["log.message.timestamp.before.max.ms"],
    ),
    (
        "message.timestamp.difference.max.ms",
        &["log.message.timestamp.difference.max.ms"],
    ),
    ("message.timestamp.type", &["log.message.timestamp.type"]),
    ("min.cleanable.dirty.ratio", &["log.cleaner.min.cleanable.ratio"]),
    ("min.compaction.lag.ms", &["log.cleaner.min.compaction.lag.ms"]),
    ("min.insync.replicas", &["min.insync.replicas"]),
    ("preallocate", &["log.preallocate"]),
    ("retention.bytes", &["log.retention.bytes"]),
    (
        "retention.ms",
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ),
    ("segment.bytes", &["log.segment.bytes"]),
    ("segment.index.bytes", &["log.index.size.max.bytes"]),
    ("segment.jitter.ms", &["log.roll.jitter.ms", "log.roll.jitter.hours"]),
    ("segment.ms", &["log.roll.ms", "log.roll.hours"]),
    ("unclean.leader.election.enable", &["unclean.leader.election.enable"]),
];

/// The broker keys that give a topic key its default, first what counts most; empty where there are none.
pub fn of_topic_key(topic_key: &str) -> &'static [&'static str] {
    TOPIC
        .iter()
        .find(|(name, _)| *name == topic_key)
        .map_or(&[], |(_, broker_keys)| broker_keys)
}

/// Every topic key that has broker keys behind it, with them.
pub fn topic_keys() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    TOPIC.iter().copied()
}

/// All names under which a broker key's setting may be given, first what counts most; itself alone for most keys
/// (Kafka's `DynamicBrokerConfig.brokerConfigSynonyms`).
pub fn of_broker_key(name: &str) -> Vec<String> {
    const GROUPS: &[&[&str]] = &[
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    // The scheduler's interval stands in for the flush interval, but not the other way round.
    if name == "log.flush.interval.ms" {
        return vec![name.to_owned(), "log.flush.scheduler.interval.ms".to_owned()];
    }
    if let Some(group) = GROUPS.iter().find(|group| group.contains(&name)) {
        return group.iter().map(|synonym| (*synonym).to_owned()).collect();
    }
    match listener_base_key(name) {
        Some(base) => vec![name.to_owned(), base.to_owned()],
        None => vec![name.to_owned()],
    }
}

/// The key that `listener.name.<listener>.<key>` or `listener.name.<listener>.<mechanism>.<key>` sets for one listener.
pub fn listener_base_key(name: &str) -> Option<&str> {
    const PER_MECHANISM: &[&str] = &[
        "sasl.jaas.config",
        "sasl.login.callback.handler.class",
        "sasl.login.class",
        "sasl.server.callback.handler.class",
        "connections.max.reauth.ms",
    ];
    let (_, base) = name.strip_prefix("listener.name.")?.split_once('.')?;
    Some(
        PER_MECHANISM
            .iter()
            .find(|key| base.ends_with(**key))
            .copied()
            .unwrap_or(base),
    )
}

/// What a topic has that overrides nothing (Kafka's `KafkaConfig.extractLogConfigMap`).
pub(crate) fn topic_defaults(values: &BTreeMap<String, ConfigValue>) -> TopicDefaults {
    let value = |key: &str| values[key].value.clone();
    let first = |milliseconds: &str, others: &[(&str, i64)]| in_milliseconds(values, milliseconds, others);
    let defaults = keys::topic().map(|definition| {
        let default = match definition.name {
            "segment.ms" => first("log.roll.ms", &[("log.roll.hours", HOUR_MS)]),
            "segment.jitter.ms" => first("log.roll.jitter.ms", &[("log.roll.jitter.hours", HOUR_MS)]),
            "flush.ms" => first("log.flush.interval.ms", &[("log.flush.scheduler.interval.ms", 1)]),
            "retention.ms" => {
                let others = [("log.retention.minutes", MINUTE_MS), ("log.retention.hours", HOUR_MS)];
                match first("log.retention.ms", &others) {
                    Value::Long(..0) => Value::Long(-1),
                    retention => retention,
                }
            }
            "message.format.version" => message_format_version(values, definition.default_value()),
            name => match of_topic_key(name).first() {
                Some(broker_key) => value(broker_key),
                None => definition.default_value(),
            },
        };
        (definition.name, default)
    });
    TopicDefaults(defaults.collect())
}

/// The first key that is set, in milliseconds.
fn in_milliseconds(values: &BTreeMap<String, ConfigValue>, milliseconds: &str, others: &[(&str, i64)]) -> Value {
    let candidates = std::iter::once((milliseconds, 1)).chain(others.iter().copied());
    for (key, unit_ms) in candidates {
        match values[key].value {
            Value::Long(number) => return Value::Long(number.saturating_mul(unit_ms)),
            Value::Int(number) => return Value::Long(i64::from(number).saturating_mul(unit_ms)),
            _ => {}
        }
    }
    Value::Null
}

/// From protocol 3.0 on the old key counts no more, whatever it is set to.
fn message_format_version(values: &BTreeMap<String, ConfigValue>, default: Value) -> Value {
    let place = |key: &str| match &values[key].value {
        Value::String(version) => metadata_version::find(version),
        _ => None,
    };
    match place("log.message.format.version") {
        Some(version) if place("inter.broker.protocol.version") < metadata_version::find("3.0-IV1") => {
            Value::String(metadata_version::NAMES[version].to_owned())
        }
        _ => default,
    }
}
