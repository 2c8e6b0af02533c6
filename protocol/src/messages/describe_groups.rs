//! DescribeGroups (key 15, versions 0–6): state and members of classic groups. KIP-345, KIP-430, KIP-1043.
//!
//! Kafka 3.9 knows 0–5, 4.3 0–6.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;

messages! {
    message DescribeGroupsRequest { versions: 0..=6, flexible: 5.. }
    message DescribeGroupsResponse { versions: 0..=6, flexible: 5.. }

    struct DescribeGroupsRequest {
        groups: Vec<Utf8Bytes>, versions: 0..;
        include_authorized_operations: bool, versions: 3..;
    }

    struct DescribeGroupsResponse {
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        groups: Vec<DescribedGroup>, versions: 0..;
    }

    struct DescribedGroup {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 6.., nullable: 6..;
        group_id: Utf8Bytes, versions: 0..;
        group_state: Utf8Bytes, versions: 0..;
        protocol_type: Utf8Bytes, versions: 0..;
        protocol_data: Utf8Bytes, versions: 0..;
        members: Vec<DescribedGroupMember>, versions: 0..;
        authorized_operations: i32, versions: 3.., default: i32::MIN;
    }

    struct DescribedGroupMember {
        member_id: Utf8Bytes, versions: 0..;
        group_instance_id: Option<Utf8Bytes>, versions: 4.., nullable: 4.., ignorable: true;
        client_id: Utf8Bytes, versions: 0..;
        client_host: Utf8Bytes, versions: 0..;
        member_metadata: Bytes, versions: 0..;
        member_assignment: Bytes, versions: 0..;
    }
}
