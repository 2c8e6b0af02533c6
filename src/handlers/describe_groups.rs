//! DescribeGroups (15), v0–5: state and members of groups. Authorised operations (KIP-430), static members (KIP-345). A
//! group that does not exist is described as dead.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use protocol::wire::Utf8Bytes;

use crate::authorized_operations;
use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::MemberDescription;
use crate::group::wire::{text, text_option};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(DescribeGroups, 0..=5, handle);

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let with_operations = context.version >= 3 && request.include_authorized_operations;
    // A name that is repeated is answered once: a short request must not ask for the same members any number of times. So an
    // answer is no larger than what all groups hold in memory, which is bounded, and the names in the request.
    let mut seen = HashSet::new();
    let groups = request
        .groups
        .iter()
        .filter(|group_id| seen.insert(*group_id))
        .map(|group_id| describe(broker, group_id, with_operations));
    DescribeGroupsResponse {
        groups: groups.collect(),
        ..Default::default()
    }
}

fn describe(broker: &Broker, group_id: &Utf8Bytes, with_operations: bool) -> DescribedGroup {
    let group = match broker.groups.describe(group_id) {
        Ok(group) => group,
        Err(rejection) => {
            let error_code = rejection.to_code();
            return DescribedGroup {
                error_code,
                group_id: group_id.clone(),
                ..Default::default()
            };
        }
    };
    DescribedGroup {
        group_id: group_id.clone(),
        group_state: Utf8Bytes::from_static(group.state.name()),
        protocol_type: text(&group.protocol_type),
        protocol_data: text(&group.protocol_name),
        members: group.members.iter().map(member).collect(),
        authorized_operations: match with_operations {
            true => authorized_operations::GROUP,
            false => authorized_operations::NOT_REQUESTED,
        },
        ..Default::default()
    }
}

fn member(member: &MemberDescription) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: text(&member.member_id),
        group_instance_id: text_option(&member.instance_id),
        client_id: text(&member.client_id),
        client_host: text(&member.client_host),
        member_metadata: member.metadata.clone(),
        member_assignment: member.assignment.clone(),
    }
}
