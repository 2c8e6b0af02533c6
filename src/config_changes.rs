//! What AlterConfigs and IncrementalAlterConfigs share: the checks before anything is changed, and the change of a topic. Kafka's
//! `ConfigAdminManager`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use controller::{ConfigMap, ControllerError, Rejection, StartError, TopicConfigChange};
use protocol::ErrorCode;
use protocol::wire::Utf8Bytes;

use crate::api_error::{ApiError, code_and_message};
use crate::broker::Broker;
use crate::config_resources::{ConfigOp, ResourceType, check_broker_change};
use crate::dispatch::RequestContext;

/// What a request changes of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceChange<'a> {
    /// The kind's number on the wire.
    pub resource_type: i8,
    /// The resource's name.
    pub resource_name: &'a str,
    /// What is done to its keys.
    pub ops: Vec<ConfigOp<'a>>,
}

/// What is left to be done for a change that may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToBeDone {
    /// A topic's configuration is set.
    Topic,
    /// A logger's level is set.
    Logger,
    /// A broker's change that changes nothing, the only one that may be made.
    Nothing,
}

impl ResourceChange<'_> {
    /// The refusal of a kind that the request does not know.
    pub fn unknown_type(&self) -> ApiError {
        ApiError::invalid_request(format!("Unknown resource type {}", self.resource_type))
    }

    /// What can be said of the change without the others of its request.
    fn check(&self, own_id: i32) -> Result<ToBeDone, ApiError> {
        check_ops(&self.ops)?;
        match ResourceType::from_wire(self.resource_type).ok_or_else(|| self.unknown_type())? {
            ResourceType::Topic => Ok(ToBeDone::Topic),
            ResourceType::BrokerLogger => Ok(ToBeDone::Logger),
            ResourceType::Broker => {
                check_broker_change(self.resource_name, own_id, &self.ops).map(|()| ToBeDone::Nothing)
            }
            ResourceType::ClientMetrics => Err(ApiError::invalid_request(
                "Only topics, brokers and broker loggers have configurations here; client metrics have none.",
            )),
        }
    }
}

/// Makes the changes of a request, one after the other: the code and message of each.
pub async fn in_turn<F>(changes: impl Iterator<Item = F>) -> Vec<(ErrorCode, Option<Utf8Bytes>)>
where
    F: Future<Output = Result<(), ApiError>>,
{
    let mut outcomes = Vec::new();
    for change in changes {
        outcomes.push(code_and_message(&change.await));
    }
    outcomes
}

/// Which of a request's changes may be made, each with what is left to be done for it.
pub fn check<'a>(changes: &'a [ResourceChange], own_id: i32) -> impl Iterator<Item = Result<ToBeDone, ApiError>> + 'a {
    let resources: Vec<(i8, &str)> = changes.iter().map(|c| (c.resource_type, c.resource_name)).collect();
    let checked = changes.iter().zip(duplicates(&resources));
    checked.map(move |(change, is_duplicate)| match is_duplicate {
        true => Err(ApiError::invalid_request("Each resource must appear at most once.")),
        false => change.check(own_id),
    })
}

/// Which of a request's resources, given by type and name, stand in it more than once: nobody could say what is meant.
fn duplicates(resources: &[(i8, &str)]) -> Vec<bool> {
    let mut times: HashMap<(i8, &str), usize> = HashMap::new();
    for resource in resources {
        *times.entry(*resource).or_default() += 1;
    }
    resources.iter().map(|resource| times[resource] > 1).collect()
}

/// What holds for the keys of any resource: each stands there once, and has a value unless it goes.
fn check_ops(ops: &[ConfigOp]) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    if let Some(twice) = ops.iter().find(|op| !seen.insert(op.name)) {
        return Err(ApiError::invalid_request(format!(
            "The configuration key {} stands in the request more than once.",
            twice.name
        )));
    }
    const DELETE: i8 = 1;
    let without_value = ops.iter().filter(|op| op.value.is_none() && op.operation != DELETE);
    let names: Vec<&str> = without_value.map(|op| op.name).collect();
    if !names.is_empty() {
        return Err(ApiError::invalid_request(format!(
            "Null value not supported for : {}",
            names.join(", ")
        )));
    }
    Ok(())
}

/// How often a change is made anew that somebody else was faster than.
const ATTEMPTS: usize = 10;

