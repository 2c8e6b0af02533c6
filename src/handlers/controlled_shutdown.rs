//! ControlledShutdown (7), v0–3: a broker that is about to stop asks the controller to have others lead in its place. Only brokers send it.

use std::sync::Arc;

use controller::BrokerEpoch;
use protocol::messages::controlled_shutdown::{
    ControlledShutdownRequest, ControlledShutdownResponse, RemainingPartition,
};
use protocol::wire::Utf8Bytes;

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(ControlledShutdown, 0..=3, handle);

async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ControlledShutdownRequest,
) -> ControlledShutdownResponse {
    let epoch = (request.broker_epoch >= 0).then_some(BrokerEpoch(request.broker_epoch));
    let asked = broker.controller.controlled_shutdown(request.broker_id, epoch);
    match asked.await {
        Ok(remaining) => {
            let partition = |(topic, partition): (Arc<str>, i32)| RemainingPartition {
                topic_name: Utf8Bytes::from(&*topic),
                partition_index: partition,
            };
            ControlledShutdownResponse {
                remaining_partitions: remaining.into_iter().map(partition).collect(),
                ..Default::default()
            }
        }
        Err(error) => ControlledShutdownResponse {
            error_code: error.to_code(),
            ..Default::default()
        },
    }
}
