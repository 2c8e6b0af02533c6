//! AllocateProducerIds (67), v0: a broker asks the controller for producer ids (KIP-730). Only brokers send it.

use std::sync::Arc;

use controller::BrokerEpoch;
use protocol::messages::allocate_producer_ids::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(AllocateProducerIds, 0..=0, handle);

async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: AllocateProducerIdsRequest,
) -> AllocateProducerIdsResponse {
    let epoch = Some(BrokerEpoch(request.broker_epoch));
    match broker
        .controller
        .allocate_producer_id_block(request.broker_id, epoch)
        .await
    {
        Ok(block) => AllocateProducerIdsResponse {
            producer_id_start: block.first,
            producer_id_len: i32::try_from(block.last - block.first + 1).unwrap_or(0),
            ..Default::default()
        },
        Err(error) => AllocateProducerIdsResponse {
            error_code: error.to_code(),
            ..Default::default()
        },
    }
}
