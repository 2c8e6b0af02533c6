//! DeleteGroups (42), v0–2: groups without members go, with all their offsets (KIP-229). Answered when that is committed.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;

/// How this key is served.
pub const SERVED: Served = served!(DeleteGroups, 0..=2, handle);

async fn handle(broker: &Arc<Broker>, _context: &RequestContext, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut seen = HashSet::new();
    // All deletions are under way before the first is awaited.
    let deletions: Vec<_> = request
        .groups_names
        .into_iter()
        .filter(|group_id| seen.insert(group_id.clone()))
        .map(|group_id| (broker.groups.delete_group(&group_id), group_id))
        .collect();
    let mut results = Vec::with_capacity(deletions.len());
    for (deletion, group_id) in deletions {
        let error_code = deletion
            .await
            .err()
            .map_or(ErrorCode::NONE, |rejection| rejection.to_code());
        results.push(DeletableGroupResult { group_id, error_code });
    }
    DeleteGroupsResponse {
        results,
        ..Default::default()
    }
}
