//! DeleteTopics (20), v0–6: by name, from v6 on by id (KIP-516); v5 has messages.

use std::sync::Arc;

use controller::{DeletedTopic, TopicRef};
use protocol::ErrorCode;
use protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use protocol::wire::Utf8Bytes;

use crate::api_error::{ApiError, code_and_message};
use crate::ask_controller::ask_controller;
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};

/// What this file serves.
pub const SERVED: Served = served!(DeleteTopics, 0..=6, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let topics = named(request.topics, request.topic_names, context.version);
    if let Some(refusal) = refusal_of_all(&topics, broker.config.delete_topic_enable, context.version) {
        let refused = topics.into_iter().map(|topic| result(topic, Err(refusal.clone())));
        return DeleteTopicsResponse {
            responses: refused.collect(),
            ..Default::default()
        };
    }
    let found: Vec<Result<TopicRef, ApiError>> = topics.iter().map(|topic| find(broker, topic)).collect();
    let refs: Vec<TopicRef> = found.iter().filter_map(|found| found.as_ref().ok().cloned()).collect();
    let count = refs.len();
    let asked = broker.controller.delete_topics(refs);
    let mut outcomes = ask_controller(count, request.timeout_ms, false, asked)
        .await
        .into_iter();
    let responses = topics.into_iter().zip(found).map(|(mut topic, found)| {
        if topic.name.is_none() {
            topic.name = broker
                .metadata
                .topic_name(topic.topic_id)
                .map(|name| Utf8Bytes::from(&*name));
        }
        let outcome = found.and_then(|_| outcomes.next().unwrap_or_else(|| Err(ApiError::timed_out())));
        note(context, &topic, &outcome);
        result(topic, outcome)
    });
    DeleteTopicsResponse {
        responses: responses.collect(),
        ..Default::default()
    }
}

/// Before version 6 topics are named in another field.
fn named(topics: Vec<DeleteTopicState>, names: Vec<Utf8Bytes>, version: i16) -> Vec<DeleteTopicState> {
    if version >= 6 {
        return topics;
    }
    let by_name = names.into_iter().map(|name| DeleteTopicState {
        name: Some(name),
        ..Default::default()
    });
    by_name.collect()
}

fn refusal_of_all(topics: &[DeleteTopicState], deletion_enabled: bool, version: i16) -> Option<ApiError> {
    if !deletion_enabled {
        let message = "Topic deletion is disabled on this broker (delete.topic.enable=false).";
        return Some(match version {
            ..3 => ApiError::invalid_request(message),
            _ => ApiError::new(ErrorCode::TOPIC_DELETION_DISABLED, message),
        });
    }
    if topics.iter().any(|t| t.name.is_some() && !t.topic_id.is_zero()) {
        return Some(ApiError::invalid_request(
            "A topic is named by its name or by its id, not by both.",
        ));
    }
    if topics.iter().any(|t| t.name.is_none() && t.topic_id.is_zero()) {
        return Some(ApiError::invalid_request("A topic is named by its name or by its id."));
    }
    None
}

fn find(broker: &Broker, topic: &DeleteTopicState) -> Result<TopicRef, ApiError> {
    match &topic.name {
        Some(name) if broker.metadata.topic(name).is_some() => Ok(TopicRef::Name(name.to_string())),
        Some(name) => Err(ApiError::unknown_topic(name)),
        None if broker.metadata.topic_name(topic.topic_id).is_some() => Ok(TopicRef::Id(topic.topic_id)),
        None => Err(ApiError::new(
            ErrorCode::UNKNOWN_TOPIC_ID,
            format!("No topic has the id {}.", topic.topic_id),
        )),
    }
}

fn note(context: &RequestContext, topic: &DeleteTopicState, outcome: &Result<DeletedTopic, ApiError>) {
    let client = context.client_id();
    match outcome {
        Ok(deleted) => log::info!(
            "client {client:?} deleted topic {} ({})",
            deleted.name,
            deleted.topic_id
        ),
        Err(error) => log::info!(
            "client {client:?} could not delete topic {} ({}): {}",
            topic.name.as_deref().unwrap_or(""),
            topic.topic_id,
            error.code.name()
        ),
    }
}

/// The answer names a topic as the request did; one that was named by its id has its name as well.
fn result(topic: DeleteTopicState, outcome: Result<DeletedTopic, ApiError>) -> DeletableTopicResult {
    let (error_code, error_message) = code_and_message(&outcome);
    DeletableTopicResult {
        name: match outcome {
            Ok(deleted) => Some(deleted.name.into()),
            Err(_) => topic.name,
        },
        topic_id: topic.topic_id,
        error_code,
        error_message,
    }
}

#[cfg(test)]
mod tests {
    use protocol::wire::Uuid;

    use super::*;

    fn topic(name: Option<&'static str>, id: u8) -> DeleteTopicState {
        DeleteTopicState {
            name: name.map(Utf8Bytes::from_static),
            topic_id: Uuid([id; 16]),
        }
    }

    #[test]
    fn deletion_that_is_disabled_has_a_code_since_version_3() {
        let refused = |version| refusal_of_all(&[], false, version).map(|e| e.code);
        assert_eq!(refused(2), Some(ErrorCode::INVALID_REQUEST));
        assert_eq!(refused(3), Some(ErrorCode::TOPIC_DELETION_DISABLED));
        assert_eq!(refusal_of_all(&[], true, 3), None);
    }

    #[test]
    fn a_topic_is_named_in_one_way() {
        let refused = |topic| refusal_of_all(&[topic], true, 6).map(|e| e.code);
        assert_eq!(refused(topic(Some("t"), 1)), Some(ErrorCode::INVALID_REQUEST));
        assert_eq!(refused(topic(None, 0)), Some(ErrorCode::INVALID_REQUEST));
        assert_eq!(refused(topic(Some("t"), 0)), None);
        assert_eq!(refused(topic(None, 1)), None);
    }

    #[test]
    fn names_stand_elsewhere_before_version_6() {
        let names = || vec![Utf8Bytes::from_static("old")];
        assert_eq!(named(Vec::new(), names(), 5), [topic(Some("old"), 0)]);
        assert_eq!(named(vec![topic(None, 1)], names(), 6), [topic(None, 1)]);
    }
}