/// Changes what is set for a topic. `change` makes all that shall be set of all that is; it is made again where another broker has
/// changed that meanwhile, so that each has its way.
///
/// # Errors
/// `INVALID_REQUEST`, `UNKNOWN_TOPIC_OR_PARTITION`, what the controller says
pub async fn change_topic(
    broker: &Broker,
    context: &RequestContext,
    topic: &str,
    validate_only: bool,
    change: impl Fn(&mut ConfigMap) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    if topic.is_empty() {
        return Err(ApiError::invalid_request("Default topic resources are not allowed."));
    }
    if broker.metadata.topic(topic).is_none() {
        return Err(ApiError::unknown_topic(topic));
    }
    let mut attempts = 1..ATTEMPTS;
    loop {
        let set = broker.controller.topic_configs(topic).await.map_err(unread)?;
        let mut configs = set.clone();
        change(&mut configs)?;
        let shown = loggable(&configs);
        let asked = TopicConfigChange {
            topic: topic.to_owned(),
            configs,
            expected: Some(set),
        };
        let mut answers = broker
            .controller
            .alter_topic_configs(vec![asked], validate_only)
            .await
            .map_err(|error| match error {
                // Any broker answers this key, so no client looks for another one.
                ControllerError::NotController => ApiError::timed_out(),
                error => error.into(),
            })?;
        match answers.pop() {
            Some(Err(Rejection::ConfigsChanged { .. })) if attempts.next().is_some() => {
                // What the controller has not heard of yet it will hear soon.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            Some(Err(rejection)) => return Err(rejection.into()),
            Some(Ok(())) | None => {}
        }
        if !validate_only {
            log::info!(
                client:% = context.client_ip();
                "client {:?} set the configuration of topic {topic}: {{{shown}}}",
                context.client_id()
            );
        }
        return Ok(());
    }
}

fn unread(error: StartError) -> ApiError {
    log::warn!("the configuration of a topic could not be read: {error}");
    match error {
        StartError::Store(error) => ControllerError::Store(error).into(),
        _ => ApiError::timed_out(),
    }
}

/// What is set, for a log line; topics have no secrets.
fn loggable(configs: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = configs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(", ")
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;

    use super::*;

    const SET: i8 = 0;
    const DELETE: i8 = 1;

    fn op<'a>(name: &'a str, operation: i8, value: Option<&'a str>) -> ConfigOp<'a> {
        ConfigOp { name, operation, value }
    }

    #[test]
    fn keys_stand_once_and_have_values() {
        assert_eq!(check_ops(&[op("a", SET, Some("1")), op("b", DELETE, None)]), Ok(()));
        let twice = check_ops(&[op("a", SET, Some("1")), op("a", DELETE, Some(""))]).unwrap_err();
        assert_eq!(twice.code, ErrorCode::INVALID_REQUEST);
        let null = check_ops(&[op("a", SET, None)]).unwrap_err();
        assert_eq!(null.message.as_deref(), Some("Null value not supported for : a"));
    }

    #[test]
    fn a_resource_is_refused_for_itself_and_where_it_stands_twice() {
        let change = |resource_type, resource_name, ops: &[ConfigOp<'static>]| ResourceChange {
            resource_type,
            resource_name,
            ops: ops.to_vec(),
        };
        let changes = [
            change(2, "a", &[]),
            change(2, "b", &[op("segment.ms", SET, Some("1"))]),
            change(2, "c", &[op("segment.ms", SET, None)]),
            change(4, "1", &[]),
            change(4, "2", &[]),
            change(8, "1", &[]),
            change(16, "m", &[]),
            change(3, "x", &[]),
            change(2, "a", &[]),
        ];
        let message = |checked: Result<ToBeDone, ApiError>| {
            checked.map_err(|refused| {
                (
                    refused.code == ErrorCode::INVALID_REQUEST,
                    refused.message.unwrap_or_default(),
                )
            })
        };
        let refused = |message: &str| Err((true, message.to_owned()));
        let expected = [
            refused("Each resource must appear at most once."),
            Ok(ToBeDone::Topic),
            refused("Null value not supported for : segment.ms"),
            Ok(ToBeDone::Nothing),
            refused("Unexpected broker id, expected 1, but received 2"),
            Ok(ToBeDone::Logger),
            refused("Only topics, brokers and broker loggers have configurations here; client metrics have none."),
            refused("Unknown resource type 3"),
            refused("Each resource must appear at most once."),
        ];
        assert_eq!(check(&changes, 1).map(message).collect::<Vec<_>>(), expected);
    }
}
