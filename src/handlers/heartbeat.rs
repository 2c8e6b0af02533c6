//! Heartbeat (12), v0–4: a member is still there, and learns whether it has to rejoin. Static members (KIP-345).

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(Heartbeat, 0..=4, handle);

async fn handle(broker: &Arc<Broker>, _context: &RequestContext, request: HeartbeatRequest) -> HeartbeatResponse {
    let instance_id = request.group_instance_id.as_deref();
    let beat = broker.groups.heartbeat(
        &request.group_id,
        &request.member_id,
        instance_id,
        request.generation_id,
    );
    HeartbeatResponse {
        error_code: beat.err().map_or(ErrorCode::NONE, |rejection| rejection.to_code()),
        ..Default::default()
    }
}
