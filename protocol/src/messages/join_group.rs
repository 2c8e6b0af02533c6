//! JoinGroup (key 11, versions 0–9): become a member of a classic group. KIP-62, KIP-134, KIP-345, KIP-394, KIP-559,
//! KIP-800, KIP-814.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=9;

messages! {
    message JoinGroupRequest { versions: 0..=9, flexible: 6.. }
    message JoinGroupResponse { versions: 0..=9, flexible: 6.. }

    struct JoinGroupRequest {
        group_id: Utf8Bytes, versions: 0..;
        session_timeout_ms: i32, versions: 0..;
        rebalance_timeout_ms: i32, versions: 1.., default: -1, ignorable: true;
        member_id: Utf8Bytes, versions: 0..;
        group_instance_id: Option<Utf8Bytes>, versions: 5.., nullable: 5..;
        protocol_type: Utf8Bytes, versions: 0..;
        protocols: Vec<JoinGroupRequestProtocol>, versions: 0..;
        reason: Option<Utf8Bytes>, versions: 8.., nullable: 8.., ignorable: true;
    }

    struct JoinGroupRequestProtocol {
        name: Utf8Bytes, versions: 0..;
        metadata: Bytes, versions: 0..;
    }

    struct JoinGroupResponse {
        throttle_time_ms: i32, versions: 2.., ignorable: true;
        error_code: ErrorCode, versions: 0..;
        generation_id: i32, versions: 0.., default: -1;
        protocol_type: Option<Utf8Bytes>, versions: 7.., nullable: 7.., ignorable: true;
        protocol_name: Option<Utf8Bytes>, versions: 0.., nullable: 7.., default: Some(Default::default());
        leader: Utf8Bytes, versions: 0..;
        skip_assignment: bool, versions: 9..;
        member_id: Utf8Bytes, versions: 0..;
        members: Vec<JoinGroupResponseMember>, versions: 0..;
    }

    struct JoinGroupResponseMember {
        member_id: Utf8Bytes, versions: 0..;
        group_instance_id: Option<Utf8Bytes>, versions: 5.., nullable: 5.., ignorable: true;
        metadata: Bytes, versions: 0..;
    }
}
