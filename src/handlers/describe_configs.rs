//! DescribeConfigs (32), v0–4: topics, this broker, its logger. Sources and synonyms since v1 (KIP-226), types and documentation
//! since v3 (KIP-569).

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use config::ConfigEntry;
use protocol::ErrorCode;
use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::wire::Utf8Bytes;

use crate::api_error::ApiError;
use crate::broker::Broker;
use crate::config_resources::{ROOT_LOGGER, ResourceType, check_broker_id, level_name};
use crate::dispatch::{RequestContext, Served, served};
use controller::topics::validate_name;

/// What this file serves.
pub const SERVED: Served = served!(DescribeConfigs, 0..=4, handle);

/// `DYNAMIC_BROKER_LOGGER_CONFIG`
const LOGGER_SOURCE: i8 = 6;

/// How large the entries of one answer may become, roughly. A topic's name is some bytes of a request and some KiB of its answer, so
/// what else bounds it is how many topics there are. This is more than 10,000 topics take with synonyms, and less than
/// librdkafka accepts (`receive.message.max.bytes`).
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What the request wants to see of each key.
#[derive(Clone, Copy)]
struct Shown {
    synonyms: bool,
    documentation: bool,
}

async fn handle(broker: &Arc<Broker>, _: &RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let shown = Shown {
        synonyms: request.include_synonyms,
        documentation: request.include_documentation,
    };
    // As in Kafka a type that does not exist spoils the whole request.
    let unknown = request
        .resources
        .iter()
        .find(|r| ResourceType::from_wire(r.resource_type).is_none());
    // It stands in every result, so it does not repeat what the client has sent.
    let refusal = unknown.map(|r| ApiError::invalid_request(format!("Unexpected resource type {}", r.resource_type)));
    let mut room_bytes = MAX_ANSWER_BYTES;
    let results = distinct(request.resources).into_iter().map(|resource| {
        let described = match &refusal {
            Some(refusal) => Err(refusal.clone()),
            None => within(&mut room_bytes, || describe(broker, &resource, shown)),
        };
        result(resource, described)
    });
    DescribeConfigsResponse {
        results: results.collect(),
        ..Default::default()
    }
}

/// Describes a resource as long as there is room in the answer.
fn within(
    room_bytes: &mut usize,
    describe: impl FnOnce() -> Result<Vec<DescribeConfigsResourceResult>, ApiError>,
) -> Result<Vec<DescribeConfigsResourceResult>, ApiError> {
    if *room_bytes == 0 {
        let message = "One answer cannot hold the configurations of so many resources: ask for fewer at once.";
        return Err(ApiError::new(ErrorCode::POLICY_VIOLATION, message));
    }
    let described = describe()?;
    let bytes: usize = described.iter().map(entry_bytes).sum();
    *room_bytes = room_bytes.saturating_sub(bytes);
    Ok(described)
}

/// What an entry takes in the answer, roughly.
fn entry_bytes(entry: &DescribeConfigsResourceResult) -> usize {
    const FIXED_BYTES: usize = 16;
    let length = |text: &Option<Utf8Bytes>| text.as_ref().map_or(0, |text| text.len());
    let synonyms = entry.synonyms.iter();
    let synonyms_bytes: usize = synonyms
        .map(|synonym| FIXED_BYTES + synonym.name.len() + length(&synonym.value))
        .sum();
    FIXED_BYTES + entry.name.len() + length(&entry.value) + length(&entry.documentation) + synonyms_bytes
}

/// Each resource once, at its first place, with all the keys that are asked of it: a short request must not ask for the same keys
/// any number of times.
fn distinct(resources: Vec<DescribeConfigsResource>) -> Vec<DescribeConfigsResource> {
    let mut distinct: Vec<DescribeConfigsResource> = Vec::with_capacity(resources.len());
    let mut place_of: HashMap<(i8, Result<i32, Utf8Bytes>), usize> = HashMap::new();
    for resource in resources {
        match place_of.entry(identity(&resource)) {
            Entry::Vacant(place) => {
                place.insert(distinct.len());
                distinct.push(resource);
            }
            Entry::Occupied(place) => {
                let keys = &mut distinct[*place.get()].configuration_keys;
                match (
                    keys.as_mut().filter(|keys| !keys.is_empty()),
                    resource.configuration_keys,
                ) {
                    (Some(keys), Some(more)) if !more.is_empty() => keys.extend(more),
                    // One of the two wants every key.
                    (_, _) => *keys = None,
                }
            }
        }
    }
    distinct
}

