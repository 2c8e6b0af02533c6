//! CreateAcls (key 30, versions 0–3): add access control entries. KIP-140, KIP-290, KIP-373.
//!
//! Kafka 3.9 knows 0–3, 4.3 1–3.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;

messages! {
    message CreateAclsRequest { versions: 0..=3, flexible: 2.. }
    message CreateAclsResponse { versions: 0..=3, flexible: 2.. }

    struct CreateAclsRequest {
        creations: Vec<AclCreation>, versions: 0..;
    }

    struct AclCreation {
        resource_type: i8, versions: 0..;
        resource_name: Utf8Bytes, versions: 0..;
        resource_pattern_type: i8, versions: 1.., default: 3;
        principal: Utf8Bytes, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        operation: i8, versions: 0..;
        permission_type: i8, versions: 0..;
    }

    struct CreateAclsResponse {
        throttle_time_ms: i32, versions: 0..;
        results: Vec<AclCreationResult>, versions: 0..;
    }

    struct AclCreationResult {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
