//! DeleteAcls (key 31, versions 0–3): remove access control entries. KIP-140, KIP-290, KIP-373.
//!
//! Kafka 3.9 knows 0–3, 4.3 1–3.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;

messages! {
    message DeleteAclsRequest { versions: 0..=3, flexible: 2.. }
    message DeleteAclsResponse { versions: 0..=3, flexible: 2.. }

    struct DeleteAclsRequest {
        filters: Vec<DeleteAclsFilter>, versions: 0..;
    }

    struct DeleteAclsFilter {
        resource_type_filter: i8, versions: 0..;
        resource_name_filter: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        pattern_type_filter: i8, versions: 1.., default: 3;
        principal_filter: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        host_filter: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        operation: i8, versions: 0..;
        permission_type: i8, versions: 0..;
    }

    struct DeleteAclsResponse {
        throttle_time_ms: i32, versions: 0..;
        filter_results: Vec<DeleteAclsFilterResult>, versions: 0..;
    }

    struct DeleteAclsFilterResult {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        matching_acls: Vec<DeleteAclsMatchingAcl>, versions: 0..;
    }

    struct DeleteAclsMatchingAcl {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        resource_type: i8, versions: 0..;
        resource_name: Utf8Bytes, versions: 0..;
        pattern_type: i8, versions: 1.., default: 3;
        principal: Utf8Bytes, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        operation: i8, versions: 0..;
        permission_type: i8, versions: 0..;
    }
}
