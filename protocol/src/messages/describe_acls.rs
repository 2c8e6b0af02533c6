//! DescribeAcls (key 29, versions 0–3): list access control entries. KIP-140, KIP-290, KIP-373.
//!
//! Kafka 3.9 knows 0–3, 4.3 1–3.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;

messages! {
    message DescribeAclsRequest { versions: 0..=3, flexible: 2.. }
    message DescribeAclsResponse { versions: 0..=3, flexible: 2.. }

    struct DescribeAclsRequest {
        resource_type_filter: i8, versions: 0..;
        resource_name_filter: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        pattern_type_filter: i8, versions: 1.., default: 3;
        principal_filter: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        host_filter: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        operation: i8, versions: 0..;
        permission_type: i8, versions: 0..;
    }

    struct DescribeAclsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        resources: Vec<DescribeAclsResource>, versions: 0..;
    }

    struct DescribeAclsResource {
        resource_type: i8, versions: 0..;
        resource_name: Utf8Bytes, versions: 0..;
        pattern_type: i8, versions: 1.., default: 3;
        acls: Vec<AclDescription>, versions: 0..;
    }

    struct AclDescription {
        principal: Utf8Bytes, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        operation: i8, versions: 0..;
        permission_type: i8, versions: 0..;
    }
}
