//! CreatePartitions (37), v0–3 (KIP-195): more partitions for topics that exist.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use controller::NewPartitions;
use protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use protocol::wire::Utf8Bytes;

use crate::api_error::{ApiError, code_and_message};
use crate::ask_controller::ask_controller;
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::logging::listed;
use crate::topics::CONSUMER_OFFSETS;

/// What this file serves.
pub const SERVED: Served = served!(CreatePartitions, 0..=3, handle);

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let (once, duplicates) = split_duplicates(request.topics);
    let asked: Vec<NewPartitions> = once.iter().map(new_partitions).collect();
    let (count, validate_only) = (asked.len(), request.validate_only);
    let asked = broker.controller.create_partitions(asked, validate_only);
    let outcomes = ask_controller(count, request.timeout_ms, validate_only, asked).await;
    note(context, once.iter().zip(&outcomes), validate_only);
    let results = once.into_iter().zip(outcomes);
    let mut results: Vec<_> = results.map(|(topic, outcome)| result(topic.name, outcome)).collect();
    for name in duplicates {
        results.push(result(
            name,
            Err(ApiError::invalid_request("Duplicate topic in request.")),
        ));
    }
    CreatePartitionsResponse {
        results,
        ..Default::default()
    }
}

/// One line each, however many topics a client sends.
fn note<'a>(
    context: &RequestContext,
    outcomes: impl Iterator<Item = (&'a CreatePartitionsTopic, &'a Result<(), ApiError>)> + Clone,
    validate_only: bool,
) {
    let client = context.client_id();
    let raised = outcomes.clone().filter(|(_, outcome)| outcome.is_ok());
    let raised = listed(raised, |(topic, _)| format!("{} to {}", topic.name, topic.count));
    if !raised.is_empty() && !validate_only {
        log::info!(client:% = context.client_ip(); "client {client:?} raised the partitions of topics: {raised}");
        if outcomes
            .clone()
            .any(|(topic, outcome)| &*topic.name == CONSUMER_OFFSETS && outcome.is_ok())
        {
            log::warn!(
                "{CONSUMER_OFFSETS} has more partitions now: from the next start on most groups are looked for in another \
                 one than their offsets are in, and begin without them"
            );
        }
    }
    let refused = outcomes.filter_map(|(topic, outcome)| Some((topic, outcome.as_ref().err()?)));
    let refused = listed(refused, |(topic, error)| {
        let (code, message) = (error.code.name(), error.message.as_deref().unwrap_or(""));
        format!("{} to {} ({code} {message})", topic.name, topic.count)
    });
    if !refused.is_empty() {
        log::info!(client:% = context.client_ip(); "client {client:?} could not raise the partitions of topics: {refused}");
    }
}

/// A topic that stands in the request more than once is refused, and named once in the answer.
fn split_duplicates(topics: Vec<CreatePartitionsTopic>) -> (Vec<CreatePartitionsTopic>, BTreeSet<Utf8Bytes>) {
    let mut times: HashMap<Utf8Bytes, usize> = HashMap::new();
    for topic in &topics {
        *times.entry(topic.name.clone()).or_default() += 1;
    }
    let (once, more): (Vec<_>, Vec<_>) = topics.into_iter().partition(|topic| times[&topic.name] == 1);
    (once, more.into_iter().map(|topic| topic.name).collect())
}

fn new_partitions(topic: &CreatePartitionsTopic) -> NewPartitions {
    let assignments = topic.assignments.as_ref();
    NewPartitions {
        topic: topic.name.to_string(),
        count: topic.count,
        assignments: assignments.map(|all| all.iter().map(|a| a.broker_ids.clone()).collect()),
    }
}

fn result(name: Utf8Bytes, outcome: Result<(), ApiError>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = code_and_message(&outcome);
    CreatePartitionsTopicResult {
        name,
        error_code,
        error_message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_refused_once() {
        let topic = |name: &'static str| CreatePartitionsTopic {
            name: Utf8Bytes::from_static(name),
            ..Default::default()
        };
        let (once, duplicates) = split_duplicates(vec![topic("a"), topic("b"), topic("a")]);
        assert_eq!(once, [topic("b")]);
        assert_eq!(duplicates, BTreeSet::from([Utf8Bytes::from_static("a")]));
    }
}
