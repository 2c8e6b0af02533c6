//! LeaderAndIsr (4), v2–7: the controller tells what this broker leads and follows in. Only brokers send it.

use std::sync::Arc;

use controller::{BrokerEpoch, ControllerEpoch};
use protocol::messages::leader_and_isr::{LeaderAndIsrRequest, LeaderAndIsrResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::{ToCode, code_of};
use crate::inter_broker::control;

/// How this key is served.
pub const SERVED: Served = served!(LeaderAndIsr, 2..=7, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: LeaderAndIsrRequest) -> LeaderAndIsrResponse {
    let topics = request
        .topic_states
        .iter()
        .map(|topic| (&*topic.topic_name, topic.topic_id));
    let heeded = broker.heed.apply(
        ControllerEpoch(request.controller_epoch),
        BrokerEpoch(request.broker_epoch),
        topics,
        |configs_of| vec![control::leaders_and_isrs(&request, configs_of)],
    );
    match heeded.await {
        Ok((applied, _)) => control::leader_and_isr_answer(context.version, &request, &|topic, partition| {
            code_of(&applied, topic, partition)
        }),
        Err(error) => {
            log::warn!(
                "a LeaderAndIsr of controller {} is refused: {error}",
                request.controller_id
            );
            LeaderAndIsrResponse {
                error_code: error.to_code(),
                ..Default::default()
            }
        }
    }
}
