//! CreateTopics (19), v0–7: counts or explicit assignments, own configuration, validation alone (v1), what was created (v5, KIP-525),
//! topic ids (v7, KIP-516).

use std::collections::HashMap;
use std::sync::Arc;

use config::BrokerConfig;
use controller::{CreatedTopic, NewTopic};
use protocol::ErrorCode;
use protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::wire::Utf8Bytes;

use crate::api_error::{ApiError, code_and_message};
use crate::ask_controller::ask_controller;
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::logging::listed;
use crate::topics::CLUSTER_METADATA;

/// What this file serves.
pub const SERVED: Served = served!(CreateTopics, 0..=7, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let refusals = refusals(&request.topics);
    let new = request
        .topics
        .iter()
        .zip(&refusals)
        .filter(|(_, refusal)| refusal.is_none());
    let new: Vec<NewTopic> = new.map(|(topic, _)| new_topic(topic)).collect();
    let validate_only = request.validate_only;
    let count = new.len();
    let asked = broker.controller.create_topics(new, validate_only);
    let mut outcomes = ask_controller(count, request.timeout_ms, validate_only, asked)
        .await
        .into_iter();
    let topics = request.topics.iter().zip(refusals).map(|(topic, refusal)| {
        let outcome = match refusal {
            Some(refusal) => Err(refusal),
            None => outcomes.next().unwrap_or_else(|| Err(ApiError::timed_out())),
        };
        let mut result = result(&broker.config, topic.name.clone(), outcome);
        if result.error_code == ErrorCode::REQUEST_TIMED_OUT {
            // It may have been made all the same.
            result.topic_id = broker.metadata.topic_id(&topic.name).unwrap_or_default();
        }
        result
    });
    let topics: Vec<CreatableTopicResult> = topics.collect();
    note(context, &topics, validate_only);
    CreateTopicsResponse {
        topics,
        ..Default::default()
    }
}

/// What is refused without asking the controller, in the order of the topics.
fn refusals(topics: &[CreatableTopic]) -> Vec<Option<ApiError>> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for topic in topics {
        *times.entry(&topic.name).or_default() += 1;
    }
    let refusal = |topic: &CreatableTopic| match &*topic.name {
        CLUSTER_METADATA => Some(ApiError::invalid_request(format!(
            "Creation of internal topic {CLUSTER_METADATA} is prohibited."
        ))),
        name if times[name] > 1 => Some(ApiError::invalid_request("Found multiple entries for this topic.")),
        _ => None,
    };
    topics.iter().map(refusal).collect()
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.iter();
    let configs = topic.configs.iter();
    NewTopic {
        name: topic.name.to_string(),
        num_partitions: topic.num_partitions,
        replication_factor: i32::from(topic.replication_factor),
        assignments: assignments.map(|a| (a.partition_index, a.broker_ids.clone())).collect(),
        configs: configs
            .map(|c| (c.name.to_string(), c.value.as_deref().map(str::to_owned)))
            .collect(),
    }
}

/// One line each, however many topics a client sends.
fn note(context: &RequestContext, topics: &[CreatableTopicResult], validate_only: bool) {
    let client = context.client_id();
    let is_created = |topic: &&CreatableTopicResult| topic.error_code == ErrorCode::NONE;
    let created = listed(topics.iter().filter(is_created), |topic| {
        let CreatableTopicResult {
            name,
            num_partitions,
            replication_factor,
            ..
        } = topic;
        format!("{name} ({num_partitions} partitions, replication factor {replication_factor})")
    });
    if !created.is_empty() && !validate_only {
        log::info!(client:% = context.client_ip(); "client {client:?} created topics: {created}");
    }
    let refused = listed(topics.iter().filter(|topic| !is_created(topic)), |topic| {
        match topic.error_message.as_deref() {
            Some(message) => format!("{} ({}: {message})", topic.name, topic.error_code.name()),
            None => format!("{} ({})", topic.name, topic.error_code.name()),
        }
    });
    if !refused.is_empty() {
        log::info!(client:% = context.client_ip(); "client {client:?} could not create topics: {refused}");
    }
}

fn result(config: &BrokerConfig, name: Utf8Bytes, outcome: Result<CreatedTopic, ApiError>) -> CreatableTopicResult {
    let (error_code, error_message) = code_and_message(&outcome);
    let mut result = CreatableTopicResult {
        name,
        error_code,
        error_message,
        ..Default::default()
    };
    if let Ok(created) = outcome {
        result.topic_id = created.topic_id;
        result.num_partitions = created.num_partitions;
        result.replication_factor = created.replication_factor;
        // The controller has checked them by the same rules, so they can be described.
        let entries = config.describe_topic(&created.configs).unwrap_or_default().into_iter();
        let configs = entries.map(|entry| CreatableTopicConfigs {
            name: entry.name.into(),
            value: entry.value.map(Utf8Bytes::from),
            read_only: entry.read_only,
            config_source: entry.source.wire_id(),
            is_sensitive: entry.sensitive,
        });
        result.configs = Some(configs.collect());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &'static str) -> CreatableTopic {
        CreatableTopic {
            name: Utf8Bytes::from_static(name),
            ..Default::default()
        }
    }

    #[test]
    fn duplicates_are_refused_everywhere_they_stand() {
        let refused = refusals(&[topic("a"), topic("b"), topic("a"), topic("__cluster_metadata")]);
        let codes: Vec<_> = refused.iter().map(|r| r.as_ref().map(|e| e.code)).collect();
        let invalid = Some(ErrorCode::INVALID_REQUEST);
        assert_eq!(codes, [invalid, None, invalid, invalid]);
        assert_eq!(
            refused[0].as_ref().unwrap().message.as_deref(),
            Some("Found multiple entries for this topic.")
        );
    }

    #[test]
    fn a_refused_topic_has_no_counts_and_no_configs() {
        let refused = result(&BrokerConfig::default(), "t".into(), Err(ApiError::timed_out()));
        assert_eq!((refused.num_partitions, refused.replication_factor), (-1, -1));
        assert_eq!(refused.configs, Some(Vec::new()));
        assert_eq!(
            (refused.error_code, refused.error_message),
            (ErrorCode::REQUEST_TIMED_OUT, None)
        );
    }
}
