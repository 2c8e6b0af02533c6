//! ListConfigResources (key 74, versions 0–1): resources that have a configuration; ListClientMetricsResources in Kafka
//! 3.9. KIP-714, KIP-1142.
//!
//! Kafka 3.9 knows 0, 4.3 0–1.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message ListConfigResourcesRequest { versions: 0..=1, flexible: 0.. }
    message ListConfigResourcesResponse { versions: 0..=1, flexible: 0.. }

    struct ListConfigResourcesRequest {
        resource_types: Vec<i8>, versions: 1..;
    }

    struct ListConfigResourcesResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        config_resources: Vec<ConfigResource>, versions: 0..;
    }

    struct ConfigResource {
        resource_name: Utf8Bytes, versions: 0..;
        resource_type: i8, versions: 1.., default: 16, ignorable: true;
    }
}
