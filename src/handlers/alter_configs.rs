//! AlterConfigs (33), v0–2: replaces all that is set for a topic. A broker's keys cannot be changed while it runs yet.

use std::sync::Arc;

use controller::{ConfigMap, TopicConfigChange};
use protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use crate::api_error::{ApiError, code_and_message};
use crate::broker::Broker;
use crate::config_resources::{
    ConfigOp, ResourceType, check_broker_change, check_ops, duplicate_resource, duplicates, loggable,
};
use crate::dispatch::{RequestContext, Served, served};

/// What this file serves.
pub const SERVED: Served = served!(AlterConfigs, 0..=2, handle);

const SET: i8 = 0;

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let names: Vec<(i8, &str)> = request
        .resources
        .iter()
        .map(|r| (r.resource_type, &*r.resource_name))
        .collect();
    let duplicates = duplicates(&names);
    let mut responses = Vec::with_capacity(request.resources.len());
    for (resource, is_duplicate) in request.resources.iter().zip(duplicates) {
        let outcome = match is_duplicate {
            true => Err(duplicate_resource()),
            false => alter(broker, context, resource, request.validate_only).await,
        };
        let (error_code, error_message) = code_and_message(&outcome);
        responses.push(AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
        });
    }
    AlterConfigsResponse {
        responses,
        ..Default::default()
    }
}

async fn alter(
    broker: &Broker,
    context: &RequestContext,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), ApiError> {
    let ops = resource.configs.iter().map(|config| ConfigOp {
        name: &config.name,
        operation: SET,
        value: config.value.as_deref(),
    });
    let ops: Vec<ConfigOp> = ops.collect();
    check_ops(&ops)?;
    let name = &*resource.resource_name;
    match ResourceType::from_wire(resource.resource_type) {
        Some(ResourceType::Topic) => {
            let set = ops
                .iter()
                .filter_map(|op| Some((op.name.to_owned(), op.value?.to_owned())));
            let configs = set.collect();
            let _one_at_a_time = broker.config_changes.lock().await;
            change_topic(broker, context, name, configs, validate_only).await
        }
        Some(ResourceType::Broker) => check_broker_change(name, broker.id, &ops),
        // Loggers came with IncrementalAlterConfigs and are its alone.
        Some(ResourceType::BrokerLogger) | None => Err(ApiError::invalid_request(format!(
            "Unknown resource type {}",
            resource.resource_type
        ))),
        Some(ResourceType::ClientMetrics) => Err(client_metrics()),
    }
}

/// The refusal of a subscription to clients' metrics.
pub(super) fn client_metrics() -> ApiError {
    ApiError::invalid_request(
        "Only topics, brokers and broker loggers have configurations here; client metrics have none.",
    )
}

/// Makes `configs` all that is set for a topic.
pub(super) async fn change_topic(
    broker: &Broker,
    context: &RequestContext,
    topic: &str,
    configs: ConfigMap,
    validate_only: bool,
) -> Result<(), ApiError> {
    if topic.is_empty() {
        return Err(ApiError::invalid_request("Default topic resources are not allowed."));
    }
    if broker.metadata.topic(topic).is_none() {
        return Err(ApiError::unknown_topic(topic));
    }
    let shown = loggable(&configs);
    let change = TopicConfigChange {
        topic: topic.to_owned(),
        configs,
    };
    let answers = broker
        .controller
        .alter_topic_configs(vec![change], validate_only)
        .await?;
    for answer in answers {
        answer?;
    }
    if !validate_only {
        log::info!(
            "client {:?} set the configuration of topic {topic}: {{{shown}}}",
            context.client_id()
        );
    }
    Ok(())
}
