//! InitProducerId (22), v0–5: a producer id for an idempotent producer (KIP-98); a producer that knows its own (v3, KIP-360).
//!
//! A transactional id is refused with `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`: this broker has no transaction coordinator. Of all
//! codes it is the one that every client takes as final at once – Java, librdkafka and franz-go fail `init_transactions` with it,
//! while a coordinator's error or `UNSUPPORTED_VERSION` has librdkafka ask again until its timeout. Clients that look for the
//! coordinator first, as most do, hear the same from FindCoordinator and never come here.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code;

/// What this file serves.
pub const SERVED: Served = served!(InitProducerId, 0..=5, handle);

const NO_PRODUCER_ID: i64 = -1;
const NO_PRODUCER_EPOCH: i16 = -1;

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    if let Some(code) = refusal(&request) {
        log::warn!(
            client:% = context.client_ip();
            "client {:?} was refused a producer id with {}: transactional id {:?}, producer id {}, epoch {}; transactions are \
             not part of this version",
            context.client_id(),
            code.name(),
            request.transactional_id.as_deref(),
            request.producer_id,
            request.producer_epoch,
        );
        return refused(code);
    }
    match broker.producer_ids.next(&broker.to_controller).await {
        Ok(producer_id) => InitProducerIdResponse {
            producer_id,
            producer_epoch: 0,
            ..Default::default()
        },
        Err(error) => {
            log::error!(client:% = context.client_ip(); "client {:?} gets no producer id: {error}", context.client_id());
            refused(to_code::for_producer(&error))
        }
    }
}

/// What needs no producer id to be refused. An idempotent producer that gives both numbers gets new ones all the same.
fn refusal(request: &InitProducerIdRequest) -> Option<ErrorCode> {
    match &request.transactional_id {
        Some(id) if id.is_empty() => return Some(ErrorCode::INVALID_REQUEST),
        Some(_) => return Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        None => {}
    }
    let has_id = request.producer_id != NO_PRODUCER_ID;
    let has_epoch = request.producer_epoch != NO_PRODUCER_EPOCH;
    (has_id != has_epoch).then_some(ErrorCode::INVALID_REQUEST)
}

fn refused(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(transactional_id: Option<&'static str>, producer_id: i64, producer_epoch: i16) -> InitProducerIdRequest {
        InitProducerIdRequest {
            transactional_id: transactional_id.map(Into::into),
            producer_id,
            producer_epoch,
            ..Default::default()
        }
    }

    #[test]
    fn id_and_epoch_come_together_or_not_at_all() {
        assert_eq!(refusal(&request(None, -1, -1)), None);
        assert_eq!(refusal(&request(None, 7, 3)), None);
        assert_eq!(refusal(&request(None, 7, -1)), Some(ErrorCode::INVALID_REQUEST));
        assert_eq!(refusal(&request(None, -1, 3)), Some(ErrorCode::INVALID_REQUEST));
    }

    #[test]
    fn a_transactional_id_is_refused_for_good() {
        let denied = Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        assert_eq!(refusal(&request(Some("t"), -1, -1)), denied);
        assert_eq!(refusal(&request(Some(""), -1, -1)), Some(ErrorCode::INVALID_REQUEST));
    }
}
