//! JoinGroup (11), v0–9: become a member of a classic group. Answered when the rebalance that it takes part in is
//! complete. Separate rebalance timeout (KIP-62), initial delay (KIP-134), static members (KIP-345), member id first
//! (KIP-394), protocol type in the answer (KIP-559), reason (KIP-800), skipped assignment (KIP-814).

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::wire::{client_host, owned, owned_option, text, text_option};
use crate::group::{Join, JoinAnswer, Protocol};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(JoinGroup, 0..=9, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: JoinGroupRequest) -> JoinGroupResponse {
    let group_id = request.group_id.to_string();
    let join = join(broker, context, &request);
    if let Some(reason) = request.reason.as_deref().filter(|reason| !reason.is_empty()) {
        let member_id = &join.member_id;
        log::debug!(client:% = context.client_ip(); "group {group_id:?}: member {member_id:?} joins: {reason:?}");
    }
    // The request may be parked for minutes: its frame is not, and what the group keeps is counted there.
    drop(request);
    context.request_memory.release();
    response(&broker.groups.join(&group_id, join).await, context.version)
}

fn join(broker: &Broker, context: &RequestContext, request: &JoinGroupRequest) -> Join {
    let instance_id = owned_option(&request.group_instance_id);
    let client_id: Arc<str> = Arc::from(context.client_id());
    let new_member_id = broker.groups.new_member_id(instance_id.as_ref().unwrap_or(&client_id));
    let mut protocols: Vec<Protocol> = Vec::new();
    for protocol in &request.protocols {
        if protocols.iter().all(|known| *known.name != *protocol.name) {
            let metadata = bytes::Bytes::copy_from_slice(&protocol.metadata);
            protocols.push(Protocol {
                name: owned(&protocol.name),
                metadata,
            });
        }
        if protocols.len() > crate::group::MAX_PROTOCOLS {
            break;
        }
    }
    Join {
        member_id: owned(&request.member_id),
        requires_known_member_id: context.version >= 4 && instance_id.is_none(),
        instance_id,
        client_id,
        client_host: client_host(context.connection.peer.ip()),
        // Version 0 has one timeout for both.
        rebalance_timeout_ms: match context.version {
            0 => request.session_timeout_ms,
            _ => request.rebalance_timeout_ms,
        },
        session_timeout_ms: request.session_timeout_ms,
        protocol_type: owned(&request.protocol_type),
        protocols,
        supports_skipping_assignment: context.version >= 9,
        new_member_id,
        waiter: broker.groups.next_waiter(),
    }
}

fn response(answer: &JoinAnswer, version: i16) -> JoinGroupResponse {
    let protocol_name = text_option(&answer.protocol_name);
    JoinGroupResponse {
        error_code: answer.error.map_or(ErrorCode::NONE, |rejection| rejection.to_code()),
        generation_id: answer.generation_id,
        protocol_type: text_option(&answer.protocol_type),
        // Not nullable before version 7.
        protocol_name: if version < 7 {
            Some(protocol_name.unwrap_or_default())
        } else {
            protocol_name
        },
        leader: text_option(&answer.leader).unwrap_or_default(),
        skip_assignment: answer.skip_assignment,
        member_id: text(&answer.member_id),
        members: answer
            .members
            .iter()
            .map(|member| JoinGroupResponseMember {
                member_id: text(&member.member_id),
                group_instance_id: text_option(&member.instance_id),
                metadata: member.metadata.clone(),
            })
            .collect(),
        ..Default::default()
    }
}
