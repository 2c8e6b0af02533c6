//! GetTelemetrySubscriptions (key 71, version 0): which metrics a client shall push. KIP-714.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message GetTelemetrySubscriptionsRequest { versions: 0..=0, flexible: 0.. }
    message GetTelemetrySubscriptionsResponse { versions: 0..=0, flexible: 0.. }

    struct GetTelemetrySubscriptionsRequest {
        client_instance_id: Uuid, versions: 0..;
    }

    struct GetTelemetrySubscriptionsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        client_instance_id: Uuid, versions: 0..;
        subscription_id: i32, versions: 0..;
        accepted_compression_types: Vec<i8>, versions: 0..;
        push_interval_ms: i32, versions: 0..;
        telemetry_max_bytes: i32, versions: 0..;
        delta_temporality: bool, versions: 0..;
        requested_metrics: Vec<Utf8Bytes>, versions: 0..;
    }
}
