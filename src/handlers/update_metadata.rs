//! UpdateMetadata (6), v5–8: the controller tells who is in the cluster and who leads. Only brokers send it.

use std::sync::Arc;

use controller::{BrokerEpoch, ControllerEpoch};
use protocol::messages::update_metadata::{UpdateMetadataRequest, UpdateMetadataResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;
use crate::inter_broker::control;

/// How this key is served.
pub const SERVED: Served = served!(UpdateMetadata, 5..=8, handle);

async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: UpdateMetadataRequest,
) -> UpdateMetadataResponse {
    // Of topics that go nothing has to be known.
    let stays = request.topic_states.iter().filter(|topic| {
        topic
            .partition_states
            .iter()
            .any(|state| state.leader != controller::ids::LEADER_DURING_DELETE)
    });
    let topics = stays.map(|topic| (&*topic.topic_name, topic.topic_id));
    let heeded = broker.heed.apply(
        ControllerEpoch(request.controller_epoch),
        BrokerEpoch(request.broker_epoch),
        topics,
        |configs_of| vec![control::metadata(&request, configs_of)],
    );
    let mut response = UpdateMetadataResponse::default();
    if let Err(error) = heeded.await {
        log::warn!(
            "an UpdateMetadata of controller {} is refused: {error}",
            request.controller_id
        );
        response.error_code = error.to_code();
    }
    response
}
