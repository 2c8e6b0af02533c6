//! ExpireDelegationToken (key 40, versions 0–2): end a delegation token. KIP-48.
//!
//! Kafka 3.9 knows 0–2, 4.3 1–2.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::messages;

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message ExpireDelegationTokenRequest { versions: 0..=2, flexible: 2.. }
    message ExpireDelegationTokenResponse { versions: 0..=2, flexible: 2.. }

    struct ExpireDelegationTokenRequest {
        hmac: Bytes, versions: 0..;
        expiry_time_period_ms: i64, versions: 0..;
    }

    struct ExpireDelegationTokenResponse {
        error_code: ErrorCode, versions: 0..;
        expiry_timestamp_ms: i64, versions: 0..;
        throttle_time_ms: i32, versions: 0..;
    }
}
