//! DeleteTopics (20), v0–6: by name, from v6 on by id (KIP-516); v5 has messages.

use std::collections::HashMap;
use std::sync::Arc;

use controller::{ControllerError, DeletedTopic, TopicRef};
use protocol::ErrorCode;
use protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use protocol::wire::Utf8Bytes;

use crate::api_error::{ApiError, code_and_message};
use crate::ask_controller::ask_controller;
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::logging::listed;

/// What this file serves.
pub const SERVED: Served = served!(DeleteTopics, 0..=6, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let topics = named(request.topics, request.topic_names, context.version);
    // Before anything is looked up: of a broker that has just started no topic is known, and «unknown» says «deleted» to a client.
    let refusal = match broker.controller.is_controller() {
        true => refusal_of_all(&topics, broker.config.delete_topic_enable, context.version),
        false => Some(ControllerError::NotController.into()),
    };
    if let Some(refusal) = refusal {
        let refused = topics.into_iter().map(|topic| result(topic, Err(refusal.clone())));
        return DeleteTopicsResponse {
            responses: refused.collect(),
            ..Default::default()
        };
    }
    let Asked { refs, places } = Asked::new(&topics, |topic| find(broker, topic));
    let count = refs.len();
    let asked = broker.controller.delete_topics(refs);
    let outcomes = ask_controller(count, request.timeout_ms, false, asked).await;
    let responses = topics.into_iter().zip(places).map(|(mut topic, place)| {
        if topic.name.is_none() && !topic.topic_id.is_zero() {
            topic.name = broker
                .metadata
                .topic_name(topic.topic_id)
                .map(|name| Utf8Bytes::from(&*name));
        }
        let outcome = place.and_then(|place| outcomes[place].clone());
        result(topic, outcome)
    });
    let responses: Vec<DeletableTopicResult> = responses.collect();
    note(context, &responses);
    DeleteTopicsResponse {
        responses,
        ..Default::default()
    }
}

/// What the controller is asked, and which of its answers each topic of the request gets.
struct Asked {
    /// Each topic once, however often and in whichever way it is named: a deletion names all its partitions.
    refs: Vec<TopicRef>,
    places: Vec<Result<usize, ApiError>>,
}

impl Asked {
    /// `find` gives a topic's name, or says why it is refused.
    fn new(topics: &[DeleteTopicState], find: impl Fn(&DeleteTopicState) -> Result<Arc<str>, ApiError>) -> Self {
        let mut refs = Vec::new();
        let mut place_of: HashMap<Arc<str>, usize> = HashMap::new();
        let mut place = |topic: &DeleteTopicState| {
            let name = find(topic)?;
            Ok(*place_of.entry(name).or_insert_with_key(|name| {
                refs.push(match topic.name {
                    Some(_) => TopicRef::Name(name.to_string()),
                    None => TopicRef::Id(topic.topic_id),
                });
                refs.len() - 1
            }))
        };
        let places = topics.iter().map(&mut place).collect();
        Asked { refs, places }
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
    None
}

/// A topic's name.
fn find(broker: &Broker, topic: &DeleteTopicState) -> Result<Arc<str>, ApiError> {
    match &topic.name {
        // Whether it is there the controller knows: its own broker may not have heard of all topics yet.
        Some(name) => Ok(Arc::from(&**name)),
        // The code of KRaft; ZooKeeper mode speaks of authorisation. Both go on with the other topics.
        None if topic.topic_id.is_zero() => Err(ApiError::invalid_request("Neither topic name nor id were specified.")),
        None => broker.metadata.topic_name(topic.topic_id).ok_or_else(|| {
            let message = format!("No topic has the id {}.", topic.topic_id);
            ApiError::new(ErrorCode::UNKNOWN_TOPIC_ID, message)
        }),
    }
}

/// One line each, however many topics a client sends.
fn note(context: &RequestContext, responses: &[DeletableTopicResult]) {
    let client = context.client_id();
    // The id, where it was asked for by that.
    let name = |topic: &DeletableTopicResult| match topic.topic_id.is_zero() {
        true => topic.name.as_deref().unwrap_or("").to_owned(),
        false => format!("{} ({})", topic.name.as_deref().unwrap_or(""), topic.topic_id),
    };
    let is_deleted = |topic: &&DeletableTopicResult| topic.error_code == ErrorCode::NONE;
    let deleted = listed(responses.iter().filter(is_deleted), name);
    if !deleted.is_empty() {
        log::info!(client:% = context.client_ip(); "client {client:?} deleted topics: {deleted}");
    }
    let refused = responses.iter().filter(|topic| !is_deleted(topic));
    let refused = listed(refused, |topic| format!("{}: {}", name(topic), topic.error_code.name()));
    if !refused.is_empty() {
        log::info!(client:% = context.client_ip(); "client {client:?} could not delete topics: {refused}");
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
        assert_eq!(refused(topic(None, 0)), None, "the others are deleted all the same");
        assert_eq!(refused(topic(Some("t"), 0)), None);
        assert_eq!(refused(topic(None, 1)), None);
    }

    #[test]
    fn a_topic_is_deleted_once_however_often_it_is_named() {
        // Topic 7 is `seven`.
        let find = |topic: &DeleteTopicState| match &topic.name {
            Some(name) => Ok(Arc::from(&**name)),
            None if topic.topic_id == Uuid([7; 16]) => Ok(Arc::from("seven")),
            None => Err(ApiError::invalid_request("unknown")),
        };
        let topics = [
            topic(Some("a"), 0),
            topic(None, 7),
            topic(None, 0),
            topic(Some("a"), 0),
            topic(Some("seven"), 0),
            topic(None, 7),
        ];
        let Asked { refs, places } = Asked::new(&topics, find);
        assert_eq!(refs, [TopicRef::Name("a".into()), TopicRef::Id(Uuid([7; 16]))]);
        let places: Vec<Option<usize>> = places.into_iter().map(Result::ok).collect();
        assert_eq!(places, [Some(0), Some(1), None, Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn names_stand_elsewhere_before_version_6() {
        let names = || vec![Utf8Bytes::from_static("old")];
        assert_eq!(named(Vec::new(), names(), 5), [topic(Some("old"), 0)]);
        assert_eq!(named(vec![topic(None, 1)], names(), 6), [topic(None, 1)]);
    }
}
