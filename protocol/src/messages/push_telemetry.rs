//! PushTelemetry (key 72, version 0): a client's metrics. KIP-714.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::{Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message PushTelemetryRequest { versions: 0..=0, flexible: 0.. }
    message PushTelemetryResponse { versions: 0..=0, flexible: 0.. }

    struct PushTelemetryRequest {
        client_instance_id: Uuid, versions: 0..;
        subscription_id: i32, versions: 0..;
        terminating: bool, versions: 0..;
        compression_type: i8, versions: 0..;
        metrics: Bytes, versions: 0..;
    }

    struct PushTelemetryResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
