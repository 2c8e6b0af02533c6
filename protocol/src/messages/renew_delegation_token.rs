//! RenewDelegationToken (key 39, versions 0–2): extend a delegation token. KIP-48.
//!
//! Kafka 3.9 knows 0–2, 4.3 1–2.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::messages;

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message RenewDelegationTokenRequest { versions: 0..=2, flexible: 2.. }
    message RenewDelegationTokenResponse { versions: 0..=2, flexible: 2.. }

    struct RenewDelegationTokenRequest {
        hmac: Bytes, versions: 0..;
        renew_period_ms: i64, versions: 0..;
    }

    struct RenewDelegationTokenResponse {
        error_code: ErrorCode, versions: 0..;
        expiry_timestamp_ms: i64, versions: 0..;
        throttle_time_ms: i32, versions: 0..;
    }
}
