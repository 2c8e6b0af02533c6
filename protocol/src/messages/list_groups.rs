//! ListGroups (key 16, versions 0–5): the groups that a broker coordinates. KIP-518, KIP-848.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;

messages! {
    message ListGroupsRequest { versions: 0..=5, flexible: 3.. }
    message ListGroupsResponse { versions: 0..=5, flexible: 3.. }

    struct ListGroupsRequest {
        states_filter: Vec<Utf8Bytes>, versions: 4..;
        types_filter: Vec<Utf8Bytes>, versions: 5..;
    }

    struct ListGroupsResponse {
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        error_code: ErrorCode, versions: 0..;
        groups: Vec<ListedGroup>, versions: 0..;
    }

    struct ListedGroup {
        group_id: Utf8Bytes, versions: 0..;
        protocol_type: Utf8Bytes, versions: 0..;
        group_state: Utf8Bytes, versions: 4.., ignorable: true;
        group_type: Utf8Bytes, versions: 5.., ignorable: true;
    }
}
