//! SyncGroup (14), v0–5: the leader hands in the assignment, every member gets its part. Answered when the assignment is
//! committed. Static members (KIP-345), protocol type and name (KIP-559).

use std::sync::Arc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::wire::{owned, owned_option, text_option};
use crate::group::{Rejection, Sync, SyncAnswer};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(SyncGroup, 0..=5, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: SyncGroupRequest) -> SyncGroupResponse {
    if context.version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return response(&SyncAnswer::rejected(Rejection::InconsistentGroupProtocol));
    }
    let group_id = request.group_id.to_string();
    let sync = Sync {
        member_id: owned(&request.member_id),
        instance_id: owned_option(&request.group_instance_id),
        generation_id: request.generation_id,
        protocol_type: owned_option(&request.protocol_type),
        protocol_name: owned_option(&request.protocol_name),
        assignments: request
            .assignments
            .iter()
            .map(|assigned| (owned(&assigned.member_id), Bytes::copy_from_slice(&assigned.assignment)))
            .collect(),
        waiter: broker.groups.next_waiter(),
    };
    // The request may be parked for minutes: its frame is not, and what the group keeps is counted there.
    drop(request);
    context.request_memory.release();
    response(&broker.groups.sync(&group_id, sync).await)
}

fn response(answer: &SyncAnswer) -> SyncGroupResponse {
    SyncGroupResponse {
        error_code: answer.error.map_or(ErrorCode::NONE, |rejection| rejection.to_code()),
        protocol_type: text_option(&answer.protocol_type),
        protocol_name: text_option(&answer.protocol_name),
        assignment: answer.assignment.clone(),
        ..Default::default()
    }
}
