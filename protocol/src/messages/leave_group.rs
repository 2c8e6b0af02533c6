//! LeaveGroup (key 13, versions 0–5): leave a classic group, or remove members. KIP-345, KIP-800.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;

messages! {
    message LeaveGroupRequest { versions: 0..=5, flexible: 4.. }
    message LeaveGroupResponse { versions: 0..=5, flexible: 4.. }

    struct LeaveGroupRequest {
        group_id: Utf8Bytes, versions: 0..;
        member_id: Utf8Bytes, versions: 0..=2;
        members: Vec<MemberIdentity>, versions: 3..;
    }

    struct MemberIdentity {
        member_id: Utf8Bytes, versions: 3..;
        group_instance_id: Option<Utf8Bytes>, versions: 3.., nullable: 3..;
        reason: Option<Utf8Bytes>, versions: 5.., nullable: 5.., ignorable: true;
    }

    struct LeaveGroupResponse {
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        error_code: ErrorCode, versions: 0..;
        members: Vec<MemberResponse>, versions: 3..;
    }

    struct MemberResponse {
        member_id: Utf8Bytes, versions: 3..;
        group_instance_id: Option<Utf8Bytes>, versions: 3.., nullable: 3.., default: Some(Default::default());
        error_code: ErrorCode, versions: 3..;
    }
}
