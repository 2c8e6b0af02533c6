//! StopReplica (5), v1–4: the controller has this broker stop replicas, or delete them. Only brokers send it.

use std::sync::Arc;

use controller::{BrokerEpoch, ControllerEpoch};
use protocol::messages::stop_replica::{StopReplicaRequest, StopReplicaResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::{ToCode, code_of};
use crate::inter_broker::control;

/// How this key is served.
pub const SERVED: Served = served!(StopReplica, 1..=4, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: StopReplicaRequest) -> StopReplicaResponse {
    let heeded = broker.heed.apply(
        ControllerEpoch(request.controller_epoch),
        BrokerEpoch(request.broker_epoch),
        std::iter::empty(),
        |_| control::stopped(context.version, &request),
    );
    match heeded.await {
        Ok((applied, effects)) => {
            control::stop_replica_answer(&effects, &|topic, partition| code_of(&applied, topic, partition))
        }
        Err(error) => {
            log::warn!(
                "a StopReplica of controller {} is refused: {error}",
                request.controller_id
            );
            StopReplicaResponse {
                error_code: error.to_code(),
                ..Default::default()
            }
        }
    }
}
