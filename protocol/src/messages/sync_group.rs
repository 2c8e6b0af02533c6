//! SyncGroup (key 14, versions 0–5): hand out and receive a generation's assignment. KIP-345, KIP-559.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;

messages! {
    message SyncGroupRequest { versions: 0..=5, flexible: 4.. }
    message SyncGroupResponse { versions: 0..=5, flexible: 4.. }

    struct SyncGroupRequest {
        group_id: Utf8Bytes, versions: 0..;
        generation_id: i32, versions: 0..;
        member_id: Utf8Bytes, versions: 0..;
        group_instance_id: Option<Utf8Bytes>, versions: 3.., nullable: 3..;
        protocol_type: Option<Utf8Bytes>, versions: 5.., nullable: 5.., ignorable: true;
        protocol_name: Option<Utf8Bytes>, versions: 5.., nullable: 5.., ignorable: true;
        assignments: Vec<SyncGroupRequestAssignment>, versions: 0..;
    }

    struct SyncGroupRequestAssignment {
        member_id: Utf8Bytes, versions: 0..;
        assignment: Bytes, versions: 0..;
    }

    struct SyncGroupResponse {
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        error_code: ErrorCode, versions: 0..;
        protocol_type: Option<Utf8Bytes>, versions: 5.., nullable: 5.., ignorable: true;
        protocol_name: Option<Utf8Bytes>, versions: 5.., nullable: 5.., ignorable: true;
        assignment: Bytes, versions: 0..;
    }
}
