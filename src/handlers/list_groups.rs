//! ListGroups (16), v0–5: the groups that this broker coordinates, by state (KIP-518) and type (KIP-848).

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use protocol::wire::Utf8Bytes;

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::group::GroupListing;
use crate::group::wire::text;
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(ListGroups, 0..=5, handle);

/// The type of all groups so far.
const CLASSIC: &str = "classic";

async fn handle(broker: &Arc<Broker>, _context: &RequestContext, request: ListGroupsRequest) -> ListGroupsResponse {
    let (groups, loading) = match broker.groups.list() {
        Ok(listed) => listed,
        Err(rejection) => {
            return ListGroupsResponse {
                error_code: rejection.to_code(),
                ..Default::default()
            };
        }
    };
    // An empty filter lets everything through; names that nobody knows let nothing through.
    let passes = |filter: &[Utf8Bytes], name: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let is_wanted = |group: &GroupListing| {
        passes(&request.states_filter, group.state.name()) && passes(&request.types_filter, CLASSIC)
    };
    ListGroupsResponse {
        // What is loaded is listed all the same.
        error_code: if loading {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        } else {
            ErrorCode::NONE
        },
        groups: groups.iter().filter(|group| is_wanted(group)).map(listed).collect(),
        ..Default::default()
    }
}

fn listed(group: &GroupListing) -> ListedGroup {
    ListedGroup {
        group_id: text(&group.group_id),
        protocol_type: text(&group.protocol_type),
        group_state: Utf8Bytes::from_static(group.state.name()),
        group_type: Utf8Bytes::from_static(CLASSIC),
    }
}
