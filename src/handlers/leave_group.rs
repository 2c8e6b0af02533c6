//! LeaveGroup (13), v0–5: members go, or are sent away by their group instance ids. Several at once from v3 on (KIP-345),
//! with reasons from v5 on (KIP-800).

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::Leaver;
use crate::group::wire::{owned, owned_option};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(LeaveGroup, 0..=5, handle);

async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let single = MemberIdentity {
        member_id: request.member_id.clone(),
        ..Default::default()
    };
    let leaving = if context.version < 3 {
        vec![single]
    } else {
        request.members
    };
    let leaver = |member: &MemberIdentity| Leaver {
        member_id: owned(&member.member_id),
        instance_id: owned_option(&member.group_instance_id),
    };
    let leavers: Vec<Leaver> = leaving.iter().map(leaver).collect();
    for member in &leaving {
        if let Some(reason) = member.reason.as_deref().filter(|reason| !reason.is_empty()) {
            let group_id = &request.group_id;
            log::debug!(client:% = context.client_ip(); "group {group_id:?}: member {:?} leaves: {reason:?}", member.member_id);
        }
    }
    let results = match broker.groups.leave(&request.group_id, &leavers) {
        Ok(results) => results,
        Err(rejection) => {
            return LeaveGroupResponse {
                error_code: rejection.to_code(),
                ..Default::default()
            };
        }
    };
    let code = |result: &Result<(), crate::group::Rejection>| match result {
        Ok(()) => ErrorCode::NONE,
        Err(rejection) => rejection.to_code(),
    };
    if context.version < 3 {
        let error_code = results.first().map_or(ErrorCode::NONE, code);
        return LeaveGroupResponse {
            error_code,
            ..Default::default()
        };
    }
    let member = |(member, result): (MemberIdentity, &_)| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code: code(result),
    };
    LeaveGroupResponse {
        members: leaving.into_iter().zip(&results).map(member).collect(),
        ..Default::default()
    }
}
