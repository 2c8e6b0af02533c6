//! CreateDelegationToken (key 38, versions 0–3): issue a delegation token. KIP-48, KIP-373.
//!
//! Kafka 3.9 knows 0–3, 4.3 1–3.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;

messages! {
    message CreateDelegationTokenRequest { versions: 0..=3, flexible: 2.. }
    message CreateDelegationTokenResponse { versions: 0..=3, flexible: 2.. }

    struct CreateDelegationTokenRequest {
        owner_principal_type: Option<Utf8Bytes>, versions: 3.., nullable: 3.., default: Some(Default::default());
        owner_principal_name: Option<Utf8Bytes>, versions: 3.., nullable: 3.., default: Some(Default::default());
        renewers: Vec<CreatableRenewers>, versions: 0..;
        max_lifetime_ms: i64, versions: 0..;
    }

    struct CreatableRenewers {
        principal_type: Utf8Bytes, versions: 0..;
        principal_name: Utf8Bytes, versions: 0..;
    }

    struct CreateDelegationTokenResponse {
        error_code: ErrorCode, versions: 0..;
        principal_type: Utf8Bytes, versions: 0..;
        principal_name: Utf8Bytes, versions: 0..;
        token_requester_principal_type: Utf8Bytes, versions: 3..;
        token_requester_principal_name: Utf8Bytes, versions: 3..;
        issue_timestamp_ms: i64, versions: 0..;
        expiry_timestamp_ms: i64, versions: 0..;
        max_timestamp_ms: i64, versions: 0..;
        token_id: Utf8Bytes, versions: 0..;
        hmac: Bytes, versions: 0..;
        throttle_time_ms: i32, versions: 0..;
    }
}
