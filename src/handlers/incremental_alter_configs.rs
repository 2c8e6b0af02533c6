//! IncrementalAlterConfigs (44), v0–1 (KIP-339): sets, removes, appends, subtracts single keys of topics; the logger's level (KIP-412).
//! A broker's keys cannot be changed while it runs yet.

use std::sync::Arc;

use protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::alter_configs::{change_topic, client_metrics};
use crate::api_error::{ApiError, code_and_message};
use crate::broker::Broker;
use crate::config_resources::{
    ConfigOp, ResourceType, apply_topic_ops, check_broker_change, check_ops, duplicate_resource, duplicates,
    level_name, logger_change,
};
use crate::dispatch::{RequestContext, Served, served};

/// What this file serves.
pub const SERVED: Served = served!(IncrementalAlterConfigs, 0..=1, handle);

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
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
    IncrementalAlterConfigsResponse {
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
        operation: config.config_operation,
        value: config.value.as_deref(),
    });
    let ops: Vec<ConfigOp> = ops.collect();
    check_ops(&ops)?;
    let name = &*resource.resource_name;
    match ResourceType::from_wire(resource.resource_type) {
        Some(ResourceType::Topic) => alter_topic(broker, context, name, &ops, validate_only).await,
        Some(ResourceType::Broker) => check_broker_change(name, broker.id, &ops),
        Some(ResourceType::BrokerLogger) => {
            let level = logger_change(name, broker.id, &ops)?;
            if let Some(level) = level.filter(|_| !validate_only) {
                log::warn!(
                    "client {:?} set the log level to {}",
                    context.client_id(),
                    level_name(level)
                );
                log::set_max_level(level);
            }
            Ok(())
        }
        Some(ResourceType::ClientMetrics) => Err(client_metrics()),
        None => Err(ApiError::invalid_request(format!(
            "Unknown resource type {}",
            resource.resource_type
        ))),
    }
}

/// Two clients that change different keys at once must both have their way, so what is set is read and written back by one at a
/// time.
async fn alter_topic(
    broker: &Broker,
    context: &RequestContext,
    topic: &str,
    ops: &[ConfigOp<'_>],
    validate_only: bool,
) -> Result<(), ApiError> {
    if topic.is_empty() {
        return Err(ApiError::invalid_request("Default topic resources are not allowed."));
    }
    let _one_at_a_time = broker.config_changes.lock().await;
    let set = broker.metadata.topic_configs(topic);
    let mut configs = set.map(|set| (*set).clone()).unwrap_or_default();
    apply_topic_ops(&mut configs, ops)?;
    change_topic(broker, context, topic, configs, validate_only).await
}
