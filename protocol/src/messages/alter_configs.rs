//! AlterConfigs (key 33, versions 0–2): replace the whole configuration of a resource. KIP-133.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message AlterConfigsRequest { versions: 0..=2, flexible: 2.. }
    message AlterConfigsResponse { versions: 0..=2, flexible: 2.. }

    struct AlterConfigsRequest {
        resources: Vec<AlterConfigsResource>, versions: 0..;
        validate_only: bool, versions: 0..;
    }

    struct AlterConfigsResource {
        resource_type: i8, versions: 0..;
        resource_name: Utf8Bytes, versions: 0..;
        configs: Vec<AlterableConfig>, versions: 0..;
    }

    struct AlterableConfig {
        name: Utf8Bytes, versions: 0..;
        value: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct AlterConfigsResponse {
        throttle_time_ms: i32, versions: 0..;
        responses: Vec<AlterConfigsResourceResponse>, versions: 0..;
    }

    struct AlterConfigsResourceResponse {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        resource_type: i8, versions: 0..;
        resource_name: Utf8Bytes, versions: 0..;
    }
}
