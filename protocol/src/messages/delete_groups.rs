//! DeleteGroups (key 42, versions 0–2): delete empty groups. KIP-229.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message DeleteGroupsRequest { versions: 0..=2, flexible: 2.. }
    message DeleteGroupsResponse { versions: 0..=2, flexible: 2.. }

    struct DeleteGroupsRequest {
        groups_names: Vec<Utf8Bytes>, versions: 0..;
    }

    struct DeleteGroupsResponse {
        throttle_time_ms: i32, versions: 0..;
        results: Vec<DeletableGroupResult>, versions: 0..;
    }

    struct DeletableGroupResult {
        group_id: Utf8Bytes, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
