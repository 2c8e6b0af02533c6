//! AlterConfigs (33), v0–2: replaces all that is set for a topic. A broker's keys cannot be changed while it runs yet.

use std::sync::Arc;

use controller::ConfigMap;

use protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResourceResponse, AlterConfigsResponse, AlterableConfig,
};

use crate::api_error::ApiError;
use crate::broker::Broker;
use crate::config_changes::{ResourceChange, ToBeDone, change_topic, check, in_turn};
use crate::config_resources::ConfigOp;
use crate::dispatch::{RequestContext, Served, served};

/// What this file serves.
pub const SERVED: Served = served!(AlterConfigs, 0..=2, handle);

const SET: i8 = 0;

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse {
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
    AlterConfigsResponse {
        responses: responses.collect(),
        ..Default::default()
    }
}

fn op(config: &AlterableConfig) -> ConfigOp<'_> {
    ConfigOp {
        name: &config.name,
        operation: SET,
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
        ToBeDone::Topic => {
            let set = change.ops.iter();
            let set = set.filter_map(|op| Some((op.name.to_owned(), op.value?.to_owned())));
            let new: ConfigMap = set.collect();
            let _one_at_a_time = broker.config_changes.lock().await;
            let replace = |configs: &mut ConfigMap| {
                configs.clone_from(&new);
                Ok(())
            };
            change_topic(broker, context, change.resource_name, validate_only, replace).await
        }
        // Loggers came with IncrementalAlterConfigs and are its alone.
        ToBeDone::Logger => Err(change.unknown_type()),
        ToBeDone::Nothing => Ok(()),
    }
}
