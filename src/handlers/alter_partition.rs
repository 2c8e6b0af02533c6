//! AlterPartition (56), v0–3: leaders ask the controller for other ISRs (KIP-497, KIP-704, KIP-841, KIP-903). Only brokers send it.

use std::sync::Arc;

use protocol::messages::alter_partition::{AlterPartitionRequest, AlterPartitionResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;
use crate::inter_broker::isr_wire;

/// How this key is served.
pub const SERVED: Served = served!(AlterPartition, 0..=3, handle);

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: AlterPartitionRequest,
) -> AlterPartitionResponse {
    let asked = isr_wire::asked(context.version, &request);
    match broker.controller.alter_partitions(asked).await {
        Ok(answers) => isr_wire::response(
            &request,
            answers.into_iter().map(|answer| answer.map_err(|e| e.to_code())),
        ),
        Err(error) => AlterPartitionResponse {
            error_code: error.to_code(),
            ..Default::default()
        },
    }
}