/// What a resource is, however it is spelled: 1, 01 and +1 are one broker.
fn identity(resource: &DescribeConfigsResource) -> (i8, Result<i32, Utf8Bytes>) {
    let name = &resource.resource_name;
    let id = match ResourceType::from_wire(resource.resource_type) {
        Some(ResourceType::Broker | ResourceType::BrokerLogger) => name.parse().map_err(|_| name.clone()),
        Some(ResourceType::Topic | ResourceType::ClientMetrics) | None => Err(name.clone()),
    };
    (resource.resource_type, id)
}

fn describe(
    broker: &Broker,
    resource: &DescribeConfigsResource,
    shown: Shown,
) -> Result<Vec<DescribeConfigsResourceResult>, ApiError> {
    let name = &*resource.resource_name;
    let wanted = Wanted::new(resource);
    let entries = match ResourceType::from_wire(resource.resource_type) {
        Some(ResourceType::Topic) => topic_entries(broker, name)?,
        // What is set for all brokers: nothing can be yet.
        Some(ResourceType::Broker) if name.is_empty() => Vec::new(),
        Some(ResourceType::Broker) => {
            check_broker_id(name, broker.id)?;
            let mut entries = broker.config.describe();
            // Kafka changes some keys while it runs; here none does so yet.
            entries.iter_mut().for_each(|entry| entry.read_only = true);
            entries
        }
        Some(ResourceType::BrokerLogger) if name.is_empty() => {
            return Err(ApiError::invalid_request("Broker id must not be empty"));
        }
        Some(ResourceType::BrokerLogger) => {
            check_broker_id(name, broker.id)?;
            let named = |key: &&str| wanted.contains(key);
            return Ok([ROOT_LOGGER].into_iter().filter(named).map(logger_entry).collect());
        }
        Some(ResourceType::ClientMetrics) if name.is_empty() => {
            return Err(ApiError::invalid_request(
                "Client metrics subscription name must not be empty",
            ));
        }
        Some(ResourceType::ClientMetrics) | None => {
            let message = "Subscriptions to client metrics are not part of this broker.";
            return Err(ApiError::invalid_request(message));
        }
    };
    let wanted = entries.into_iter().filter(|entry| wanted.contains(&entry.name));
    Ok(wanted.map(|entry| config_entry(entry, shown)).collect())
}

/// The keys that are asked of a resource; `None`: all. A set, because a request can name any number of them.
struct Wanted<'a>(Option<HashSet<&'a str>>);

impl<'a> Wanted<'a> {
    /// No keys, null or none at all, mean every key.
    fn new(resource: &'a DescribeConfigsResource) -> Self {
        let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
        Self(keys.map(|keys| keys.iter().map(|key| &**key).collect()))
    }

    fn contains(&self, key: &str) -> bool {
        self.0.as_ref().is_none_or(|keys| keys.contains(key))
    }
}

fn topic_entries(broker: &Broker, topic: &str) -> Result<Vec<ConfigEntry>, ApiError> {
    if validate_name(topic).is_err() {
        let message = format!("{topic:?} is no name that a topic can have.");
        return Err(ApiError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
    }
    let Some(overrides) = broker.metadata.topic_configs(topic) else {
        return Err(ApiError::unknown_topic(topic));
    };
    let described = broker.config.describe_topic(&overrides);
    described.map_err(|e| ApiError::new(ErrorCode::INVALID_CONFIG, e.to_string()))
}

fn config_entry(entry: ConfigEntry, shown: Shown) -> DescribeConfigsResourceResult {
    let synonyms = if shown.synonyms { entry.synonyms } else { Vec::new() };
    let documentation = if shown.documentation { entry.doc } else { None };
    DescribeConfigsResourceResult {
        name: entry.name.into(),
        value: entry.value.map(Utf8Bytes::from),
        read_only: entry.read_only,
        // Only version 0 has it, and Kafka no longer fills it in.
        is_default: false,
        config_source: entry.source.wire_id(),
        is_sensitive: entry.sensitive,
        synonyms: synonyms
            .into_iter()
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.name.into(),
                value: synonym.value.map(Utf8Bytes::from),
                source: synonym.source.wire_id(),
            })
            .collect(),
        config_type: entry.value_type.map_or(0, |value_type| value_type.wire_id()),
        documentation: documentation.map(Utf8Bytes::from_static),
    }
}

