//! IncrementalAlterConfigs (44), v0–1 (KIP-339): sets, removes, appends, subtracts single keys of topics; the logger's level (KIP-412).
//! A broker's keys cannot be changed while it runs yet.

use std::sync::Arc;

use controller::ConfigMap;

use protocol::messages::incremental_alter_configs::{
    AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use crate::api_error::ApiError;
use crate::broker::Broker;
use crate::config_changes::{ResourceChange, ToBeDone, change_topic, check, in_turn};
use crate::config_resources::{ConfigOp, apply_topic_ops, level_name, logger_change};
use crate::dispatch::{RequestContext, Served, served};

/// What this file serves.
pub const SERVED: Served = served!(IncrementalAlterConfigs, 0..=1, handle);

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let changes = request.resources.iter().map(|resource| ResourceChange {
        resource_type: resource.resource_type,
        resource_name: &resource.resource_name,
        ops: resource.configs.iter().map(op).collect(),
    });
    let changes: Vec<ResourceChange> = changes.collect();
    let validate_only = request.validate_only;
    let checked = changes.iter().zip(check(&changes, broker.id));
    let changed =
        checked.map(|(change, checked)| async move { alter(broker, context, checked?, change, validate_only).await });
    let outcomes = in_turn(changed).await;
    let resources = request.resources.iter().zip(outcomes);
    let responses = resources.map(|(resource, (error_code, error_message))| AlterConfigsResourceResponse {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    });
    IncrementalAlterConfigsResponse {
        responses: responses.collect(),
        ..Default::default()
    }
}

fn op(config: &AlterableConfig) -> ConfigOp<'_> {
    ConfigOp {
        name: &config.name,
        operation: config.config_operation,
        value: config.value.as_deref(),
    }
}

async fn alter(
    broker: &Broker,
    context: &RequestContext,
    to_be_done: ToBeDone,
    change: &ResourceChange<'_>,
    validate_only: bool,
) -> Result<(), ApiError> {
    match to_be_done {
        ToBeDone::Topic => alter_topic(broker, context, change.resource_name, &change.ops, validate_only).await,
        ToBeDone::Logger => {
            let level = logger_change(change.resource_name, broker.id, &change.ops)?;
            if let Some(level) = level.filter(|_| !validate_only) {
                log::warn!(
                    client:% = context.client_ip();
                    "client {:?} set the log level to {}",
                    context.client_id(),
                    level_name(level)
                );
                log::set_max_level(level);
            }
            Ok(())
        }
        ToBeDone::Nothing => Ok(()),
    }
}

/// Two clients that change different keys at once must both have their way, so what is set is read and written back by one at a
/// time, and by one broker at a time.
async fn alter_topic(
    broker: &Broker,
    context: &RequestContext,
    topic: &str,
    ops: &[ConfigOp<'_>],
    validate_only: bool,
) -> Result<(), ApiError> {
    let _one_at_a_time = broker.config_changes.lock().await;
    let change = |configs: &mut ConfigMap| apply_topic_ops(configs, ops);
    change_topic(broker, context, topic, validate_only, change).await
}