fn logger_entry(name: &'static str) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: Utf8Bytes::from_static(name),
        value: Some(Utf8Bytes::from_static(level_name(log::max_level()))),
        config_source: LOGGER_SOURCE,
        ..Default::default()
    }
}

fn result(
    resource: DescribeConfigsResource,
    described: Result<Vec<DescribeConfigsResourceResult>, ApiError>,
) -> DescribeConfigsResult {
    let named = DescribeConfigsResult {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        ..Default::default()
    };
    match described {
        Ok(configs) => DescribeConfigsResult { configs, ..named },
        Err(error) => DescribeConfigsResult {
            error_code: error.code,
            error_message: error.message.map(Utf8Bytes::from),
            ..named
        },
    }
}

#[cfg(test)]
mod tests {
    use config::BrokerConfig;

    use super::*;

    fn resource(keys: Option<Vec<&'static str>>) -> DescribeConfigsResource {
        DescribeConfigsResource {
            configuration_keys: keys.map(|keys| keys.into_iter().map(Utf8Bytes::from_static).collect()),
            ..Default::default()
        }
    }

    #[test]
    fn no_keys_are_all_keys() {
        let is_wanted = |keys, key| Wanted::new(&resource(keys)).contains(key);
        assert!(is_wanted(None, "a"));
        assert!(is_wanted(Some(Vec::new()), "a"));
        assert!(is_wanted(Some(vec!["b", "a"]), "a"));
        assert!(!is_wanted(Some(vec!["b"]), "a"));
    }

    #[test]
    fn a_broker_is_described_once_however_its_id_is_spelled() {
        let of_type = |resource_type, name| DescribeConfigsResource {
            resource_type,
            resource_name: Utf8Bytes::from_static(name),
            ..resource(None)
        };
        let spelled = |resource_type| ["1001", "01001", "+1001", "0001001"].map(|name| of_type(resource_type, name));
        for broker_or_logger in [4, 8] {
            let described = distinct(spelled(broker_or_logger).into());
            assert_eq!(described, [of_type(broker_or_logger, "1001")]);
        }
        assert_eq!(distinct(spelled(2).into()).len(), 4, "these are four topics");
        let others = vec![of_type(4, ""), of_type(4, "x"), of_type(4, "1001"), of_type(8, "1001")];
        assert_eq!(distinct(others.clone()), others);
    }

    #[test]
    fn an_answer_has_a_bound() {
        let large = || {
            let entry = DescribeConfigsResourceResult {
                value: Some(Utf8Bytes::from_static("0123456789")),
                ..Default::default()
            };
            Ok(vec![entry; 3])
        };
        let mut room_bytes = 100;
        let described: Vec<_> = (0..4)
            .map(|_| within(&mut room_bytes, large).map_err(|error| error.code))
            .map(|described| described.map(|entries| entries.len()))
            .collect();
        let refused = Err(ErrorCode::POLICY_VIOLATION);
        assert_eq!(described, [Ok(3), Ok(3), refused, refused]);
    }

    #[test]
    fn a_resource_named_twice_is_described_once() {
        let named = |name, keys| DescribeConfigsResource {
            resource_name: Utf8Bytes::from_static(name),
            ..resource(keys)
        };
        let resources = vec![
            named("t", Some(vec!["a"])),
            named("u", Some(vec!["a"])),
            named("t", Some(vec!["b"])),
            named("u", None),
            named("u", Some(vec!["b"])),
        ];
        assert_eq!(
            distinct(resources),
            [named("t", Some(vec!["a", "b"])), named("u", None)]
        );
    }

    #[test]
    fn synonyms_and_documentation_are_shown_where_asked_for() {
        let shown = |synonyms, documentation| {
            let entries = BrokerConfig::default().describe();
            let entry = entries.into_iter().find(|e| e.name == "num.partitions").unwrap();
            config_entry(
                entry,
                Shown {
                    synonyms,
                    documentation,
                },
            )
        };
        let quiet = shown(false, false);
        assert_eq!(
            (quiet.synonyms.len(), quiet.documentation, quiet.config_source),
            (0, None, 5)
        );
        let full = shown(true, true);
        assert_eq!(
            (full.synonyms.len(), full.documentation.is_some(), full.config_type),
            (1, true, 3)
        );
    }
}
